"""Every scenario, with one thing that goes wrong at each point of its traffic in turn. The end must be that of the undisturbed run.

Beside the end, the way there is compared: no write to AWS may be done more than once more than needed, and CreateKey never.
"""

import asyncio
import contextvars
import functools
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.simulation.api_transport import lost_answer as lost_by_kube
from tests.simulation.aws_wires import lost_answer as lost_by_aws
from tests.simulation.calls import Call
from tests.simulation.conftest import SEED
from tests.simulation.dependents import ALIAS_SCENARIOS, GRANT_SCENARIOS
from tests.simulation.lines import Point
from tests.simulation.scenarios import SCENARIOS, Disturbance, Outcome, Playable, play
from tests.simulation.world import World
from tests.virtual_time import run_virtual

# Longer than what passes under way are given after SIGTERM.
STUCK_SECONDS = 5.0
ONCE_ONLY = ("CreateKey", "RotateKeyOnDemand", "ScheduleKeyDeletion")

ALL: dict[str, Playable] = {**SCENARIOS, **ALIAS_SCENARIOS, **GRANT_SCENARIOS}
each_scenario = pytest.mark.parametrize("name", ALL)


@each_scenario
def test_a_crash_at_any_point_changes_nothing_in_the_end(name: str) -> None:
    def crash(world: World, _call: Call, _point: Point) -> float:
        world.replicas["a"].kill()
        asyncio.get_running_loop().call_later(1.0, world.start, "b")
        return 0.0

    _disturb_everywhere(name, crash)


@each_scenario
def test_a_lost_answer_at_any_point_changes_nothing_in_the_end(name: str) -> None:
    def lose(world: World, call: Call, point: Point) -> float:
        if point == "before":
            world.traffic.faults.on((lost_by_aws if call.target == "aws" else lost_by_kube)(call.name))
        return 0.0

    _disturb_everywhere(name, lose)


@each_scenario
def test_a_shutdown_at_any_point_is_in_order_and_changes_nothing_in_the_end(name: str) -> None:
    codes: list[int] = []

    def terminate(world: World, _call: Call, _point: Point) -> float:
        world.replicas["a"].terminate()
        asyncio.get_running_loop().create_task(_succeed(world, codes), context=contextvars.Context())
        return STUCK_SECONDS

    outcomes = _disturb_everywhere(name, terminate)
    assert codes == [0] * outcomes


async def _succeed(world: World, codes: list[int]) -> None:
    """The next process starts when the old one has ended."""
    codes.append(await world.replicas["a"].ended())
    world.start("b")


def _disturb_everywhere(name: str, disturb: Disturbance) -> int:
    """Compares each disturbed run with the undisturbed one; returns how many there were."""
    expected = _undisturbed(name)
    differences: list[str] = []
    for at, point in enumerate(expected.points):
        random.seed(SEED)
        try:
            outcome = run_virtual(play(ALL[name], disturb, at))
        except AssertionError as error:
            differences.append(f"{at} {point}: {error}")
        else:
            differences += [f"{at} {point}: {difference}" for difference in _differences(outcome, expected)]
    assert not differences, "\n".join(differences)
    return len(expected.points)


@functools.cache
def _undisturbed(name: str) -> Outcome:
    random.seed(SEED)
    return run_virtual(play(ALL[name]))


def _differences(outcome: Outcome, expected: Outcome) -> Iterator[str]:
    if outcome.keys != expected.keys:
        yield f"the keys are {outcome.keys}, not {expected.keys}"
    if outcome.status != expected.status:
        yield f"the status is {outcome.status}, not {expected.status}"
    allowed = expected.writes + Counter({name: 1 for name in expected.writes if name not in ONCE_ONLY})
    if not outcome.writes <= allowed:
        yield f"the writes were {outcome.writes}, not {expected.writes}"
