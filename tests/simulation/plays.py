"""How a scenario is played in a world of its own, with or without something that goes wrong on the way, and what has become of the world then.

The points are all requests, before they are sent and after they were executed, except the background's: lists, watches, events. Where there
is a lease its requests are points too, nobody writes to AWS who does not hold it, and only its renewals go on in the end. The awaits are all
of the process, whatever it waits for there, the background's too.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Protocol, cast

from tests.simulation.attempts import look_at_attempts
from tests.simulation.calls import Call
from tests.simulation.etcd import Json
from tests.simulation.kms_keys import Key
from tests.simulation.lines import Point
from tests.simulation.replicas import Replica
from tests.simulation.tenure import only_the_holder_wrote
from tests.simulation.world import START, World

DOORS = ("aws.channels", "aws.clients", "controller.kube")
LEASES = "leases"
BACKGROUND = ("LIST", "WATCH", "events")
# The first resync after a change learns what no answer to a write tells, such as the date of the next rotation; the second learns nothing.
RESYNC_SECONDS = 67.0

Disturbance = Callable[[World, Call, Point], float]
AtAwait = Callable[[World, Replica], None]
NEVER: Mapping[int, Any] = MappingProxyType({})


class Playable(Protocol):
    """Something that users do to one object. is_lost: one key is gone in the end. settings: of all processes."""

    @property
    def is_lost(self) -> bool: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    async def prepare(self, world: World) -> None:
        """Make the state from which it begins."""

    def act(self, world: World) -> None:
        """Do it."""

    async def settle(self, world: World) -> None:
        """Wait for its end."""

    def find(self, world: World) -> Json | None:
        """The object."""


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


@dataclass
class _Course:
    """What a run passes from the deed to its end, and what goes wrong where. sent: the writes to AWS that set out, to the very end."""

    world: World
    disturbances: Mapping[int, Disturbance]
    at_awaits: Mapping[int, AtAwait]
    points: list[str] = field(default_factory=list)
    awaits: list[str] = field(default_factory=list)
    sent: list[Call] = field(default_factory=list)
    is_over: bool = False

    def step(self, replica: Replica, task: asyncio.Task[Any]) -> None:
        if not self.is_over and replica.exit_code is None:
            self.awaits.append(place(task))
            self.at_awaits.get(len(self.awaits) - 1, _nothing)(self.world, replica)

    def watch(self, call: Call, point: Point) -> float:
        if (point, call.target) == ("before", "aws") and call.writes:
            self.sent.append(call)
        if self.is_over or any(word in call.name for word in BACKGROUND) or self.world.replicas[call.replica].exit_code is not None:
            return 0.0
        self.points.append(f"{point} {call.name}")
        disturb = self.disturbances.get(len(self.points) - 1)
        return disturb(self.world, call, point) if disturb else 0.0


async def play(scenario: Playable, disturbances: Mapping[int, Disturbance] = NEVER, at_awaits: Mapping[int, AtAwait] = NEVER) -> Outcome:
    """Carry out the scenario, beginning with replica "a"; at the points and awaits of these numbers, from 0, the world is disturbed.

    Raises AssertionError.
    """
    async with World(settings=scenario.settings) as world:
        world.start("a")
        await scenario.prepare(world)
        await world.advance(1)
        began, course = world.time, _Course(world, disturbances, at_awaits)
        world.traffic.watcher, world.turns.before_step = course.watch, course.step
        scenario.act(world)
        try:
            await scenario.settle(world)
            course.is_over = True
            await _rest(world)
        finally:
            look_at_attempts(world.etcd.log, world.traffic.calls)
            if scenario.settings.get("leader_elect"):
                only_the_holder_wrote(world, course.sent)
        return _outcome(world, scenario, began, tuple(course.points), tuple(course.awaits))


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


async def _rest(world: World) -> None:
    settled = world.time
    await world.advance(RESYNC_SECONDS)
    quiet_since = world.time
    await world.advance(RESYNC_SECONDS)
    assert not world.traffic.executed("aws", settled), world.told()
    assert not [call for call in world.traffic.executed("kube", quiet_since) if LEASES not in call.name], world.told()


def _outcome(world: World, scenario: Playable, began: float, points: tuple[str, ...], awaits: tuple[str, ...]) -> Outcome:
    found = scenario.find(world)
    found_keys = sorted(world.kms.keys, key=lambda key: key.arn)
    keys = tuple(_dateless(key) for key in found_keys)
    status = _timeless(found.get("status", {})) if found else None
    assert len(world.kms.made) == len(world.kms.keys) + scenario.is_lost
    exits = tuple(replica.exit_code for replica in world.replicas.values() if replica.exit_code is not None)
    return Outcome(keys, status, world.traffic.names("aws", began), _exported(world), points, awaits, exits)


def _exported(world: World) -> Json:
    """All ConfigMaps and Secrets but the credentials: their data by kind and name."""
    found = [(plural, one) for plural in ("configmaps", "secrets") for one in world.etcd.all(plural) if "ownerReferences" in one["metadata"]]
    return {f"{plural}/{one['metadata']['name']}": one["data"] for plural, one in found}


def _day(date: datetime | None) -> datetime | None:
    """No scenario lasts for so long that a window would end a day later."""
    return date and START + timedelta(days=(date - START).days)


def _dateless(key: Key) -> Key:
    """Without what depends on when the calls were made."""
    begins = key.rotates_from and START
    return replace(key, created=START, rotates_from=begins, deletion_date=_day(key.deletion_date), rotations=_undated(key))


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
