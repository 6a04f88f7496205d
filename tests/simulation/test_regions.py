"""Replicas while a region is in trouble, while reads are late, and after somebody has moved the primary: the other regions go on, nothing is
made twice, and the object says what is so."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.names import OWNER_TAGS, RECREATE_ANNOTATION
from reconcilers.primaries import NO_REPLICATION, NO_ROTATION_HERE, OUT_OF_SIGHT
from tests.simulation.aws_wires import lost_answer, not_sent, refused
from tests.simulation.faults import Fault
from tests.simulation.kms_keys import Key
from tests.simulation.kms_model import Lag, flapping, in_turn, late
from tests.simulation.world import ADMIN, REGION, World

pytestmark = pytest.mark.virtual_time

EU, ASIA = "eu-west-1", "ap-south-1"
BOTH = [{"region": EU}, {"region": ASIA}]
HOUR = 3600.0
LATE_READS = ("DescribeKey", "ListResourceTags", "GetKeyPolicy", "ListAliases", "GetKeyRotationStatus", "GetResources")


def regions(world: World) -> dict[str, str]:
    """Where the key is, and in which state."""
    return {key.region: key.state for key in world.kms.keys}


def replicated(world: World, region: str) -> int:
    """How often ReplicateKey was executed into this region, whatever came of the answer."""
    calls = (call for call in world.traffic.calls if call.name == "ReplicateKey" and call.outcome == "OK")
    return sum(call.parameters["ReplicaRegion"] == region for call in calls)


# -- a region in trouble


def unreachable() -> list[Fault]:
    return [not_sent("*", math.inf, region=EU)]


def denied() -> list[Fault]:
    return [refused("*", "AccessDeniedException", "with an explicit deny in a service control policy", math.inf, region=EU)]


def not_opted_in() -> list[Fault]:
    words = "The security token included in the request is invalid."
    return [
        refused("GetCallerIdentity", "InvalidClientTokenId", words, math.inf, region=EU),
        refused("*", "UnrecognizedClientException", words, math.inf, region=EU),
    ]


TROUBLES = pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (unreachable, "EndpointConnectionError"),
        (denied, "Allow "),
        (not_opted_in, f"enable the region {EU} for the account"),
    ],
)


@TROUBLES
async def test_a_region_that_takes_no_replica_holds_up_no_other_and_is_named(trouble: Callable[[], list[Fault]], words: str) -> None:
    async with World() as world:
        world.start("a")
        for fault in trouble():
            world.traffic.faults.on(fault)
        world.apply("orders", multiRegion=True, replicas=BOTH, aliases=["orders"], enableKeyRotation=True)
        world.apply("other")
        await world.reason("orders", "ReplicaNotReady")
        await world.ready("other")
        await world.advance(HOUR)
        assert {REGION, ASIA} <= {key.region for key in world.kms.keys if key.multi_region}
        assert world.key("orders").rotation_days is not None
        assert words in world.condition("orders")["message"]
        assert EU in world.condition("orders")["message"]
        assert ASIA not in world.condition("orders")["message"]
        since = world.time
        await world.advance(HOUR)
        assert (world.traffic.names("aws", since), world.traffic.names("kube", since)) == ({}, {})
        world.traffic.faults.clear()
        await world.ready("orders")
        assert [replicated(world, region) for region in (EU, ASIA)] == [1, 1]


@TROUBLES
async def test_a_region_that_was_fine_before_costs_no_write_while_it_is_in_trouble(trouble: Callable[[], list[Fault]], words: str) -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", multiRegion=True, replicas=BOTH)
        await world.ready("orders")
        since = world.time
        for fault in trouble():
            world.traffic.faults.on(fault)
        await world.until(lambda: not world.is_ready("orders"))
        assert words in world.condition("orders", "Synced")["message"]
        await world.advance(HOUR)
        # What passes by itself is no news for a key that was ready; what somebody has to mend is.
        assert world.condition("orders")["status"] == ("True" if trouble is unreachable else "False")
        world.patch("orders", {"spec": {"description": "new"}})
        await world.until(lambda: [key.description for key in world.kms.keys if key.region != EU] == ["new", "new"])
        assert set(world.traffic.names("aws", since)) == {"UpdateKeyDescription"}
        world.traffic.faults.clear()
        await world.ready("orders")
        assert {key.description for key in world.kms.keys} == {"new"}
        assert [replicated(world, region) for region in (EU, ASIA)] == [1, 1]


async def test_a_key_that_shall_be_disabled_is_so_after_its_replica_was_made_though_the_region_could_not_be_seen_at_first() -> None:
    async with World() as world:
        world.start("a")
        world.traffic.faults.on(lost_answer("CreateKey"))
        world.traffic.faults.on(not_sent("DescribeKey", 3, region=EU))
        world.apply("orders", multiRegion=True, replicas=[{"region": EU}], enabled=False)
        await world.ready("orders", within=900)
        assert regions(world) == {REGION: "Disabled", EU: "Disabled"}


async def test_a_deletion_waits_for_a_region_that_may_hold_a_replica_and_says_which() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", multiRegion=True, replicas=BOTH)
        await world.ready("orders")
        for fault in denied():
            world.traffic.faults.on(fault)
        world.delete("orders")
        await world.reason("orders", "DeletionBlocked")
        assert EU in world.condition("orders")["message"]
        await world.advance(HOUR)
        assert world.find("orders") is not None
        assert regions(world)[EU] == "Enabled"
        world.traffic.faults.clear()
        await world.gone("orders")
        assert regions(world) == {REGION: "PendingReplicaDeletion", EU: "PendingDeletion", ASIA: "PendingDeletion"}


# -- a region that is asked for again


@pytest.mark.parametrize("policy", ["ScheduleKeyDeletion", "Retain", "DisableKey"])
async def test_a_replica_that_is_asked_for_again_keeps_nothing_of_what_was_asked_for_before(policy: str) -> None:
    async with World() as world:
        world.start("a")
        spec = {"multiRegion": True, "deletionPolicy": policy}
        world.apply("orders", **spec, tags={"team": "shop", "stage": "prod"}, replicas=[{"region": EU, "aliases": ["orders"]}])
        await world.ready("orders")
        await world.advance(HOUR)
        world.apply("orders", **spec, tags={"team": "shop", "stage": "prod"}, replicas=[])
        await world.ready("orders")
        await world.advance(HOUR)
        world.apply("orders", **spec, tags={"team": "mail"}, replicas=[{"region": EU}])
        await world.ready("orders")
        await world.advance(HOUR)
        replica = in_region(world, EU)
        assert (replica.state, replica.aliases, set(replica.tags) - set(OWNER_TAGS)) == ("Enabled", frozenset(), {"team"})
        assert replica.tags["team"] == "mail"
        assert replicated(world, EU) == 1


# -- late reads


@pytest.mark.holds("F31", "F32")
@pytest.mark.parametrize("lag", [late(60), late(300), flapping(300), in_turn(0, 150, 300)], ids=["60", "300", "flapping", "in turn"])
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer lost"])
async def test_replicas_that_kms_shows_late_are_made_once_and_their_key_goes_back_and_forth_about_nothing(lag: Lag, *, lost: bool) -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", multiRegion=True, aliases=["orders"], tags={"team": "shop"})
        await world.ready("orders")
        await world.advance(600)
        since = world.time
        world.kms.lags = dict.fromkeys(LATE_READS, lag)
        if lost:
            world.traffic.faults.on(lost_answer("ReplicateKey"))
        world.apply("orders", multiRegion=True, aliases=["orders"], tags={"team": "shop"}, replicas=BOTH)
        await world.until(lambda: len(world.kms.keys) == 3)
        await world.until(lambda: world.condition("orders")["status"] == "False")
        await world.until(lambda: world.condition("orders")["status"] == "True")
        ready = world.time
        await world.advance(HOUR)
        assert world.is_ready("orders")
        assert [replicated(world, region) for region in (EU, ASIA)] == [1, 1]
        assert world.reasons("orders", ready) == {"Available"}
        assert world.traffic.names("kube", since)["PATCH kmskeys/status"] <= 15
        assert all("alias/orders" in key.aliases and key.tags["team"] == "shop" for key in world.kms.keys)


@pytest.mark.holds("F32")
async def test_a_changed_replica_that_is_read_late_is_written_a_few_times_and_not_at_each_look() -> None:
    async with World() as world:
        world.start("a", resync_interval=timedelta(seconds=30))
        world.apply("orders", multiRegion=True, replicas=BOTH)
        await world.ready("orders")
        await world.advance(600)
        since = world.time
        world.kms.lags = dict.fromkeys(LATE_READS, late(300))
        world.apply("orders", multiRegion=True, replicas=BOTH, description="new")
        await world.advance(HOUR)
        assert world.traffic.names("aws", since)["UpdateKeyDescription"] <= 3 * 6
        assert world.reasons("orders", since) <= {"Available", "Updating"}


@pytest.mark.holds("F31")
async def test_a_new_key_that_only_some_hosts_know_says_so_once() -> None:
    async with World() as world:
        world.start("a")
        world.kms.lags = dict.fromkeys(LATE_READS, in_turn(0, 150, 300))
        world.apply("orders", aliases=["orders"])
        await world.ready("orders")
        await world.advance(600)
        assert world.reasons("orders", 0) <= {"Creating", "KeyNotUsableYet", "Updating", "Available"}
        assert world.traffic.names("kube")["PATCH kmskeys/status"] < 10
        assert len(world.kms.made) == 1


# -- the primary moved by somebody else


async def moved(world: World, **spec: object) -> Key:
    """A key with a replica, whose primary somebody has moved there."""
    world.start("a")
    world.apply("orders", multiRegion=True, **spec)
    await world.ready("orders")
    await world.advance(600)
    key = world.key("orders")
    world.outside("UpdatePrimaryRegion", KeyId=key.arn, PrimaryRegion=EU)
    return key


def in_region(world: World, region: str) -> Key:
    return next(key for key in world.kms.keys if key.region == region)


async def test_a_primary_that_was_moved_keeps_its_rotation_and_the_object_its_key() -> None:
    async with World() as world:
        key = await moved(world, replicas=[{"region": EU}], enableKeyRotation=True, rotationPeriodInDays=200)
        since = world.time
        await world.advance(HOUR)
        assert world.is_ready("orders")
        assert world.reasons("orders", since) == {"Available"}
        assert world.condition("orders")["message"].endswith(f"Its primary is in {EU} now.")
        assert (world.status("orders")["keyId"], world.status("orders")["multiRegionKeyType"]) == (key.key_id, "REPLICA")
        assert world.traffic.names("aws", since) == {}
        assert in_region(world, EU).rotation_days == 200
        world.patch("orders", {"spec": {"rotationPeriodInDays": 300}})
        await world.ready("orders")
        assert in_region(world, EU).rotation_days == 300
        world.kms.handle("kms", "UpdatePrimaryRegion", {"KeyId": key.key_id, "PrimaryRegion": REGION}, replace(ADMIN, region=EU))
        await world.advance(HOUR)
        assert world.is_ready("orders")
        assert in_region(world, REGION).rotation_days == 300
        assert "primary" not in world.condition("orders")["message"]
        assert len(world.kms.made) == 2


async def test_what_only_the_primary_could_do_is_told_with_the_way_out() -> None:
    async with World() as world:
        await moved(world, replicas=[{"region": EU}])
        await world.advance(60)
        world.patch("orders", {"spec": {"rotateOnDemand": "now"}})
        await world.until(lambda: world.condition("orders")["message"] == NO_ROTATION_HERE)
        world.patch("orders", {"spec": {"rotateOnDemand": None, "replicas": BOTH}})
        await world.until(lambda: world.condition("orders")["message"] == f"{ASIA}: {NO_REPLICATION}")
        world.patch("orders", {"spec": {"replicas": []}})
        await world.until(lambda: "KMS deletes a primary only after its replicas" in world.condition("orders")["message"])
        await world.advance(HOUR)
        assert regions(world) == {REGION: "Enabled", EU: "Enabled"}
        world.patch("orders", {"spec": {"replicas": [{"region": EU}]}})
        await world.ready("orders")


async def test_a_rotation_that_went_with_the_primary_to_an_unknown_region_is_told() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", multiRegion=True, enableKeyRotation=True, rotationPeriodInDays=200)
        await world.ready("orders")
        key = world.key("orders")
        world.outside("ReplicateKey", KeyId=key.arn, ReplicaRegion=ASIA)
        await world.advance(600)
        world.outside("UpdatePrimaryRegion", KeyId=key.arn, PrimaryRegion=ASIA)
        await world.until(lambda: f"primary is in {ASIA}" in world.condition("orders")["message"])
        world.patch("orders", {"spec": {"rotationPeriodInDays": 300}})
        await world.until(lambda: world.condition("orders", "Synced")["message"] == OUT_OF_SIGHT.message)
        await world.advance(HOUR)
        assert in_region(world, ASIA).rotation_days == 200


async def test_a_status_that_got_lost_finds_the_key_again_whose_primary_was_moved() -> None:
    async with World() as world:
        key = await moved(world, replicas=[{"region": EU}])
        await world.advance(60)
        world.replicas["a"].kill()
        world.patch("orders", {"metadata": {"annotations": None}})
        world.patch("orders", {"status": None}, "status")
        world.start("b")
        await world.ready("orders")
        assert world.status("orders")["keyId"] == key.key_id
        assert len(world.kms.made) == 2


async def lost_with_the_primary_elsewhere(world: World) -> Key:
    """The key as it was; its primary lives in the other region."""
    key = await moved(world, replicas=[{"region": EU}])
    await world.advance(60)
    world.kms.destroy(key.arn)
    await world.reason("orders", "KeyLost")
    return key


def schedule_the_deletion_of_the_primary(world: World) -> None:
    primary = in_region(world, EU).arn
    world.kms.handle("kms", "ScheduleKeyDeletion", {"KeyId": primary, "PendingWindowInDays": 7}, replace(ADMIN, region=EU))


async def test_an_object_whose_key_is_gone_stays_until_the_primary_that_was_moved_is_dealt_with() -> None:
    async with World() as world:
        await lost_with_the_primary_elsewhere(world)
        world.delete("orders")
        await world.reason("orders", "DeletionBlocked")
        assert f"not from {EU}" in world.condition("orders")["message"]
        await world.advance(HOUR)
        assert regions(world) == {EU: "Enabled"}
        schedule_the_deletion_of_the_primary(world)
        await world.gone("orders")


async def test_a_lost_key_is_not_replaced_while_the_primary_that_was_moved_would_be_left_behind() -> None:
    async with World() as world:
        key = await lost_with_the_primary_elsewhere(world)
        world.patch("orders", {"metadata": {"annotations": {RECREATE_ANNOTATION: key.key_id}}})
        await world.advance(HOUR)
        assert f"in {EU} it is" in world.condition("orders")["message"]
        assert len(world.kms.made) == 2
        schedule_the_deletion_of_the_primary(world)
        await world.ready("orders", within=900)
        assert {(one.region, one.state) for one in world.kms.keys if one.key_id != key.key_id} == {(REGION, "Enabled"), (EU, "Enabled")}


async def test_a_replica_whose_aliases_were_freed_has_none_of_ours_when_it_is_asked_for_again() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", multiRegion=True, replicas=[{"region": EU, "aliases": ["orders"]}])
        await world.ready("orders")
        world.apply("orders", multiRegion=True, replicas=[])
        await world.until(lambda: regions(world)[EU] == "PendingDeletion")
        await world.advance(HOUR)
        theirs, there = in_region(world, EU).arn, replace(ADMIN, region=EU)
        world.kms.handle("kms", "CancelKeyDeletion", {"KeyId": theirs}, there)
        world.kms.handle("kms", "CreateAlias", {"AliasName": "alias/orders", "TargetKeyId": theirs}, there)
        world.apply("orders", multiRegion=True, replicas=[{"region": EU}])
        await world.until(lambda: regions(world)[EU] == "Enabled")
        await world.ready("orders")
        await world.advance(HOUR)
        assert in_region(world, EU).aliases == {"alias/orders"}


async def test_a_deleted_object_takes_along_the_key_and_the_primary_that_was_moved() -> None:
    async with World() as world:
        await moved(world, replicas=[{"region": EU}], aliases=["orders"])
        world.delete("orders")
        await world.gone("orders")
        assert regions(world) == {REGION: "PendingDeletion", EU: "PendingReplicaDeletion"}
        assert not any(key.aliases for key in world.kms.keys)
