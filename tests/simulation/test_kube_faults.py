"""An API server that refuses, conflicts, and loses answers; objects that users change and delete at the worst moment."""

import pytest

from reconcilers.names import KMSKEY_FINALIZER, UID_TAG
from tests.simulation import aws_wires
from tests.simulation.api_server import failure
from tests.simulation.api_transport import lost_answer, refused
from tests.simulation.calls import Call
from tests.simulation.faults import Fault, silence
from tests.simulation.kms_model import late
from tests.simulation.lines import Point, Watcher
from tests.simulation.scenarios import FULL
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

ENDLESS = 10**9
CONFLICT = failure(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
REFUSALS = {
    "409": CONFLICT,
    "413": failure(413, "RequestEntityTooLarge", "too large"),
    "429": failure(429, "TooManyRequests", "slow down", retry_after="7"),
    "500": failure(500, "InternalError", "etcdserver: request timed out"),
}


@pytest.mark.holds("F6")
@pytest.mark.parametrize("answer", REFUSALS)
async def test_an_answer_that_cannot_be_stored_stops_all_else_and_is_not_asked_for_again(answer: str) -> None:
    async with World() as world:
        world.start("a")
        world.apply("first")
        await world.ready("first")  # the first key of a process lets it read once which keys there are
        began = world.time
        storm = refused("PATCH kmskeys/status", REFUSALS[answer], times=ENDLESS)
        world.traffic.watcher = _after_create_key(world, storm)
        world.apply("orders", **FULL)
        await world.advance(50)  # before the resync of the other key
        assert world.traffic.names("aws", began, writes=False) == {}  # nothing is looked for: the answer is not forgotten
        await world.advance(550)
        assert world.traffic.names("aws", began) == {"CreateKey": 1}
        assert "keyId" not in world.status("orders")
        world.traffic.faults.off(storm)
        await world.ready("orders", within=330)
        assert world.traffic.names("aws", began) == {"CreateKey": 1, "EnableKeyRotation": 1}


@pytest.mark.holds("F6")
async def test_a_restart_finds_the_key_whose_answer_was_never_stored() -> None:
    async with World() as world:
        world.start("a")
        await world.advance(1)
        storm = refused("PATCH kmskeys/status", REFUSALS["500"], times=ENDLESS)
        world.traffic.watcher = _after_create_key(world, storm)
        world.apply("orders", **FULL)
        await world.advance(100)
        world.replicas["a"].kill()
        world.traffic.faults.off(storm)
        world.start("b")
        await world.ready("orders")
        assert world.traffic.names("aws") == {"CreateKey": 1, "EnableKeyRotation": 1}


@pytest.mark.holds("F19")
async def test_half_of_all_patches_in_conflict_for_minutes_repeat_no_write() -> None:
    async with World() as world:
        world.start("a")
        names = [f"key-{number}" for number in range(10)]
        world.traffic.faults.on(refused("PATCH kmskeys*", CONFLICT, times=ENDLESS, probability=0.5))
        for name in names:
            world.apply(name, **FULL)
        await world.ready(*names)
        for name in names:
            world.delete(name)
        for name in names:
            await world.gone(name)
        assert world.traffic.names("aws") == {"CreateKey": 10, "EnableKeyRotation": 10, "ScheduleKeyDeletion": 10}


@pytest.mark.holds("F10")
async def test_a_lost_answer_to_the_release_costs_nothing() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.traffic.faults.on(lost_answer("PATCH kmskeys"))
        world.delete("orders")
        await world.gone("orders", within=5)
        began = world.time
        await world.advance(600)
        assert world.traffic.names("aws", began) == {}
        assert world.traffic.names("aws", began, writes=False) == {}


@pytest.mark.holds("F14")
async def test_an_api_server_that_is_down_for_half_an_hour_is_waited_for() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.apply("orders", description="new")
        outage = world.traffic.faults.on(silence("*", target="kube"))
        await world.advance(1800)
        made = len(world.kms.made)
        world.traffic.faults.off(outage)
        await world.ready("orders", within=330)
        assert len(world.kms.made) == made == 1


@pytest.mark.holds("F49")
async def test_a_finalizer_taken_away_by_hand_keeps_the_key(logs: list[dict[str, object]]) -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.patch("orders", {"metadata": {"finalizers": None}})
        world.delete("orders")
        await world.advance(600)
        assert [key.state for key in world.kms.keys] == ["Enabled"]
        assert any(line["event"] == "orphan_key" for line in logs)


async def test_a_finalizer_taken_away_by_hand_comes_back() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.patch("orders", {"metadata": {"finalizers": None}})
        await world.advance(130)
        found = world.find("orders")
        assert found is not None
        assert found["metadata"].get("finalizers") == [KMSKEY_FINALIZER]


@pytest.mark.holds("F50")
@pytest.mark.parametrize("wait", [0.003, 0.01, 0.016, 0.025, 0.04])
async def test_an_object_deleted_while_its_key_is_made_leaves_no_key_behind(wait: float) -> None:
    async with World() as world:
        world.start("a")
        await world.advance(5)
        world.apply("orders", **FULL)
        await world.advance(wait)
        world.delete("orders")
        await world.gone("orders")
        await world.advance(130)
        assert all(key.state == "PendingDeletion" for key in world.kms.keys)
        assert world.traffic.names("aws")["CreateKey"] <= 1


@pytest.mark.holds("F51")
async def test_an_object_deleted_while_its_creation_is_unknown_stays_until_the_search_is_over() -> None:
    async with World() as world:
        world.start("a")
        await world.advance(5)
        world.kms.lags = {"GetResources": late(600), "ListKeys": late(40)}
        world.traffic.faults.on(aws_wires.lost_answer("CreateKey"))
        world.apply("orders", **FULL)
        await world.advance(3)
        world.delete("orders")
        await world.advance(10)
        assert world.find("orders") is not None
        await world.gone("orders")
        assert [key.state for key in world.kms.keys] == ["PendingDeletion"]


async def test_an_object_deleted_after_a_creation_that_never_happened_goes() -> None:
    async with World() as world:
        world.start("a")
        await world.advance(5)
        world.traffic.faults.on(silence("CreateKey", times=1))
        world.apply("orders", **FULL)
        await world.advance(3)
        world.delete("orders")
        await world.gone("orders")
        assert world.kms.made == []


@pytest.mark.holds("F54")
@pytest.mark.parametrize("index_lag", [0, 600])
async def test_a_status_that_was_cleared_is_found_again_and_not_made_anew(index_lag: float) -> None:
    async with World() as world:
        world.start("a")
        world.kms.lags["GetResources"] = late(index_lag)
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.user("PUT", "/apis/aws-infra-operator.runner.codes/v1alpha1/namespaces/shop/kmskeys/orders/status", _without_status(world))
        world.patch("orders", {"metadata": {"annotations": {"touched": "yes"}}})
        await world.ready("orders")
        assert len(world.kms.made) == 1


@pytest.mark.holds("F54", "I6")
async def test_a_status_that_names_a_foreign_key_leads_to_no_write() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        world.apply("foreign", **FULL)
        await world.ready("orders", "foreign")
        foreign = world.key("foreign")
        began = world.time
        world.patch("orders", {"status": {"keyId": foreign.key_id, "keyArn": foreign.arn}}, "status")
        world.apply("orders", description="not yours")
        await world.reason("orders", "KeyNotOwned")
        world.delete("orders")
        await world.advance(600)
        assert world.traffic.names("aws", began) == {}
        assert world.find("orders") is not None


async def test_two_keys_with_the_same_owner_tags_are_reported_and_left_alone() -> None:
    async with World() as world:
        world.start("a")
        await world.advance(1)
        world.traffic.faults.on(aws_wires.lost_answer("CreateKey"))
        world.apply("orders", **FULL)
        await world.until(lambda: len(world.kms.made) == 1)
        made = world.kms.made[0]
        world.outside("CreateKey", Tags=[{"TagKey": key, "TagValue": value} for key, value in made.tags.items()])
        await world.reason("orders", "AmbiguousKey")
        await world.advance(600)
        assert made.tags[UID_TAG]
        assert len(world.kms.made) == 2
        assert world.traffic.names("aws") == {"CreateKey": 1}


def _after_create_key(world: World, fault: Fault) -> Watcher:
    """Switches the fault on between CreateKey and its answer."""

    def watch(call: Call, point: Point) -> float:
        if (call.name, point) == ("CreateKey", "after"):
            world.traffic.faults.on(fault)
        return 0.0

    return watch


def _without_status(world: World) -> dict[str, object]:
    found = world.find("orders")
    assert found is not None
    return {name: value for name, value in found.items() if name != "status"}
