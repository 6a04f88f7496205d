"""SIGTERM before the process knows what there is: it ends well, and has begun nothing."""

import pytest

from tests.simulation.calls import Call
from tests.simulation.faults import silence
from tests.simulation.lines import Point, undisturbed
from tests.simulation.scenarios import FULL
from tests.simulation.world import World

pytestmark = [pytest.mark.virtual_time, pytest.mark.holds("F45")]

END_SECONDS = 1.0
ANSWER_SECONDS = 10.0  # after which a request is given up
FIRST_CALLS = ["GET namespaces", "PUT leases", "LIST awsproviders", "LIST kmskeys", "LIST kmsgrants", "WATCH kmskeys"]


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("name", FIRST_CALLS)
async def test_asked_to_stop_at_each_of_its_first_calls_it_ends_well_and_the_next_one_works(name: str, where: Point) -> None:
    async with World() as world:
        world.apply("orders", **FULL)
        asked = list[float]()

        def stop(call: Call, point: Point) -> float:
            if (call.name, point) == (name, where) and not asked:
                asked.append(world.time)
                world.replicas["a"].terminate()
            return 0.0

        world.traffic.watcher = stop
        assert await world.start("a", leader_elect=True).ended() == 0
        assert world.time - asked[0] <= END_SECONDS
        world.traffic.watcher = undisturbed
        world.start("b", leader_elect=True)
        await world.ready("orders", within=30)
        assert world.traffic.names("aws") == {"CreateKey": 1, "EnableKeyRotation": 1}


@pytest.mark.parametrize("silent", ["GET namespaces", "LIST kmskeys"])
async def test_asked_to_stop_while_it_waits_for_its_first_answers_it_ends_well_and_has_begun_nothing(silent: str) -> None:
    async with World() as world:
        world.apply("orders", **FULL)
        world.traffic.faults.on(silence(silent))
        replica = world.start("a", leader_elect=True)
        await world.advance(5)
        asked = world.time
        replica.terminate()
        assert await replica.ended() == 0
        assert (world.traffic.names("aws"), world.traffic.names("kube")["PATCH kmskeys"]) == ({}, 0)
        assert world.time - asked <= ANSWER_SECONDS
