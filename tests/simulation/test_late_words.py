"""What is decided on the word of somebody who may be late: a watch behind a lease that was taken over, a read of a key that is going."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from controller.provider_objects import AWSPROVIDERS
from reconcilers.names import OWNER_TAG
from tests.simulation.api_transport import ModelTransport
from tests.simulation.aws_wires import throttled
from tests.simulation.calls import Call
from tests.simulation.dependents import READ, alias, at, grant
from tests.simulation.etcd import Entry
from tests.simulation.kms_model import in_turn, late
from tests.simulation.replicas import Replica
from tests.simulation.world import NAMESPACE, World

pytestmark = pytest.mark.virtual_time

EU = "eu-west-1"
GONE = {"PendingDeletion", "PendingReplicaDeletion"}
WITH_A_REPLICA: dict[str, Any] = {"multiRegion": True, "replicas": [{"region": EU}]}


async def _standby(world: World, lag: float) -> Replica:
    """Two processes, of which the second one's watches are late from now on."""
    world.start("a", leader_elect=True)
    await world.advance(1)
    standby = world.start("b", leader_elect=True)
    await world.advance(5)
    standby.transport.delay = lag
    return standby


async def _taken_over(world: World, standby: Replica) -> None:
    """Until long after everything is known everywhere."""
    world.replicas["a"].kill()
    await world.advance(60)
    standby.transport.delay = 0.0
    await world.advance(900)


def _states(world: World, region: str | None = None) -> set[str]:
    return {key.state for key in world.kms.keys if region in (None, key.region)}


@pytest.mark.holds("F22", "F41")
@pytest.mark.parametrize(
    ("spec", "states"),
    [({"aliases": ["a"]}, GONE), (WITH_A_REPLICA, GONE), ({"deletionPolicy": "DisableKey"}, {"Disabled"})],
    ids=["alias", "replica", "disabled"],
)
async def test_a_late_watch_takes_no_key_back_whose_object_is_gone(spec: dict[str, Any], states: set[str]) -> None:
    async with World() as world:
        standby = await _standby(world, 60.0)
        world.apply("orders", **spec)
        await world.ready("orders")
        await world.advance(120)
        world.delete("orders")
        await world.gone("orders")
        await _taken_over(world, standby)
        assert _states(world) <= states
        assert not any(key.aliases for key in world.kms.keys)


@pytest.mark.holds("F22")
async def test_a_late_watch_leaves_a_key_alone_that_was_let_go_of_and_scheduled_by_hand() -> None:
    async with World() as world:
        standby = await _standby(world, 240.0)
        world.apply("orders", deletionPolicy="Retain")
        await world.ready("orders")
        await world.advance(300)
        arn = world.key("orders").arn
        world.delete("orders")
        await world.gone("orders")
        world.outside("ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=7)
        await world.advance(150)
        await _taken_over(world, standby)
        assert _states(world) == {"PendingDeletion"}


@pytest.mark.holds("F22")
async def test_a_late_watch_makes_no_right_and_no_alias_again() -> None:
    async with World() as world:
        standby = await _standby(world, 60.0)
        world.apply("one")
        await world.ready("one")
        name, right = alias(world), grant(world)
        name.apply(aliasName="front", **at("one"))
        right.apply(**at("one"), **READ)
        await name.ready()
        await right.ready()
        await world.advance(120)
        name.delete()
        right.delete()
        await name.gone()
        await right.gone()
        await _taken_over(world, standby)
        assert (world.key("one").aliases, world.key("one").grants) == (frozenset(), ())


@pytest.mark.holds("F22")
async def test_a_late_watch_writes_nothing_for_an_object_that_was_suspended() -> None:
    async with World() as world:
        standby = await _standby(world, 60.0)
        world.apply("orders", description="d")
        await world.ready("orders")
        await world.advance(120)
        world.apply("orders", description="d", suspend=True)
        world.outside("UpdateKeyDescription", KeyId=world.key("orders").arn, Description="by hand")
        world.outside("DisableKey", KeyId=world.key("orders").arn)
        await _taken_over(world, standby)
        assert (world.key("orders").description, world.key("orders").state) == ("by hand", "Disabled")


@pytest.mark.holds("F22")
async def test_what_a_provider_says_of_a_deleted_key_is_read_and_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    def late_providers(_self: ModelTransport, entry: Entry) -> float:
        return entry.at + (60.0 if entry.plural == AWSPROVIDERS.plural else 0.0) - asyncio.get_running_loop().time()

    monkeypatch.setattr(ModelTransport, "_due", late_providers)
    async with World() as world:
        world.start("a")
        world.apply("orders")
        await world.ready("orders")
        await world.advance(120)
        world.patch_provider({"defaultDeletionPolicy": "Retain"})
        await world.advance(20)
        world.delete("orders")
        await world.gone("orders")
        assert _states(world) == {"Enabled"}


@pytest.mark.holds("I19")
@pytest.mark.parametrize("outsider", [False, True], ids=["came back", "scheduled outside"])
async def test_an_object_goes_only_when_its_key_does_though_an_old_deletion_still_shows(outsider: bool) -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders")
        await world.ready("orders")
        await world.advance(600)
        if outsider:
            world.outside("ScheduleKeyDeletion", KeyId=world.key("orders").arn, PendingWindowInDays=30)
            await world.until(lambda: world.key("orders").state == "Enabled")
        else:
            world.delete("orders")
            await world.gone("orders")
            await world.advance(600)
            world.apply("orders")
        await world.ready("orders")
        await world.advance(5)
        world.kms.lags = {"DescribeKey": late(150)}
        world.delete("orders")
        await world.gone("orders", within=2000)
        world.kms.lags = {}
        assert _states(world) == {"PendingDeletion"}


@pytest.mark.parametrize("deleted", [False, True], ids=["region left the spec", "object deleted"])
async def test_a_replica_goes_though_an_old_deletion_of_it_still_shows(deleted: bool) -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **WITH_A_REPLICA)
        await world.ready("orders")
        world.apply("orders", multiRegion=True, replicas=[])
        await world.until(lambda: "PendingDeletion" in _states(world, EU))
        await world.advance(600)
        world.apply("orders", **WITH_A_REPLICA)
        await world.ready("orders")
        await world.advance(60)
        world.kms.lags = {"DescribeKey": late(300)}
        if deleted:
            world.delete("orders")
            await world.gone("orders", within=2000)
        else:
            world.apply("orders", multiRegion=True, replicas=[])
            await world.advance(900)
        assert _states(world, EU) == {"PendingDeletion"}


async def test_a_key_is_disabled_though_an_old_state_still_shows() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", enabled=False, deletionPolicy="DisableKey")
        await world.ready("orders")
        await world.advance(600)
        world.apply("orders", enabled=True, deletionPolicy="DisableKey")
        await world.ready("orders")
        await world.advance(60)
        world.kms.lags = {"DescribeKey": late(290)}
        world.delete("orders")
        await world.gone("orders", within=2000)
        assert _states(world) == {"Disabled"}


async def test_a_key_that_another_object_has_adopted_is_not_taken_back_on_late_tags() -> None:
    async with World() as world:
        world.start("a", resync_interval=timedelta(minutes=10))
        world.apply("orders", deletionPolicy="Retain")
        await world.ready("orders")
        key_id = world.status("orders")["keyId"]
        await world.advance(600)
        world.delete("orders")
        await world.gone("orders")
        world.apply("invoices", adopt={"keyId": key_id})
        await world.ready("invoices")
        await world.advance(60)
        world.kms.lags = {"ListResourceTags": late(300)}
        world.apply("orders")
        await world.advance(120)
        world.kms.lags = {}
        await world.ready("orders", "invoices", within=1500)
        world.delete("orders")
        await world.gone("orders")
        assert (world.key("invoices").state, world.key("invoices").tags[OWNER_TAG]) == ("Enabled", f"{NAMESPACE}/invoices")


@pytest.mark.parametrize("put", [{"aliases": ["front"]}, {"tags": {"access": "granted"}}], ids=["alias", "tag"])
async def test_what_leaves_the_spec_before_it_shows_is_taken_off_once_it_does(put: dict[str, Any]) -> None:
    async with World() as world:
        world.start("a")
        world.apply("one")
        await world.ready("one")
        await world.advance(600)
        world.kms.lags = dict.fromkeys(["DescribeKey", "ListAliases", "ListResourceTags"], late(290))
        world.apply("one", **put)
        await world.ready("one")
        await world.advance(60)
        world.apply("one", **{field: type(value)() for field, value in put.items()})
        await world.advance(1200)
        assert world.key("one").aliases == frozenset()
        assert "access" not in world.key("one").tags
        assert world.status("one").get("managedTagKeys", []) == world.status("one").get("aliases", []) == []


async def test_an_alias_that_does_not_show_yet_is_freed_before_its_key_goes() -> None:
    async with World() as world:
        world.start("a")
        world.apply("one")
        await world.ready("one")
        await world.advance(600)
        world.kms.lags = dict.fromkeys(["DescribeKey", "ListAliases"], late(290))
        world.apply("one", aliases=["front"])
        await world.ready("one")
        await world.advance(60)
        world.delete("one")
        await world.gone("one", within=1200)
        world.apply("two", aliases=["front"])
        await world.ready("two", within=1200)
        assert world.key("two").aliases == {"alias/front"}


async def test_an_alias_of_a_replica_that_does_not_show_yet_is_freed_before_the_replica_goes() -> None:
    replica = {"region": EU}
    async with World() as world:
        world.start("a")
        world.apply("one", **WITH_A_REPLICA)
        await world.ready("one")
        await world.advance(600)
        world.kms.lags = dict.fromkeys(["DescribeKey", "ListAliases"], late(290))
        world.apply("one", multiRegion=True, replicas=[replica | {"aliases": ["front"]}])
        await world.until(lambda: any(key.aliases for key in world.kms.keys))
        await world.advance(60)
        world.delete("one")
        await world.gone("one", within=1200)
        assert [key.aliases for key in world.kms.keys] == [frozenset(), frozenset()]


async def test_a_tag_whose_removal_was_refused_once_is_removed_though_kms_shows_it_only_now_and_then() -> None:
    lag = 0.0
    async with World() as world:

        def watcher(call: Call, at: str) -> float:
            nonlocal lag
            if (call.name, at) == ("UntagResource", "before"):
                lag = 120.0
            return 0.0

        world.start("a")
        world.apply("one")
        await world.ready("one")
        await world.advance(600)
        world.kms.lags = {"ListResourceTags": lambda: lag}
        world.apply("one", tags={"access": "granted"})
        await world.until(lambda: "access" in world.key("one").tags)
        await world.advance(15)
        world.traffic.faults.on(throttled("UntagResource", 1))
        world.traffic.watcher = watcher
        world.apply("one", tags={})
        await world.advance(100)
        lag = 0.0
        await world.advance(1200)
        assert "access" not in world.key("one").tags


async def test_a_kmsalias_that_does_not_show_yet_is_freed_before_its_object_goes() -> None:
    async with World() as world:
        world.start("a")
        world.apply("one")
        await world.ready("one")
        await world.advance(600)
        world.kms.lags = {"DescribeKey": late(290)}
        name = alias(world)
        name.apply(aliasName="front", **at("one"))
        await name.ready()
        await world.advance(60)
        name.delete()
        await name.gone(within=1200)
        assert world.key("one").aliases == frozenset()


@pytest.mark.parametrize("moves", [False, True], ids=["deleted", "moved"])
async def test_a_grant_on_a_key_that_shows_only_now_and_then_is_revoked_before_it_is_forgotten(moves: bool) -> None:
    async with World() as world:
        world.start("a")
        world.apply("two")
        await world.advance(600)
        world.kms.lags = {"DescribeKey": in_turn(0, 150, 300)}
        world.apply("one")
        right = grant(world)
        right.apply(**at("one"), **READ)
        await right.ready(within=900)
        await world.advance(10)
        if moves:
            right.apply(**at("two"), **READ)
            await world.advance(900)
        else:
            right.delete()
            await right.gone(within=1200)
        assert (world.key("one").grants, len(world.key("two").grants)) == ((), int(moves))
