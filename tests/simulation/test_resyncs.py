"""Looks at what is as declared: how many they are, and that nobody waits behind them."""

import pytest
from prometheus_client import REGISTRY

from tests.simulation.etcd import Json
from tests.simulation.scenarios import READER
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

OBJECTS = 10
WATCHED_SECONDS = 1200.0
# Looks each 30 s take a ListGrants in 3 s. Half of what the provider allows is for looks, one in 8 s: so each object has its turn after 80 s.
SPEC: Json = {"grants": [READER], "resyncInterval": "30s"}
LIMITS: Json = {"rateLimits": {"perOperation": {"ListGrants": 0.25}}}
STRETCHED = 80.0


def waiting() -> float | None:
    labels = {"name": "kmskey", "controller": "kmskey", "priority": "resync"}
    return REGISTRY.get_sample_value("workqueue_depth", labels)


async def test_looks_that_do_not_fit_the_quotas_are_made_rarer_and_nobody_waits_for_them() -> None:
    names = [f"key-{number}" for number in range(OBJECTS)]
    async with World() as world:
        world.start("a")
        for name in names:
            world.apply(name, **SPEC)
        await world.ready(*names)
        world.patch_provider(LIMITS)
        await world.advance(5 * STRETCHED)
        began, most = world.time, 0.0
        while world.time < began + WATCHED_SECONDS:
            await world.advance(1)
            most = max(most, waiting() or 0.0)
        looks = world.traffic.names("aws", began, writes=False)["DescribeKey"]
        assert looks == pytest.approx(OBJECTS * WATCHED_SECONDS / STRETCHED, rel=0.1)
        assert most <= 2
        world.apply(names[0], **SPEC, description="changed")
        await world.until(lambda: world.key(names[0]).description == "changed", within=10)
