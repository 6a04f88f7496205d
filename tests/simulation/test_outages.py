"""AWS that gives no answer for a while, or to every fiftieth call: how many creations are in doubt afterwards, and how soon all is well."""

from datetime import timedelta

import pytest
from botocore.exceptions import ConnectionClosedError

from tests.aws.worlds import refusal
from tests.simulation.faults import Fault
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

ALWAYS = 10**9
WORKERS = 10
SETTINGS = {"create_grace": timedelta(minutes=5), "workers": WORKERS, "quota_fraction": 1.0, "resync_interval": timedelta(minutes=10)}


def reset() -> Exception:
    error: Exception = ConnectionClosedError(endpoint_url="https://kms.example")
    return error


def in_doubt(world: World, names: list[str]) -> int:
    return sum("creationAttempt" in world.status(name) for name in names)


async def test_an_outage_leaves_no_more_creations_in_doubt_than_were_under_way_when_it_began() -> None:
    async with World(settings=SETTINGS) as world:
        world.start("a")
        world.apply("first")
        await world.ready("first")
        outage = world.traffic.faults.on(Fault("*", reset, times=ALWAYS, target="aws"))
        names = [f"k-{number}" for number in range(60)]
        for name in names:
            world.apply(name)
        await world.advance(100)
        assert in_doubt(world, names) <= WORKERS
        world.traffic.faults.off(outage)
        began = world.time
        await world.ready(*[name for name in names if not in_doubt(world, [name])], within=180)
        await world.ready(*names, within=330 - (world.time - began))
        assert len(world.kms.keys) == len(names) + 1


async def test_an_identity_that_may_not_list_keys_makes_one_after_an_outage_too() -> None:
    async with World(settings=SETTINGS) as world:
        world.start("a")
        world.apply("first")
        await world.ready("first")
        world.traffic.faults.on(Fault("ListKeys", lambda: refusal("AccessDeniedException"), times=ALWAYS))
        outage = world.traffic.faults.on(Fault("*", reset, times=ALWAYS, target="aws"))
        await world.advance(660)  # the resync of the first meets it
        world.traffic.faults.off(outage)
        world.apply("second")
        await world.ready("second", within=120)


@pytest.mark.parametrize("has_index", [True, False], ids=["tag index", "no tag index"])
async def test_a_process_that_starts_while_every_fiftieth_call_is_lost_makes_new_keys_all_the_same(*, has_index: bool) -> None:
    async with World(settings=SETTINGS) as world:
        if not has_index:
            world.traffic.faults.on(Fault("GetResources", lambda: refusal("UnknownOperationException"), times=ALWAYS))
        world.start("a")
        old, new = [f"old-{number}" for number in range(200)], [f"new-{number}" for number in range(5)]
        for name in old:
            world.apply(name)
        await world.ready(*old, within=900)
        world.replicas["a"].kill()
        await world.advance(1)
        world.traffic.faults.on(Fault("*", reset, times=ALWAYS, probability=0.02, target="aws"))
        world.start("b")
        for name in new:
            world.apply(name)
        await world.ready(*new, within=400)
        assert len(world.kms.keys) == len(old) + len(new)
