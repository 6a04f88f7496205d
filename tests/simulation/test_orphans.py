"""A key is reported as an orphan when nobody speaks for it any more, and only then."""

import pytest

from controller import metrics
from tests.simulation.faults import silence
from tests.simulation.scenarios import FULL
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time


def orphans() -> float:
    """The gauge as it is exposed; it counts for the whole test process."""
    (family,) = metrics.ORPHAN_KEYS.collect()
    return family.samples[0].value


async def test_a_key_whose_object_was_let_go_in_order_is_none_even_when_the_watch_is_faster_than_the_answer() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        before = orphans()
        world.traffic.faults.on(silence("PATCH kmskeys", times=1, executes=True))
        world.delete("orders")
        await world.gone("orders")
        await world.advance(60)
        assert orphans() == before


@pytest.mark.holds("F49", "I24")
async def test_a_key_whose_object_lost_its_finalizer_is_one() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL, suspend=True)
        world.patch("orders", {"spec": {"suspend": None}})
        await world.ready("orders")
        before = orphans()
        world.patch("orders", {"spec": {"deletionProtection": True}})
        await world.advance(5)
        world.delete("orders")
        world.patch("orders", {"metadata": {"finalizers": None}})
        await world.gone("orders")
        await world.advance(5)
        assert orphans() == before + 1
