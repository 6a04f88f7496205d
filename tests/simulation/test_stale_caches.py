"""Watches that lag behind: what was decided on an old version must not be done to the new one."""

import math
from datetime import timedelta

import pytest

from reconcilers.names import PAUSED_ANNOTATION, PLAN_ANNOTATION, UID_TAG
from tests.simulation.aws_wires import internal_error
from tests.simulation.calls import Call
from tests.simulation.etcd import Json
from tests.simulation.kms_model import late
from tests.simulation.lines import Point
from tests.simulation.replicas import Replica
from tests.simulation.scenarios import FULL
from tests.simulation.world import CANARY, World

pytestmark = pytest.mark.virtual_time


async def _leader_and_standby(world: World) -> Replica:
    """Replica a leads; b, which waits for its turn, is returned."""
    world.start("a", leader_elect=True)
    await world.advance(1)
    standby = world.start("b", leader_elect=True)
    await world.advance(5)
    return standby


async def _apply_where_a_new_key_is_found_late(world: World) -> None:
    world.kms.lags = {"GetResources": late(600), "ListKeys": late(30)}
    world.apply("orders", **FULL)
    await world.advance(60)


async def _sees_again_and_makes_no_second_key(world: World, standby: Replica) -> None:
    standby.transport.delay = 0.0
    standby.transport.cut_streams()
    await world.ready("orders")
    assert world.traffic.names("aws") == {"CreateKey": 1, "EnableKeyRotation": 1}


@pytest.mark.holds("F22", "I3")
async def test_a_minute_of_lag_and_many_passes_make_one_key() -> None:
    async with World() as world:
        replica = world.start("a", resync_interval=timedelta(seconds=5))
        await world.advance(1)
        replica.transport.delay = 60.0
        world.apply("orders", **FULL)
        for number in range(30):
            await world.advance(10)
            world.patch("orders", {"metadata": {"annotations": {"touched": str(number)}}})
        await world.ready("orders")
        assert world.traffic.names("aws") == {"CreateKey": 1, "EnableKeyRotation": 1}


@pytest.mark.holds("F22", "I3")
async def test_a_standby_with_an_old_cache_makes_no_second_key() -> None:
    async with World() as world:
        standby = await _leader_and_standby(world)
        standby.transport.delay = 60.0
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.replicas["a"].kill()
        await world.advance(300)
        assert world.is_ready("orders")
        assert world.traffic.names("aws") == {"CreateKey": 1, "EnableKeyRotation": 1}


@pytest.mark.holds("F22", "I3")
@pytest.mark.parametrize("last_seen", ["PATCH kmskeys", "PATCH kmskeys/status"])
async def test_a_cache_that_ends_just_before_the_creation_makes_no_second_key(last_seen: str) -> None:
    async with World() as world:
        standby = await _leader_and_standby(world)

        def freeze(call: Call, point: Point) -> float:
            if (call.name, point) == ("CreateKey" if "status" in last_seen else "PATCH kmskeys/status", "before"):
                standby.transport.delay = math.inf
            if (call.name, point) == ("CreateKey", "after"):
                world.replicas["a"].kill()
            return 0.0

        world.traffic.watcher = freeze
        await _apply_where_a_new_key_is_found_late(world)
        await _sees_again_and_makes_no_second_key(world, standby)


@pytest.mark.holds("F22", "I3")
async def test_what_is_reported_from_a_cache_without_a_status_wipes_out_no_attempt() -> None:
    async with World() as world:
        standby = await _leader_and_standby(world)

        def freeze(call: Call, point: Point) -> float:
            if (call.name, point) == ("PATCH kmskeys/status", "before"):
                standby.transport.delay = math.inf
            if (call.name, point) == ("CreateKey", "after"):
                world.replicas["a"].kill()
                world.aws.identities.revoke(CANARY.access_key_id)  # so that the standby has something to report
            return 0.0

        world.traffic.watcher = freeze
        await _apply_where_a_new_key_is_found_late(world)
        assert "creationAttempt" in world.status("orders")
        world.aws.identities.add(CANARY)
        await _sees_again_and_makes_no_second_key(world, standby)


@pytest.mark.holds("F52", "F22")
async def test_an_object_deleted_and_made_anew_is_not_taken_for_the_old_one() -> None:
    async with World() as world:
        replica = world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.delete("orders")
        await world.gone("orders")
        replica.transport.delay = 60.0
        new = world.apply("orders", **FULL)
        await world.ready("orders")
        await world.advance(120)
        assert world.traffic.names("aws")["ScheduleKeyDeletion"] == 1
        assert [(key.state, key.tags[UID_TAG]) for key in world.kms.keys] == [("Enabled", new["metadata"]["uid"])]


@pytest.mark.holds("F22", "I4")
async def test_what_becomes_of_a_key_is_decided_on_the_object_as_it_is_and_not_as_it_was_cached() -> None:
    async with World() as world:
        replica = world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        outage = world.traffic.faults.on(internal_error("DescribeKey", times=1000))
        world.delete("orders")
        await world.advance(5)
        replica.transport.delay = math.inf
        world.patch("orders", {"spec": {"deletionPolicy": "Retain"}})
        world.traffic.faults.off(outage)
        await world.gone("orders")
        assert [key.state for key in world.kms.keys] == ["Enabled"]


@pytest.mark.holds("F22", "I4")
async def test_a_replica_that_is_asked_for_again_before_a_late_watch_shows_that_it_left_is_not_scheduled_for_deletion() -> None:
    async with World() as world:
        replica = world.start("a")
        world.apply("orders", multiRegion=True, replicas=[{"region": "eu-west-1"}])
        await world.ready("orders")
        await world.advance(600)
        replica.transport.delay = 60.0
        world.patch("orders", {"spec": {"replicas": []}})
        await world.advance(0.5)
        world.patch("orders", {"spec": {"replicas": [{"region": "eu-west-1"}]}})
        await world.advance(300)
        assert "ScheduleKeyDeletion" not in world.traffic.names("aws")
        assert world.is_ready("orders")


@pytest.mark.holds("F15")
async def test_a_compaction_and_cut_watches_lose_nothing() -> None:
    async with World() as world:
        replica = world.start("a")
        await world.advance(1)
        for number in range(10):
            world.apply(f"key-{number}")
            world.etcd.compact()
            replica.transport.cut_streams()
            await world.advance(0.01)
        await world.ready(*(f"key-{number}" for number in range(10)))
        assert len(world.kms.made) == 10


@pytest.mark.holds("F50", "I4")
@pytest.mark.parametrize("moment", ["CreateKey", "EnableKeyRotation"])
async def test_an_object_that_is_changed_and_deleted_during_a_pass_goes_as_it_says_last(moment: str) -> None:
    async with World() as world:
        world.start("a")

        def change(call: Call, point: Point) -> float:
            if (call.name, point) == (moment, "after"):
                world.patch("orders", {"spec": {"deletionPolicy": "Retain"}})
                world.delete("orders")
            return 0.0

        world.traffic.watcher = change
        world.apply("orders", **FULL)
        await world.gone("orders")
        assert [key.state for key in world.kms.keys] == ["Enabled"]


@pytest.mark.holds("I12")
@pytest.mark.parametrize("annotation", [PAUSED_ANNOTATION, PLAN_ANNOTATION])
async def test_an_object_that_is_paused_or_only_planned_for_while_its_key_is_made_gets_a_key_and_no_more(annotation: str) -> None:
    async with World() as world:
        world.start("a")

        def hold(call: Call, point: Point) -> float:
            if (call.name, point) == ("CreateKey", "after"):
                world.patch("orders", {"metadata": {"annotations": {annotation: "true"}}})
            return 0.0

        world.traffic.watcher = hold
        world.apply("orders", **FULL, aliases=["orders"])
        await world.advance(3600)
        assert world.traffic.names("aws") == {"CreateKey": 1}
        assert world.status("orders")["keyId"] == world.key("orders").key_id
        world.patch("orders", {"metadata": {"annotations": {annotation: None}}})
        await world.ready("orders")
        assert world.traffic.names("aws") == {"CreateKey": 1, "EnableKeyRotation": 1, "CreateAlias": 1}


@pytest.mark.holds("I12")
async def test_a_pass_reports_on_the_generation_with_which_it_began() -> None:
    async with World() as world:
        world.start("a")

        def describe_anew(call: Call, point: Point) -> float:
            if (call.name, point) == ("CreateKey", "after"):
                world.patch("orders", {"spec": {"description": "another"}})
            return 0.0

        world.traffic.watcher = describe_anew
        world.apply("orders", **FULL)
        await world.ready("orders")
        described = next(call.at for call in world.traffic.calls if call.name == "UpdateKeyDescription")
        early = [e.body["status"] for e in world.etcd.log if e.plural == "kmskeys" and e.at < described and "status" in e.body]
        assert 2 not in {status["observedGeneration"] for status in early if _is_ready(status)}


def _is_ready(status: Json) -> bool:
    return any((one["type"], one["status"]) == ("Ready", "True") for one in status.get("conditions", ()))
