"""Whatever this process could not see when it first looked for earlier keys: an object that is made again later gets its key back."""

from datetime import timedelta

import pytest

from reconcilers.names import OWNER_TAG
from tests.simulation import api_transport
from tests.simulation.aws_wires import internal_error, lost_answer
from tests.simulation.calls import Call
from tests.simulation.kms_model import Lag, flapping, late
from tests.simulation.test_ring import assign, shards
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

HOUR = 3600.0
RARELY = timedelta(hours=6)  # so that it is not a resync that has seen the key
INDEX_LATE = {"GetResources": late(600)}
ALL_LATE = [
    pytest.param(INDEX_LATE | {"ListKeys": late(300)}, id="the list is late"),
    pytest.param(INDEX_LATE | {"ListResourceTags": late(300)}, id="the tags are late"),
]


async def retain(world: World, name: str = "orders") -> None:
    """It gets a key, and goes without it."""
    world.apply(name, deletionPolicy="Retain")
    await world.ready(name)
    world.delete(name)
    await world.gone(name)


async def again(world: World) -> None:
    """Orders is made once more, and has the key that it had."""
    (before,) = (key.key_id for key in world.kms.keys if key.tags.get(OWNER_TAG) == "shop/orders")
    world.apply("orders", deletionPolicy="Retain")
    await world.ready("orders")
    assert world.key("orders").key_id == before
    assert [key.key_id for key in world.kms.keys if key.tags.get(OWNER_TAG) == "shop/orders"] == [before]


@pytest.mark.holds("F52", "F33")
@pytest.mark.parametrize("lags", ALL_LATE)
async def test_an_index_that_was_read_while_all_views_were_late_is_not_believed_for_ever(lags: dict[str, Lag]) -> None:
    async with World() as world:
        world.start("a")
        await retain(world)
        world.replicas["a"].kill()
        world.kms.lags = lags
        world.start("b", resync_interval=RARELY)
        world.apply("other")
        await world.ready("other", within=900)
        await world.advance(900)
        world.kms.lags = {}
        await again(world)


@pytest.mark.holds("F52", "F33")
@pytest.mark.parametrize("lags", ALL_LATE)
async def test_a_key_that_was_seen_with_its_object_comes_back_though_all_lists_are_still_late(lags: dict[str, Lag]) -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", deletionPolicy="Retain")
        await world.ready("orders")
        await world.advance(30)
        world.replicas["a"].kill()
        world.start("b")
        await world.advance(30)  # a resync
        world.kms.lags = lags
        world.apply("other")
        await world.ready("other", within=900)
        world.kms.lags = INDEX_LATE
        world.delete("orders")
        await world.gone("orders")
        await again(world)


@pytest.mark.holds("F52")
async def test_a_key_that_another_shard_made_since_the_index_was_read_comes_back() -> None:
    async with World() as world:
        a, b = await shards(world, "a", "b")
        world.apply("other")
        assign(world, b, "other")
        await world.ready("other")
        world.apply("orders", deletionPolicy="Retain")
        assign(world, a)
        await world.ready("orders")
        world.delete("orders")
        await world.gone("orders")
        await world.advance(600)
        world.apply("orders", deletionPolicy="Retain")
        assign(world, b)
        await world.ready("orders")
        assert len(world.kms.made) == 2


@pytest.mark.holds("F52")
@pytest.mark.parametrize("denied", [{"GetResources", "ListResourceTags"}, {"GetResources", "ListKeys"}], ids=["tags", "list"])
async def test_what_was_denied_when_the_process_began_is_asked_for_again(denied: set[str]) -> None:
    async with World() as world:
        world.start("a")
        await retain(world)
        world.replicas["a"].kill()
        world.kms.denied = denied
        world.start("b", resync_interval=RARELY)
        world.apply("other")
        await world.ready("other")
        world.kms.denied = set()
        await world.advance(700)
        await again(world)


@pytest.mark.holds("F52", "F29")
async def test_a_key_whose_answer_was_lost_and_whose_object_went_at_once_comes_back() -> None:
    async with World() as world:
        world.start("a", resync_interval=RARELY)
        world.apply("other")
        await world.ready("other")
        world.kms.lags = INDEX_LATE
        world.traffic.faults.on(lost_answer("CreateKey"))
        world.apply("orders", deletionPolicy="Retain")
        await world.until(lambda: len(world.kms.made) == 2)
        assert "keyId" not in world.status("orders")
        world.delete("orders")
        await world.gone("orders")
        world.kms.lags = {}
        await world.advance(HOUR)
        await again(world)


@pytest.mark.holds("F52", "F28")
async def test_an_error_of_the_tag_index_is_no_empty_index_however_many_keys_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aws.earlier.MOST_SCANNED", 0)
    async with World() as world:
        world.start("a")
        await retain(world)
        world.replicas["a"].kill()
        world.traffic.faults.on(internal_error("GetResources"))
        world.start("b")
        await again(world)


@pytest.mark.holds("F52")
async def test_a_key_that_was_tagged_by_hand_comes_to_the_object_that_its_tag_names() -> None:
    async with World() as world:
        world.start("a", resync_interval=RARELY)
        world.apply("other")
        await world.ready("other")
        await world.advance(HOUR)
        tags = {**world.key("other").tags, OWNER_TAG: "shop/orders"}
        world.outside("CreateKey", Tags=[{"TagKey": key, "TagValue": value} for key, value in tags.items()])
        await again(world)


async def test_new_keys_all_the_day_cost_one_reading_an_hour() -> None:
    async with World() as world:
        world.kms.page_size = 1000
        world.start("a", resync_interval=timedelta(days=2))
        for number in range(3 * 6):
            world.apply(f"key-{number}")
            await world.advance(HOUR / 6)
        assert world.traffic.names("aws")["CreateKey"] == 18
        reads = world.traffic.names("aws", writes=False)
        assert (reads["GetResources"], reads["ListKeys"]) == (4, 4), "the first, the one after the lag, hourly"


@pytest.mark.holds("F52")
@pytest.mark.parametrize("operations", [["DescribeKey"], ["ListResourceTags"], ["DescribeKey", "ListResourceTags"]], ids=" ".join)
@pytest.mark.parametrize("lag", [late(300), flapping(300)], ids=["late", "flapping"])
async def test_a_key_that_does_not_show_yet_comes_back_to_its_object_once_it_does(operations: list[str], lag: Lag) -> None:
    async with World() as world:
        world.start("a")
        await world.advance(600)
        world.kms.lags = dict.fromkeys(operations, lag)
        world.apply("orders", deletionPolicy="Retain")
        await world.until(lambda: "keyId" in world.status("orders"))
        await world.advance(20)
        world.delete("orders")
        await world.gone("orders")
        await world.advance(20)
        await again(world)


@pytest.mark.parametrize(("policy", "last_call"), [("Retain", "GET kmskeys"), ("Delete", "ScheduleKeyDeletion")])
async def test_a_key_comes_back_though_the_watch_still_shows_the_object_that_was_let_go_of(policy: str, last_call: str) -> None:
    """The answer to the patch that let it go is lost, too: one broken connection can do both."""
    async with World() as world:
        replica = world.start("a")
        world.apply("orders", deletionPolicy=policy)
        await world.ready("orders")
        await world.advance(700)

        def watcher(call: Call, at: str) -> float:
            if (call.name, at, replica.transport.delay) == (last_call, "after", 0.0):
                replica.transport.delay = 60.0
                world.traffic.faults.on(api_transport.lost_answer("PATCH kmskeys"))
            return 0.0

        world.traffic.watcher = watcher
        world.delete("orders")
        await world.until(lambda: world.find("orders") is None, step=0.05)
        world.apply("orders", deletionPolicy=policy)
        await world.advance(400)
        replica.transport.delay = 0.0
        await world.ready("orders")
        assert [key.state for key in world.kms.keys] == ["Enabled"]
        assert world.key("orders").tags[OWNER_TAG] == "shop/orders"
