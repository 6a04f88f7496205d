"""The simulated world: one AWS, one API server, any number of operator replicas, a user, and a clock that jumps.

    async with World() as world:
        world.start("a")
        world.apply("orders", description="Orders")
        await world.ready("orders")
        assert len(world.aws_keys) == 1

The user acts at once and without a line of his own; only replicas have latencies, faults and crashes. All is deterministic but the
operator's own jitter, which the tests seed.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Any

from controller.key_objects import KMSKEYS
from controller.kube import JSON, JSON_PATCH, MERGE_PATCH, Request
from controller.objects import Ref
from controller.provider_objects import AWSPROVIDERS
from controller.secrets import SECRETS
from controller.settings import Settings
from reconcilers.names import API_VERSION
from tests.simulation.api_server import ApiServer
from tests.simulation.aws_wires import Aws
from tests.simulation.clocks import WallClock
from tests.simulation.etcd import Etcd, Json
from tests.simulation.identities import ACCOUNT_ID, Credentials, Identities
from tests.simulation.kms_keys import Key
from tests.simulation.kms_model import Kms
from tests.simulation.kms_writes import Caller
from tests.simulation.lines import Traffic
from tests.simulation.replicas import Replica, Turns
from tests.virtual_time import VirtualTimeLoop

NAMESPACE = "shop"
REGION = "us-east-1"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CANARY = Credentials("AKIACANARYCANARY0001", "canary/secret+access+key/0000000000000001")
ADMIN = Caller(ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:user/admin", REGION)

_DEFAULTS: dict[str, Any] = {
    "metrics_bind_address": None,
    "metrics_auth": False,
    "metrics_tls_dir": None,
    "health_bind_address": None,
    "leader_elect": False,
    "lease_namespace": "infra-operator-system",
    "lease_duration": timedelta(seconds=15),
    "renew_deadline": timedelta(seconds=10),
    "retry_period": timedelta(seconds=2),
    "workers": 4,
    "watch_namespaces": (),
    "watch_selector": None,
    "controller_ring": "",
    "resync_interval": timedelta(minutes=1),
    "create_grace": timedelta(seconds=60),
    "quota_fraction": 0.5,
    "default_provider": None,
    "default_deletion_policy": "ScheduleKeyDeletion",
    "allow_custom_endpoints": False,
    "ambient_credentials_namespaces": ("*",),
    "allow_policy_lockout_bypass": False,
    "refuse_open_policies": False,
    "log_level": "debug",
    "log_format": "json",
}


class NotQuietError(AssertionError):
    """What was waited for did not come about."""


class World:
    """Make it inside a virtual-time loop. It has the namespace shop, and in it the AWSProvider main with credentials that work.

    aws: another cluster's, which this one shares; it has another seed. settings: what differs from the defaults, of all replicas.
    """

    def __init__(self, seed: int = 0, aws: Aws | None = None, settings: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._settings = {**_DEFAULTS, **settings}
        self._loop = asyncio.get_running_loop()
        assert isinstance(self._loop, VirtualTimeLoop)
        self.turns = Turns(self._loop)
        self.traffic = Traffic(seed)
        self.aws = aws or Aws(Kms(lambda: START + timedelta(seconds=self._loop.time()), seed), Identities(CANARY))
        self.kms = self.aws.kms
        self.etcd = Etcd(self._loop.time)
        self.server = ApiServer(self.etcd, lambda: self.now().isoformat().replace("+00:00", "Z"), seed)
        self.replicas: dict[str, Replica] = {}
        self.forged: set[str] = set()  # objects whose status was written by the user
        self.user("POST", "/api/v1/namespaces", {"metadata": {"name": "kube-system"}})
        self.set_secret(CANARY)
        self.user("POST", AWSPROVIDERS.path(NAMESPACE), _provider())

    async def __aenter__(self) -> "World":
        return self

    async def __aexit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        for replica in self.replicas.values():
            replica.kill()
        while left := [task for replica in self.replicas.values() for task in replica.tasks]:
            await asyncio.wait(left)

    # -- time

    @property
    def time(self) -> float:
        """Seconds since the beginning of the simulation."""
        return self._loop.time()

    def now(self) -> datetime:
        """The time of day, to the second."""
        return (START + timedelta(seconds=self.time)).replace(microsecond=0)

    async def advance(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def until(self, wanted: Callable[[], bool], within: float = 600.0, step: float = 0.5) -> None:
        """Let time pass until this is so. Raises NotQuietError."""
        ends = self.time + within
        while not wanted():
            if self.time >= ends:
                raise NotQuietError(f"not within {within:g} s; {self.told()}")
            await asyncio.sleep(step)

    # -- replicas

    def start(self, name: str, ahead: float = 0.0, **settings: Any) -> Replica:
        """A new process whose wall clock is so many seconds ahead; settings as the flags are named."""
        made = Settings(**{**self._settings, "pod_name": name, **settings})
        clock = WallClock(START, self._loop.time, ahead)
        replica = self.replicas[name] = Replica(made, self.traffic, self.server, self.aws, clock)
        replica.start()
        return replica

    # -- the user of Kubernetes

    def user(self, verb: str, path: str, body: object = None, content_type: str = JSON) -> Json:
        """Any request; the answer must be a success."""
        request = Request(verb, path, {}, None if body is None else json.dumps(body).encode(), content_type)
        response = self.server.handle(request)
        assert response.status < 300, response.body
        answer: Json = json.loads(response.body)
        return answer

    def apply(self, name: str, **spec: Any) -> Json:
        """Create the KMSKey, or give it this spec."""
        if self.find(name) is None:
            return self.user("POST", KMSKEYS.path(NAMESPACE), _kmskey(name, spec))
        return self.user("PATCH", KMSKEYS.path(NAMESPACE, name), [{"op": "add", "path": "/spec", "value": spec}], JSON_PATCH)

    def delete(self, name: str) -> None:
        self.user("DELETE", KMSKEYS.path(NAMESPACE, name))

    def patch(self, name: str, body: Json, subresource: str | None = None) -> Json:
        """A merge patch, as of kubectl edit."""
        if subresource == "status":
            self.forged.add(name)
        return self.user("PATCH", KMSKEYS.path(NAMESPACE, name, subresource), body, MERGE_PATCH)

    def set_secret(self, credentials: Credentials, name: str = "aws-credentials") -> None:
        values = {"AWS_ACCESS_KEY_ID": credentials.access_key_id, "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key}
        data = {field: base64.b64encode(value.encode()).decode() for field, value in values.items()}
        body = {"metadata": {"name": name}, "data": data}
        exists = self.etcd.get("secrets", Ref(NAMESPACE, name)) is not None
        path = SECRETS.path(NAMESPACE, name if exists else None)
        self.user("PUT" if exists else "POST", path, body)

    def patch_provider(self, spec: Json) -> None:
        self.user("PATCH", AWSPROVIDERS.path(NAMESPACE, "main"), {"spec": spec}, MERGE_PATCH)

    # -- somebody else in the AWS account

    def outside(self, operation: str, **parameters: Any) -> Json:
        """A KMS call that the operator has no part in."""
        return self.kms.handle("kms", operation, parameters, ADMIN)

    # -- what is so

    def find(self, name: str) -> Json | None:
        return self.etcd.get("kmskeys", Ref(NAMESPACE, name))

    def status(self, name: str) -> Json:
        found = self.find(name)
        assert found is not None, f"there is no KMSKey {name}"
        status: Json = found.get("status", {})
        return status

    def condition(self, name: str, kind: str = "Ready") -> Json:
        """The condition, or an empty one."""
        return next((one for one in self.status(name).get("conditions", ()) if one["type"] == kind), {})

    def is_ready(self, name: str) -> bool:
        """Ready for the newest spec, and with nothing left to do."""
        found = self.find(name)
        generation = found["metadata"]["generation"] if found else None
        wanted = [self.condition(name, kind) for kind in ("Ready", "Synced")] if found else [{}]
        return all((one.get("status"), one.get("observedGeneration")) == ("True", generation) for one in wanted)

    def reasons(self, name: str, since: float) -> set[str]:
        """All reasons that Ready has had from then on."""
        told = (e.body.get("status", {}).get("conditions", ()) for e in self.etcd.log if e.at >= since and e.ref.name == name)
        return {one["reason"] for conditions in told for one in conditions if one["type"] == "Ready"} | {self.condition(name)["reason"]}

    async def ready(self, *names: str, within: float = 600.0) -> None:
        await self.until(lambda: all(self.is_ready(name) for name in names), within)

    async def gone(self, name: str, within: float = 600.0) -> None:
        await self.until(lambda: self.find(name) is None, within)

    async def reason(self, name: str, reason: str, within: float = 600.0) -> None:
        """Wait for Ready to have this reason."""
        await self.until(lambda: self.condition(name).get("reason") == reason, within)

    def key(self, name: str) -> Key:
        """The key that the object's status names."""
        return next(key for key in self.kms.keys if key.arn == self.status(name)["keyArn"])

    @property
    def events(self) -> list[Json]:
        return self.etcd.all("events")

    def told(self) -> str:
        """The last calls and the statuses, for the message of a failed test."""
        calls = "\n".join(str(call) for call in self.traffic.calls[-25:] if "leases" not in call.name)
        objects = [(kind, obj) for kind in ("kmskeys", "kmsaliases", "kmsgrants") for obj in self.etcd.all(kind)]
        statuses = "\n".join(f"{kind} {obj['metadata']['name']}: {obj.get('status', {}).get('conditions')}" for kind, obj in objects)
        return f"at {self.time:.1f} s\n{calls}\n{statuses}"


def _kmskey(name: str, spec: Json) -> Json:
    return {"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": {"name": name}, "spec": spec}


def _provider() -> Json:
    spec = {"region": REGION, "credentialsSecret": {"name": "aws-credentials"}}
    return {"apiVersion": API_VERSION, "kind": "AWSProvider", "metadata": {"name": "main"}, "spec": spec}
