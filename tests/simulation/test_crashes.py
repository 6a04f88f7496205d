"""Every scenario, with one thing that goes wrong at each point of its traffic in turn; some also with two, at some pairs of points.

All scenarios together have some 4,800 awaits. Each of them is crashed at by `make soak`; here each scenario is at one of EVERY_AWAIT, of which
the first is another one in each scenario. Of a few scenarios not all points are disturbed here either.
"""

import pytest

from tests.simulation.detours import DETOURS
from tests.simulation.disturbances import (
    ALL,
    crash,
    crash_there,
    each_await,
    freeze,
    freeze_there,
    lose,
    pairs,
    shut_down,
    singles,
    undisturbed,
)
from tests.simulation.leased import LEASED
from tests.simulation.plays import Disturbance
from tests.simulation.world import World

# All pairs are for `make pairs`.
EVERY = 12
EVERY_AWAIT = 9
EVERY_POINT = 3
# What is disturbed at one of EVERY_POINT only.
RARELY = {*DETOURS, *LEASED, "change a replica", "let a replica be as its key"}

each_scenario = pytest.mark.parametrize("name", ALL)


@pytest.mark.holds("F1", "F2", "F3", "F4", "F5", "F7", "F9", "I20")
@each_scenario
def test_a_crash_at_any_point_changes_nothing_in_the_end(name: str) -> None:
    assert _found(name, crash) == []


@pytest.mark.holds("F1", "F2", "F3", "F4", "F5", "F7", "F9", "I20")
@each_scenario
def test_a_crash_at_any_await_changes_nothing_in_the_end(name: str) -> None:
    found = [one for _, found in each_await(name, crash_there, EVERY_AWAIT, list(ALL).index(name) % EVERY_AWAIT) for one in found]
    assert found == []


@pytest.mark.holds("F10", "F29", "I20")
@each_scenario
def test_a_lost_answer_at_any_point_changes_nothing_in_the_end(name: str) -> None:
    assert _found(name, lose) == []


@pytest.mark.holds("F11", "F45", "I20")
@each_scenario
def test_a_shutdown_at_any_point_is_in_order_and_changes_nothing_in_the_end(name: str) -> None:
    assert _found(name, shut_down) == []


@pytest.mark.holds("F43", "I7", "I20")
@pytest.mark.parametrize("name", LEASED)
def test_a_leader_that_stands_still_beside_another_process_changes_nothing_in_the_end(name: str) -> None:
    at_awaits = [one for _, found in each_await(name, freeze_there, EVERY_AWAIT) for one in found]
    assert _found(name, freeze) + at_awaits == []


@pytest.mark.holds("F7", "F29", "I20")
@pytest.mark.parametrize("name", ["create to sign", "delete with ScheduleKeyDeletion"])
@pytest.mark.parametrize("first", [crash, lose])
@pytest.mark.parametrize("second", [crash, lose])
def test_two_things_at_any_two_points_change_nothing_in_the_end(name: str, first: Disturbance, second: Disturbance) -> None:
    found = [one for _, _, found in pairs(name, first, second, every=EVERY) for one in found]
    assert found == []


def test_the_scenarios_have_points_to_be_disturbed_at() -> None:
    assert {name: len(undisturbed(name).points) for name in ALL if len(undisturbed(name).points) < 2} == {}
    assert sum(len(undisturbed(name).awaits) for name in ALL) > 3000


def _found(name: str, disturb: Disturbance) -> list[str]:
    every = EVERY_POINT if name in RARELY else 1
    return [one for _, found in singles(name, disturb, every, list(ALL).index(name) % every) for one in found]


@pytest.mark.virtual_time
async def test_a_process_that_is_dead_does_not_stand_still() -> None:
    """Its tasks would never end, and no time would go by."""
    async with World() as world:
        replica = world.start("a")
        await world.advance(1)
        replica.kill()
        replica.freeze()
        await world.advance(1)
        assert (replica.frozen, replica.tasks) == (False, set())
