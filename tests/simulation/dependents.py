"""Objects that hang something on a key, as a user of any namespace has them in a simulated world."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.kmsaliases import KMSALIASES
from controller.kmsgrants import KMSGRANTS
from controller.kube import JSON_PATCH, MERGE_PATCH
from controller.objects import Ref, Resource
from controller.provider_objects import AWSPROVIDERS
from controller.secrets import SECRETS
from reconcilers.names import API_VERSION
from tests.simulation.etcd import Json
from tests.simulation.world import NAMESPACE, World


@dataclass(frozen=True)
class Thing:
    """One object by its name, whether it is there or not."""

    world: World
    resource: Resource
    name: str
    namespace: str = NAMESPACE

    def apply(self, **spec: Any) -> None:
        """Create it, or give it this spec."""
        if self.find() is None:
            body = {"apiVersion": API_VERSION, "kind": self.resource.kind, "metadata": {"name": self.name}, "spec": spec}
            self.world.user("POST", self.resource.path(self.namespace), body)
        else:
            self.world.user("PATCH", self._path(), [{"op": "add", "path": "/spec", "value": spec}], JSON_PATCH)

    def patch(self, body: Json, subresource: str | None = None) -> None:
        self.world.user("PATCH", self._path(subresource), body, MERGE_PATCH)

    def delete(self) -> None:
        self.world.user("DELETE", self._path())

    def find(self) -> Json | None:
        return self.world.etcd.get(self.resource.plural, Ref(self.namespace, self.name))

    @property
    def status(self) -> Json:
        found = self.find()
        assert found is not None, f"there is no {self.resource.kind} {self.name}"
        status: Json = found.get("status", {})
        return status

    def condition(self, kind: str = "Ready") -> Json:
        """The condition, or an empty one."""
        return next((one for one in self.status.get("conditions", ()) if one["type"] == kind), {})

    def is_ready(self) -> bool:
        """Ready for the newest spec, and with nothing left to do."""
        found = self.find()
        assert found is not None
        wanted = [self.condition(kind) for kind in ("Ready", "Synced")]
        generation = found["metadata"]["generation"]
        return all((one.get("status"), one.get("observedGeneration")) == ("True", generation) for one in wanted)

    async def ready(self, within: float = 600.0) -> None:
        await self.world.until(self.is_ready, within)

    async def gone(self, within: float = 600.0) -> None:
        await self.world.until(lambda: self.find() is None, within)

    async def reason(self, reason: str, within: float = 600.0) -> None:
        """Wait for Ready to have this reason."""
        await self.world.until(lambda: self.condition().get("reason") == reason, within)

    def _path(self, subresource: str | None = None) -> str:
        return self.resource.path(self.namespace, self.name, subresource)


def alias(world: World, name: str = "front", namespace: str = NAMESPACE) -> Thing:
    return Thing(world, KMSALIASES, name, namespace)


def grant(world: World, name: str = "front", namespace: str = NAMESPACE) -> Thing:
    return Thing(world, KMSGRANTS, name, namespace)


def at(name: str, namespace: str | None = None) -> Json:
    """The part of a spec that names a KMSKey."""
    return {"targetRef": {"name": name} | ({"namespace": namespace} if namespace else {})}


def provide(world: World, namespace: str) -> None:
    """The provider of the namespace shop, with its credentials, in another namespace."""
    for kind, path, name in (("secrets", SECRETS.path(namespace), "aws-credentials"), ("awsproviders", AWSPROVIDERS.path(namespace), "main")):
        found = world.etcd.get(kind, Ref(NAMESPACE, name))
        assert found is not None
        world.user("POST", path, {**found, "metadata": {"name": name}})


@dataclass(frozen=True)
class DependentScenario:
    """What users do to one object while the KMSKeys `keys` are ready. `before`: its spec as it begins, None: there is none.

    `after`: the one that it gets, None: deleted.
    """

    resource: Resource
    keys: dict[str, Json]
    before: Json | None
    after: Json | None
    is_lost: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    async def prepare(self, world: World) -> None:
        for name, spec in self.keys.items():
            world.apply(name, **spec)
            await world.ready(name)
        if self.before is not None:
            self._thing(world).apply(**self.before)
            await self._thing(world).ready()

    def act(self, world: World) -> None:
        if self.after is None:
            self._thing(world).delete()
        else:
            self._thing(world).apply(**self.after)

    async def settle(self, world: World) -> None:
        thing = self._thing(world)
        await (thing.gone() if self.after is None else thing.ready())

    def find(self, world: World) -> Json | None:
        return self._thing(world).find()

    def _thing(self, world: World) -> Thing:
        return Thing(world, self.resource, "front")


SIGNING: Json = {"keySpec": "ECC_NIST_P256", "keyUsage": "SIGN_VERIFY"}


def _alias(keys: dict[str, Json], before: Json | None, after: Json | None) -> DependentScenario:
    first, last = ({"aliasName": "front", **spec} if spec is not None else None for spec in (before, after))
    return DependentScenario(KMSALIASES, keys, first, last)


ALIAS_SCENARIOS = {
    "create an alias": _alias({"one": {}}, None, at("one")),
    "move an alias": _alias({"one": {}, "two": {}}, at("one"), at("two")),
    "move an alias to a key of another type": _alias({"one": {}, "two": SIGNING}, at("one"), at("two")),
    "delete an alias": _alias({"one": {}}, at("one"), None),
    "retain an alias": _alias({"one": {}}, {**at("one"), "deletionPolicy": "Retain"}, None),
}


READ: Json = {"granteeRoleArn": "arn:aws:iam::123456789012:role/reader", "operations": ["Decrypt", "DescribeKey"]}
WRITE: Json = {**READ, "operations": ["Encrypt", "Decrypt", "DescribeKey"]}


def _grant(keys: dict[str, Json], before: Json | None, after: Json | None) -> DependentScenario:
    return DependentScenario(KMSGRANTS, keys, before, after)


GRANT_SCENARIOS = {
    "create one grant": _grant({"one": {}}, None, {**at("one"), **READ}),
    "change one grant": _grant({"one": {}}, {**at("one"), **READ}, {**at("one"), **WRITE}),
    "put one grant on another key": _grant({"one": {}, "two": {}}, {**at("one"), **READ}, {**at("two"), **WRITE}),
    "delete one grant": _grant({"one": {}}, {**at("one"), **READ}, None),
    "retain one grant": _grant({"one": {}}, {**at("one"), **READ, "deletionPolicy": "Retain"}, None),
}
