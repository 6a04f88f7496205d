"""Things that go wrong at one point of a scenario's traffic, or at one await, and what must be so in the end all the same.

Rules:
1. The end must be that of the undisturbed run: the same keys, the same status.
2. The way there is compared too: each disturbance may cost one more of each write, but none of those that are made only once.
3. All runs begin with the same seed, so that a run is repeated by its scenario and its points.
"""

import asyncio
import contextvars
import functools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ParamSpec, TypeVar

from tests.simulation.api_transport import lost_answer as lost_by_kube
from tests.simulation.aws_wires import lost_answer as lost_by_aws
from tests.simulation.calls import Call
from tests.simulation.conftest import SEED
from tests.simulation.dependents import ALIAS_SCENARIOS, GRANT_SCENARIOS
from tests.simulation.detours import DETOURS
from tests.simulation.leased import LEASED
from tests.simulation.lines import Point
from tests.simulation.plays import NEVER, AtAwait, Disturbance, Outcome, Playable, play
from tests.simulation.replicas import Replica
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.world import World
from tests.virtual_time import run_virtual

P = ParamSpec("P")
R = TypeVar("R")

# Longer than what passes under way are given after SIGTERM.
STUCK_SECONDS = 5.0
RESTART_SECONDS = 1.0
FROZEN_SECONDS = 40.0
KILLED = 137
LOST_LEASE = 1
ONCE_ONLY = ("CreateKey", "ReplicateKey", "RotateKeyOnDemand", "ScheduleKeyDeletion")

ALL: dict[str, Playable] = {**SCENARIOS, **DETOURS, **ALIAS_SCENARIOS, **GRANT_SCENARIOS, **LEASED}


def crash(world: World, call: Call, _point: Point) -> float:
    """kill -9, and another process a second later."""
    crash_there(world, world.replicas[call.replica])
    return 0.0


def crash_there(world: World, replica: Replica) -> None:
    """The same, wherever the process stands."""
    replica.kill()
    asyncio.get_running_loop().call_later(RESTART_SECONDS, world.start, _next(world))


def lose(world: World, call: Call, point: Point) -> float:
    """What the call asks for is done, and the answer never arrives."""
    if point == "before":
        world.traffic.faults.on((lost_by_aws if call.target == "aws" else lost_by_kube)(call.name))
    return 0.0


def shut_down(world: World, call: Call, _point: Point) -> float:
    """SIGTERM while this call hangs; the next process starts when the old one has ended."""
    world.replicas[call.replica].terminate()
    asyncio.get_running_loop().create_task(_succeed(world, call.replica), context=contextvars.Context())
    return STUCK_SECONDS


async def _succeed(world: World, name: str) -> None:
    await world.replicas[name].ended()
    world.start(_next(world))


def freeze(world: World, call: Call, _point: Point) -> float:
    """kill -STOP for longer than a lease lasts, beside a process that waits for it."""
    freeze_there(world, world.replicas[call.replica])
    return 0.0


def freeze_there(world: World, replica: Replica) -> None:
    """The same, wherever the process stands."""
    replica.freeze()
    world.start(_next(world))
    asyncio.get_running_loop().call_later(FROZEN_SECONDS, replica.thaw, context=contextvars.Context())


def _next(world: World) -> str:
    return chr(ord(max(world.replicas)) + 1)


def disturbs(disturb: Disturbance, point: str) -> bool:
    """Whether this makes anything go wrong at such a point. An answer is lost before it is given, or not at all."""
    return disturb is not lose or point.startswith("before")


def singles(name: str, disturb: Disturbance, every: int = 1, first: int = 0) -> Iterator[tuple[int, list[str]]]:
    """One run for each point, or for one of so many: its number, and how its end differs."""
    found = [(at, point) for at, point in enumerate(undisturbed(name).points) if disturbs(disturb, point)]
    for at, point in found[first::every]:
        yield at, [f"{name}, {at} {point}: {one}" for one in differences(name, {at: disturb})]


def each_await(name: str, disturb: AtAwait, every: int = 1, first: int = 0) -> Iterator[tuple[int, list[str]]]:
    """One run for each await, or for one of so many: its number, and how its end differs."""
    for at in range(first, len(undisturbed(name).awaits), every):
        found = differences(name, {}, {at: disturb})
        yield at, [f"{name}, await {at} in {undisturbed(name).awaits[at]}: {one}" for one in found]


def pairs(
    name: str, first: Disturbance, second: Disturbance, every: int = 1, *, part: tuple[int, int] = (0, 1)
) -> Iterator[tuple[int, int, list[str]]]:
    """One run for each point of the undisturbed run and each point that comes after it once it was disturbed.

    every: only one of so many of the later points, beginning with another one for each earlier point. part: which of how many parts of the
    earlier points.
    """
    for at in [at for at, point in enumerate(undisturbed(name).points) if disturbs(first, point)][part[0] :: part[1]]:
        once = played(name, {at: first})
        points = once.points if isinstance(once, Outcome) else ()  # a run that fails by one thing is not for pairs to tell
        later_ones = [later for later, point in enumerate(points) if later > at and disturbs(second, point)]
        for later in later_ones[at % every :: every]:
            yield at, later, [f"{name}, {at} and {later}: {one}" for one in differences(name, {at: first, later: second})]


def differences(name: str, disturbances: Mapping[int, Disturbance], at_awaits: Mapping[int, AtAwait] = NEVER) -> list[str]:
    """How the end of the disturbed run differs from that of the undisturbed one."""
    outcome = played(name, disturbances, at_awaits)
    assert outcome is not None
    if isinstance(outcome, AssertionError):
        return [str(outcome)]
    return list(_compared(outcome, undisturbed(name), [*disturbances.values(), *at_awaits.values()]))


def played(
    name: str, disturbances: Mapping[int, Disturbance], at_awaits: Mapping[int, AtAwait] = NEVER
) -> Outcome | AssertionError | None:
    """The end of the run; None where it had too few points for all disturbances."""
    random.seed(SEED)
    reached: list[int] = []

    def counted(at: int, disturb: Callable[P, R]) -> Callable[P, R]:
        def disturb_and_count(*args: P.args, **kwargs: P.kwargs) -> R:
            reached.append(at)
            return disturb(*args, **kwargs)

        return disturb_and_count

    outcome: Outcome | AssertionError
    points = {at: counted(at, disturb) for at, disturb in disturbances.items()}
    awaits = {at: counted(at, disturb) for at, disturb in at_awaits.items()}
    try:
        outcome = run_virtual(play(ALL[name], points, awaits))
    except AssertionError as error:
        outcome = error
    return outcome if len(reached) == len(points) + len(awaits) else None


@functools.cache
def undisturbed(name: str) -> Outcome:
    random.seed(SEED)
    return run_virtual(play(ALL[name]))


def _compared(outcome: Outcome, expected: Outcome, disturbances: Sequence[Disturbance | AtAwait]) -> Iterator[str]:
    if outcome.keys != expected.keys:
        yield f"the keys are {outcome.keys}, not {expected.keys}"
    ends = {0, KILLED, *(LOST_LEASE for one in disturbances if one in (freeze, freeze_there))}
    if not ends.issuperset(outcome.exits):
        yield f"processes ended with {outcome.exits}"
    if outcome.status != expected.status:
        yield f"the status is {outcome.status}, not {expected.status}"
    if outcome.exported != expected.exported:
        yield f"exported is {outcome.exported}, not {expected.exported}"
    allowed = expected.writes + Counter({name: len(disturbances) for name in expected.writes if name not in ONCE_ONLY})
    if not outcome.writes <= allowed:
        yield f"the writes were {outcome.writes}, not {expected.writes}"
