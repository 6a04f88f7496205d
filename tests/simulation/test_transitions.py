"""The check of lastTransitionTime measures a report by what its process had seen, and notices a wrong one where that was late."""

from contextlib import AbstractContextManager, nullcontext

import pytest

from controller.objects import Ref
from tests.simulation.calls import Call
from tests.simulation.checks import BrokenError
from tests.simulation.etcd import Entry, Json
from tests.simulation.transitions import look_at_transitions
from tests.simulation.world import NAMESPACE, World

pytestmark = pytest.mark.virtual_time

BEGAN, UNTIL = 100.0, 103.0
AT_ONCE = "2026-03-01T12:01:40Z"
OLD, NEW = "2026-03-01T12:00:10Z", "2026-03-01T12:00:50Z"
WRONG = pytest.raises(BrokenError, match="I18")


def store(world: World, status: str, time: str) -> Entry:
    """A version in which the object has this condition."""
    body = world.find("orders") or world.apply("orders")
    told = {"conditions": [{"type": "Ready", "status": status, "lastTransitionTime": time}]}
    world.etcd.put("kmskeys", Ref(NAMESPACE, "orders"), {**body, "status": told})
    return world.etcd.log[-1]


def seen(world: World, body: Json, at: float) -> None:
    """By the process, and taken up."""
    world.server.served.show("a", body, at)
    world.server.served.hold("a", body, at)


def patch_of(told: Entry) -> Call:
    """The call by which the late process has stored it."""
    return Call("a", "kube", "PATCH kmskeys/status", "shop/orders", writes=True, sent=UNTIL, began=BEGAN, wrote=told.revision)


@pytest.mark.parametrize(
    ("status", "time", "outcome"),
    [
        ("True", OLD, nullcontext()),
        ("True", AT_ONCE, WRONG),
        ("True", NEW, WRONG),  # what another process has stored meanwhile
        ("False", AT_ONCE, nullcontext()),
        ("False", OLD, WRONG),
        ("False", "2026-03-01T12:01:39Z", WRONG),
        ("False", "2026-03-01T12:01:44Z", WRONG),
    ],
)
async def test_what_a_late_process_tells_follows_from_what_it_has_seen(
    status: str, time: str, outcome: AbstractContextManager[object]
) -> None:
    async with World() as world:
        world.start("a")
        seen(world, store(world, "True", OLD).body, 20.0)
        store(world, "False", NEW)
        told = store(world, status, time)
        with outcome:
            look_at_transitions(world, told, patch_of(told))


async def test_what_a_process_has_taken_up_before_the_pass_leaves_it_nothing_older() -> None:
    async with World() as world:
        world.start("a")
        seen(world, store(world, "True", OLD).body, 20.0)
        seen(world, store(world, "False", NEW).body, 60.0)
        told = store(world, "True", OLD)
        with WRONG:
            look_at_transitions(world, told, patch_of(told))


async def test_what_has_come_during_the_pass_may_be_what_it_goes_on_from() -> None:
    async with World() as world:
        world.start("a")
        seen(world, store(world, "True", OLD).body, 20.0)
        world.server.served.show("a", store(world, "False", NEW).body, 101.0)
        told = store(world, "True", AT_ONCE)
        look_at_transitions(world, told, patch_of(told))


@pytest.mark.parametrize(
    ("time", "outcome"),
    [
        ("2026-03-01T12:05:50Z", nullcontext()),
        ("2026-03-01T12:05:53Z", nullcontext()),
        (AT_ONCE, WRONG),
        ("2026-03-01T12:05:49Z", WRONG),
        ("2026-03-01T12:05:54Z", WRONG),
    ],
)
async def test_the_time_that_is_told_is_the_one_of_the_process_s_own_clock(time: str, outcome: AbstractContextManager[object]) -> None:
    async with World() as world:
        world.start("a", ahead=250)
        seen(world, store(world, "True", OLD).body, 20.0)
        told = store(world, "False", time)
        with outcome:
            look_at_transitions(world, told, patch_of(told))


@pytest.mark.parametrize(
    ("time", "outcome"), [(AT_ONCE, nullcontext()), ("2026-03-01T12:05:53Z", nullcontext()), ("2026-03-01T12:03:00Z", WRONG)]
)
async def test_during_a_pass_in_which_the_clock_jumps_it_may_be_either(time: str, outcome: AbstractContextManager[object]) -> None:
    async with World() as world:
        clock = world.start("a").clock
        seen(world, store(world, "True", OLD).body, 20.0)
        await world.advance(BEGAN + 1)
        clock.jump(250)
        told = store(world, "False", time)
        with outcome:
            look_at_transitions(world, told, patch_of(told))
