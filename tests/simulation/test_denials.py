"""A permission that is missing for hours, for each operation that is used: named, asked for rarely, no reason for a second key."""

from collections import Counter

import pytest

from reconcilers.failures import LONGEST_WAIT
from tests.simulation import single_writes
from tests.simulation.dependents import ALIAS_SCENARIOS, GRANT_SCENARIOS, Thing
from tests.simulation.etcd import Json
from tests.simulation.scenarios import CONFIG_MAP, FULL, READER, SIGNING
from tests.simulation.single_writes import WRITES
from tests.simulation.world import World

pytestmark = [pytest.mark.virtual_time, pytest.mark.holds("F8", "I23")]

HOUR = 3600.0
TRIES_AN_HOUR = HOUR / LONGEST_WAIT.total_seconds()
# At first sooner, because IAM takes a minute to spread a permission: after 1, 2, 4 and 8 minutes. One more is the change's own.
TRIES_IN_THE_FIRST_HOUR = 16
CHANGED = {"description": "x", "keyPolicy": FULL["keyPolicy"].replace("2012", "2008"), "tags": {"a": "b"}, "enabled": False}

REASONS = {"ReplicateKey": "ReplicaNotReady", "ScheduleKeyDeletion": "DeletionBlocked"}


def assert_tried_rarely(world: World, operation: str, since: float) -> None:
    tries = Counter((call.at - since) // HOUR for call in world.traffic.calls if call.name == operation and call.at >= since)
    first = tries.pop(0)
    assert 0 < first <= TRIES_IN_THE_FIRST_HOUR
    assert max(tries.values()) <= TRIES_AN_HOUR


def assert_told(ready: Json, operation: str, reason: str = "AccessDenied") -> None:
    assert (ready["status"], ready["reason"]) == ("False", reason), operation
    assert f"Allow kms:{operation} " in ready["message"]


async def test_a_write_that_is_denied_for_hours_is_named_and_tried_rarely_and_makes_no_second_key() -> None:
    """All writes at once, each with a key of its own."""
    async with World() as world:
        world.start("a")
        await single_writes.prepare(world)
        made = len(world.kms.made)
        world.kms.denied = set(WRITES)
        began = world.time
        single_writes.act(world)
        await world.advance(2 * HOUR)
        for operation in WRITES:
            assert_told(world.condition(operation.lower()), operation, REASONS.get(operation, "AccessDenied"))
            assert_tried_rarely(world, operation, began)
        assert world.traffic.names("aws", began) == {}
        assert len(world.kms.made) == made
        world.kms.denied = set()
        await single_writes.settle(world)
        assert world.traffic.names("aws", began) == dict.fromkeys(WRITES, 1)


READS = ["DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "GetPublicKey", "ListAliases", "ListGrants", "ListResourceTags"]
READ_OF: dict[str, Json] = {"GetPublicKey": SIGNING | {"exportTo": CONFIG_MAP}}


@pytest.mark.parametrize("operation", READS)
async def test_a_read_that_is_denied_for_hours_is_named_and_tried_rarely_and_makes_no_second_key(operation: str) -> None:
    async with World() as world:
        world.start("a")
        spec = READ_OF.get(operation, FULL | {"aliases": ["orders"], "grants": [READER]})
        world.kms.denied = {operation}
        world.apply("orders", **spec)
        await world.advance(2 * HOUR)
        assert_told(world.condition("orders"), operation)
        assert_tried_rarely(world, operation, 0)
        assert len(world.kms.made) == 1
        world.kms.denied = set()
        await world.ready("orders")
        assert len(world.kms.made) == 1


OF_DEPENDENTS = {
    "CreateAlias": ALIAS_SCENARIOS["create an alias"],
    "UpdateAlias": ALIAS_SCENARIOS["move an alias"],
    "DeleteAlias": ALIAS_SCENARIOS["delete an alias"],
    "CreateGrant": GRANT_SCENARIOS["create one grant"],
    "RevokeGrant": GRANT_SCENARIOS["delete one grant"],
}


@pytest.mark.parametrize("operation", OF_DEPENDENTS)
async def test_a_write_that_is_denied_to_an_object_at_a_key_is_named_and_tried_rarely(operation: str) -> None:
    scenario = OF_DEPENDENTS[operation]
    async with World() as world:
        world.start("a")
        await scenario.prepare(world)
        world.kms.denied = {operation}
        began = world.time
        scenario.act(world)
        await world.advance(2 * HOUR)
        reason = "DeletionBlocked" if scenario.after is None else "AccessDenied"
        assert_told(Thing(world, scenario.resource, "front").condition(), operation, reason)
        assert_tried_rarely(world, operation, began)
        assert world.traffic.names("aws", began) == {}
        world.kms.denied = set()
        await scenario.settle(world)


@pytest.mark.parametrize(
    "operation", ["DisableKeyRotation", "DisableKey", "PutKeyPolicy", "TagResource", "UntagResource", "UpdateKeyDescription"]
)
async def test_a_missing_permission_is_no_news_from_look_to_look_and_heals(operation: str) -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.kms.denied = {operation}
        world.apply("orders", **CHANGED)
        await world.reason("orders", "AccessDenied")
        await world.advance(900)
        began = world.time
        await world.advance(HOUR)
        assert world.traffic.names("aws", began) == {}
        assert world.traffic.names("kube", began)["PATCH kmskeys/status"] == 0
        assert world.reasons("orders", began) == {"AccessDenied"}
        world.kms.denied = set()
        await world.ready("orders")


async def test_a_missing_permission_to_rotate_makes_no_second_key() -> None:
    async with World() as world:
        world.start("a")
        world.kms.denied = {"EnableKeyRotation"}
        world.apply("orders", **FULL)
        await world.reason("orders", "AccessDenied")
        await world.advance(6 * HOUR)
        assert len(world.kms.made) == 1
        world.kms.denied = set()
        await world.ready("orders")
        assert world.traffic.names("aws") == {"CreateKey": 1, "EnableKeyRotation": 1}
