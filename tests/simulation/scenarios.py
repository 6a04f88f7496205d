"""What users do to an object, each with the state from which it begins and the one in which it ends.

play() carries one out, with or without something that goes wrong at points of its traffic, and returns what became of the world. The
points are all requests, before they are sent and after they were executed, except the background's: lists, watches, events, the lease.
The awaits are all of the process, whatever it waits for there, the background's too.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol, cast

from reconcilers.names import RECREATE_ANNOTATION
from tests.simulation.attempts import look_at_attempts
from tests.simulation.calls import Call
from tests.simulation.etcd import Json
from tests.simulation.kms_keys import Key
from tests.simulation.lines import Point, undisturbed
from tests.simulation.replicas import Replica
from tests.simulation.world import START, World

NAME = "orders"
DOORS = ("aws.channels", "aws.clients", "controller.kube")
BACKGROUND = ("LIST", "WATCH", "leases", "events")
# The first resync after a change learns what no answer to a write tells, such as the date of the next rotation; the second learns nothing.
RESYNC_SECONDS = 67.0
PATIENCE_SECONDS = 1800.0  # a rotation whose answer is lost is looked for for five minutes, and so may be the next one
OLD_SECONDS = 400.0  # by then a key that is missing is not taken for a new one

POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::${AWS_ACCOUNT_ID}:root"},'
    ' "Action": "kms:*", "Resource": "*"}]}'
)
OTHER_POLICY = POLICY.replace('"Action"', '"Sid": "Administration", "Action"')
FULL: Json = {
    "description": "Orders",
    "enableKeyRotation": True,
    "rotationPeriodInDays": 180,
    "keyPolicy": POLICY,
    "tags": {"team": "shop", "stage": "prod", "cost": "17"},
}

SIGNING: Json = {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}
CONFIG_MAP: Json = {"kind": "ConfigMap", "name": "key"}
READER: Json = {
    "name": "reader",
    "granteeRoleArn": "arn:aws:iam::123456789012:role/reader",
    "operations": ["Decrypt", "DescribeKey"],
    "constraints": {"encryptionContextSubset": {"app": "orders"}},
}
WRITER: Json = {"name": "writer", "granteePrincipal": "arn:aws:iam::123456789012:user/writer", "operations": ["Encrypt"]}
WIDER: Json = READER | {"operations": ["Decrypt", "Encrypt", "DescribeKey"]}

GIVEN: Json = {"Description": "theirs", "Tags": [{"TagKey": "team", "TagValue": "mail"}]}
REPLICATED: Json = FULL | {"multiRegion": True, "replicas": [{"region": "eu-west-1"}]}

Disturbance = Callable[[World, Call, Point], float]
AtAwait = Callable[[World, Replica], None]
NEVER: Mapping[int, Any] = MappingProxyType({})


class Playable(Protocol):
    """Something that users do to one object. is_lost: one key is gone in the end."""

    @property
    def is_lost(self) -> bool: ...

    async def prepare(self, world: World) -> None:
        """Make the state from which it begins."""

    def act(self, world: World) -> None:
        """Do it."""

    async def settle(self, world: World) -> None:
        """Wait for its end."""

    def find(self, world: World) -> Json | None:
        """The object."""


@dataclass(frozen=True)
class Scenario:
    """`before` is the spec of a key that is ready when it begins (None: there is none), `after` the one that it gets (None: deleted).

    `given` is a key that somebody else has made: its CreateKey; alias/theirs leads to it. is_lost: the key is gone, and to be replaced.
    """

    before: Json | None
    after: Json | None
    given: Json | None = None
    is_lost: bool = False

    async def prepare(self, world: World) -> None:
        if self.given is not None:
            made = world.outside("CreateKey", **self.given)
            world.outside("CreateAlias", AliasName="alias/theirs", TargetKeyId=made["KeyMetadata"]["KeyId"])
        if self.before is not None:
            world.apply(NAME, **self.before)
            await world.ready(NAME)
        if self.is_lost:
            await world.advance(OLD_SECONDS)

    def act(self, world: World) -> None:
        if self.after is None:
            world.delete(NAME)
        elif self.is_lost:
            lost = world.key(NAME)
            world.kms.destroy(lost.arn)
            world.patch(NAME, {"metadata": {"annotations": {RECREATE_ANNOTATION: lost.key_id}}})
        else:
            world.apply(NAME, **self.after)

    async def settle(self, world: World) -> None:
        if self.after is None:
            await world.gone(NAME)
        else:
            await world.until(lambda: not self.is_lost or world.status(NAME)["keyId"] != world.kms.made[0].key_id)
            await world.ready(NAME, within=PATIENCE_SECONDS)

    def find(self, world: World) -> Json | None:
        return world.find(NAME)


SCENARIOS: dict[str, Scenario] = {
    "create": Scenario(None, FULL),
    "create disabled": Scenario(None, FULL | {"enabled": False}),
    "create to sign": Scenario(None, {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}),
    "change the description": Scenario(FULL, FULL | {"description": "All orders"}),
    "clear the description": Scenario(FULL, FULL | {"description": ""}),
    "change the policy": Scenario(FULL, FULL | {"keyPolicy": OTHER_POLICY}),
    "change tags": Scenario(FULL, FULL | {"tags": {"team": "mail", "owner": "me"}}),
    "change the rotation": Scenario(FULL, FULL | {"rotationPeriodInDays": 90}),
    "stop the rotation": Scenario(FULL, {"description": "Orders", "tags": FULL["tags"]}),
    "rotate on demand": Scenario(FULL | {"rotateOnDemand": "1"}, FULL | {"rotateOnDemand": "2"}),
    "rotate on demand and change": Scenario(FULL, {"description": "x", "rotateOnDemand": "now", "enableKeyRotation": True}),
    "create and export": Scenario(None, SIGNING | {"exportTo": CONFIG_MAP, "aliases": ["orders"]}),
    "export elsewhere": Scenario(SIGNING | {"exportTo": CONFIG_MAP}, SIGNING | {"exportTo": CONFIG_MAP | {"kind": "Secret"}}),
    "export no more": Scenario(FULL | {"exportTo": CONFIG_MAP}, FULL),
    "disable": Scenario(FULL, FULL | {"enabled": False}),
    "enable": Scenario(FULL | {"enabled": False}, FULL),
    "create with aliases": Scenario(None, FULL | {"aliases": ["orders", "alias/shop/orders", "sales"], "enabled": False}),
    "change aliases": Scenario(FULL | {"aliases": ["orders", "sales"]}, FULL | {"aliases": ["alias/sales", "shop/orders", "all"]}),
    "unset aliases": Scenario(FULL | {"aliases": ["orders", "sales"]}, FULL),
    **{
        f"delete with aliases and {policy}": Scenario(FULL | {"aliases": ["orders", "sales"], "deletionPolicy": policy}, None)
        for policy in ("ScheduleKeyDeletion", "Retain", "DisableKey", "ForceDelete")
    },
    "create with grants": Scenario(None, FULL | {"grants": [READER, WRITER], "enabled": False}),
    "change grants": Scenario(FULL | {"grants": [READER, WRITER]}, FULL | {"grants": [WIDER]}),
    "unset grants": Scenario(FULL | {"grants": [READER, WRITER]}, FULL),
    "enable with other grants": Scenario(FULL | {"grants": [READER], "enabled": False}, FULL | {"grants": [WIDER]}),
    **{
        f"delete with grants and {policy}": Scenario(FULL | {"grants": [READER, WRITER], "deletionPolicy": policy}, None)
        for policy in ("ScheduleKeyDeletion", "ForceDelete")
    },
    "adopt": Scenario(None, {"adopt": {"alias": "theirs"}}, GIVEN),
    "adopt and change all": Scenario(
        None, FULL | {"adopt": {"alias": "theirs", "policy": "AdoptOrCreate"}, "enabled": False, "aliases": ["theirs"]}, GIVEN
    ),
    "adopt or create": Scenario(None, FULL | {"adopt": {"alias": "orders", "policy": "AdoptOrCreate"}, "aliases": ["orders"]}),
    "observe": Scenario(None, {"adopt": {"alias": "theirs"}, "managementPolicy": "Observe"}, GIVEN),
    "manage what was observed": Scenario(
        {"adopt": {"alias": "theirs"}, "managementPolicy": "Observe"}, FULL | {"adopt": {"alias": "theirs"}}, GIVEN
    ),
    "recreate": Scenario(FULL | {"aliases": ["orders"]}, FULL | {"aliases": ["orders"]}, is_lost=True),
    "create with replicas": Scenario(None, REPLICATED | {"enabled": False, "aliases": ["orders"]}),
    "change replicas": Scenario(REPLICATED, REPLICATED | {"replicas": [{"region": "ap-south-1", "aliases": ["asia"]}]}),
    "delete with replicas": Scenario(REPLICATED | {"aliases": ["orders"]}, None),
    "change all": Scenario(FULL, {"description": "x", "keyPolicy": OTHER_POLICY, "tags": {"a": "b"}, "enabled": False}),
    **{
        f"delete with {policy}": Scenario(FULL | {"deletionPolicy": policy}, None)
        for policy in ("ScheduleKeyDeletion", "Delete", "Retain", "DisableKey", "ForceDelete")
    },
}


@dataclass(frozen=True)
class Outcome:
    """The end: keys, status, how often each AWS write was done, what was exported, the points and awaits passed, the exit codes."""

    keys: tuple[Key, ...]
    status: Json | None
    writes: Counter[str]
    exported: Json
    points: tuple[str, ...]
    awaits: tuple[str, ...]
    exits: tuple[int, ...]


async def play(scenario: Playable, disturbances: Mapping[int, Disturbance] = NEVER, at_awaits: Mapping[int, AtAwait] = NEVER) -> Outcome:
    """Carry out the scenario, beginning with replica "a"; at the points and awaits of these numbers, from 0, the world is disturbed.

    Raises AssertionError.
    """
    async with World() as world:
        world.start("a")
        await scenario.prepare(world)
        await world.advance(1)
        points: list[str] = []
        awaits: list[str] = []

        def step(replica: Replica, task: asyncio.Task[Any]) -> None:
            if replica.exit_code is None:
                awaits.append(place(task))
                at_awaits.get(len(awaits) - 1, _nothing)(world, replica)

        def watch(call: Call, point: Point) -> float:
            if any(word in call.name for word in BACKGROUND) or world.replicas[call.replica].exit_code is not None:
                return 0.0
            points.append(f"{point} {call.name}")
            disturb = disturbances.get(len(points) - 1)
            return disturb(world, call, point) if disturb else 0.0

        began = world.time
        world.traffic.watcher = watch
        world.turns.before_step = step
        scenario.act(world)
        try:
            await _settle(world, scenario)
        finally:
            look_at_attempts(world.etcd.log, world.traffic.calls)
        return _outcome(world, scenario, began, tuple(points), tuple(awaits))


def place(task: asyncio.Task[Any]) -> str:
    """Where the task stands: the innermost function of the program that awaits something, such as "controller.key_actions KeyActions._create".

    The doors through which all requests go are left out: who goes through them tells more.
    """
    found, waits = "the process itself", cast(Any, task.get_coro())
    while frame := getattr(waits, "cr_frame", None):
        module = str(frame.f_globals.get("__name__"))
        if module.startswith(("aws.", "controller.")) and module not in DOORS:
            found = f"{module} {frame.f_code.co_qualname}"
        waits = waits.cr_await
    return found


def _nothing(_world: World, _replica: Replica) -> None:
    """What happens at most awaits."""


async def _settle(world: World, scenario: Playable) -> None:
    await scenario.settle(world)
    world.traffic.watcher = undisturbed
    world.turns.before_step = None
    settled = world.time
    await world.advance(RESYNC_SECONDS)
    quiet_since = world.time
    await world.advance(RESYNC_SECONDS)
    assert not world.traffic.executed("aws", settled), world.told()
    assert not world.traffic.executed("kube", quiet_since), world.told()


def _outcome(world: World, scenario: Playable, began: float, points: tuple[str, ...], awaits: tuple[str, ...]) -> Outcome:
    found = scenario.find(world)
    found_keys = sorted(world.kms.keys, key=lambda key: key.arn)
    keys = tuple(replace(key, created=START, deletion_date=None, rotations=_undated(key)) for key in found_keys)
    status = _timeless(found.get("status", {})) if found else None
    assert len(world.kms.made) == len(world.kms.keys) + scenario.is_lost
    exits = tuple(replica.exit_code for replica in world.replicas.values() if replica.exit_code is not None)
    return Outcome(keys, status, world.traffic.names("aws", began), _exported(world), points, awaits, exits)


def _exported(world: World) -> Json:
    """All ConfigMaps and Secrets but the credentials: their data by kind and name."""
    found = [(plural, one) for plural in ("configmaps", "secrets") for one in world.etcd.all(plural) if "ownerReferences" in one["metadata"]]
    return {f"{plural}/{one['metadata']['name']}": one["data"] for plural, one in found}


def _undated(key: Key) -> tuple[Json, ...]:
    return tuple({"RotationType": one["RotationType"]} for one in key.rotations)


def _timeless(status: Json) -> Json:
    """Without times, and what CreateKey chose."""
    dropped = {"lastSyncTime", "creationDate", "deletionDate", "nextRotationDate", "lastRotationDate"}
    kept = {name: value for name, value in status.items() if name not in dropped}
    if "replicas" in kept:
        kept["replicas"] = [{name: value for name, value in one.items() if name not in dropped} for one in kept["replicas"]]
    kept["conditions"] = [{k: v for k, v in one.items() if k != "lastTransitionTime"} for one in status["conditions"]]
    return kept
