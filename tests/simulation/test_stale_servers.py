"""A successor whose API server is a minute, or five, behind: it makes and deletes nothing for what was, and catches up."""


import pytest

from reconcilers.names import UID_TAG
from tests.simulation.api_stale import StaleServer
from tests.simulation.aws_wires import internal_error
from tests.simulation.calls import Call
from tests.simulation.kms_model import late
from tests.simulation.lines import Point
from tests.simulation.scenarios import FULL
from tests.simulation.world import World

pytestmark = [pytest.mark.virtual_time, pytest.mark.parametrize("behind", [60.0, 300.0]), pytest.mark.parametrize("all_reads", [False, True])]

OLD_SECONDS = 700.0  # by then every view shows the objects of the beginning


def start_behind(world: World, name: str, behind: float, *, all_reads: bool) -> StaleServer:
    """A process that reads old; the server that it reads from."""
    stale = StaleServer(world.server, behind, all_reads=all_reads)
    world.start(name).transport.server = stale
    return stale


async def settled(world: World, **spec: object) -> None:
    """The object orders, which has been ready for long, and nobody who works."""
    world.start("a")
    world.apply("orders", **spec)
    await world.ready("orders")
    await world.advance(OLD_SECONDS)


@pytest.mark.holds("F22", "I1", "I3")
@pytest.mark.parametrize("moment", ["PATCH kmskeys/status", "CreateKey", "EnableKeyRotation"])
@pytest.mark.parametrize("point", ["before", "after"])
async def test_a_successor_makes_no_second_key(behind: float, moment: str, point: Point, *, all_reads: bool) -> None:
    async with World() as world:
        world.start("a")
        await world.advance(OLD_SECONDS)
        world.kms.lags = {"GetResources": late(600)}
        fresh = world.apply("orders", **FULL)

        def crash(call: Call, at: Point) -> float:
            if (call.name, at) == (moment, point):
                world.replicas["a"].kill()
            return 0.0

        world.traffic.watcher = crash
        await world.advance(5)
        stale = start_behind(world, "b", behind, all_reads=all_reads)
        await world.advance(behind + 60)
        stale.behind = 0.0
        await world.ready("orders", within=900)
        assert [key.tags[UID_TAG] for key in world.kms.made] == [fresh["metadata"]["uid"]]
        assert world.traffic.names("aws") == {"CreateKey": 1, "EnableKeyRotation": 1}


@pytest.mark.holds("F22", "I4")
async def test_a_key_that_was_retained_meanwhile_stays(behind: float, *, all_reads: bool) -> None:
    async with World() as world:
        await settled(world, **FULL)
        outage = world.traffic.faults.on(internal_error("DescribeKey", times=10**6))
        world.delete("orders")
        await world.advance(5)
        world.replicas["a"].kill()
        await world.advance(behind)
        world.patch("orders", {"spec": {"deletionPolicy": "Retain"}})
        world.traffic.faults.off(outage)
        start_behind(world, "b", behind, all_reads=all_reads)
        await world.gone("orders")
        await world.advance(behind + 60)
        assert [key.state for key in world.kms.keys] == ["Enabled"]


@pytest.mark.holds("F22", "I4", "F52")
async def test_an_object_that_came_back_is_not_taken_for_the_one_that_went(behind: float, *, all_reads: bool) -> None:
    async with World() as world:
        await settled(world, **FULL)
        began = world.time
        world.delete("orders")
        await world.gone("orders")
        new = world.apply("orders", **FULL)
        await world.ready("orders")
        world.replicas["a"].kill()
        await world.advance(behind - (world.time - began) + 0.05)  # it is about to go, in the view
        later = world.time
        start_behind(world, "b", behind, all_reads=all_reads)
        await world.advance(behind + 120)
        assert world.traffic.names("aws", later) == {}
        assert [(key.state, key.tags[UID_TAG]) for key in world.kms.keys] == [("Enabled", new["metadata"]["uid"])]
        assert world.is_ready("orders")


@pytest.mark.holds("F22", "I4")
async def test_a_replica_that_was_asked_for_again_meanwhile_stays(behind: float, *, all_reads: bool) -> None:
    async with World() as world:
        await settled(world, multiRegion=True, replicas=[{"region": "eu-west-1"}])
        world.replicas["a"].kill()
        world.patch("orders", {"spec": {"replicas": []}})
        await world.advance(behind)
        world.patch("orders", {"spec": {"replicas": [{"region": "eu-west-1"}]}})
        start_behind(world, "b", behind, all_reads=all_reads)
        await world.advance(behind + 300)
        assert "ScheduleKeyDeletion" not in world.traffic.names("aws")
        assert world.is_ready("orders")


@pytest.mark.holds("F22", "I10")
async def test_what_users_have_written_meanwhile_is_taken_up_when_the_server_has_caught_up(behind: float, *, all_reads: bool) -> None:
    async with World() as world:
        await settled(world, **FULL)
        world.replicas["a"].kill()
        stale = start_behind(world, "b", behind, all_reads=all_reads)
        await world.advance(1)
        world.patch("orders", {"spec": {"description": "All orders"}})
        world.apply("sales")
        world.delete("orders")
        await world.advance(behind / 2)
        stale.behind = 0.0
        world.replicas["b"].transport.cut_streams()
        await world.gone("orders", within=120)
        await world.ready("sales")
        assert world.traffic.names("aws")["ScheduleKeyDeletion"] == 1
