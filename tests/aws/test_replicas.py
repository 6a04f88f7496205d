"""Replicas on the wire, against the strict AWS: three regions behind one endpoint, each asked through a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from aws.channels import Terms
from aws.clients import Clients, Connection
from aws.credentials import AccessRequest
from aws.errors import AWSError, BlockedError, InvalidAccessError, RetryableError, StalledError, UnknownResultError
from aws.kms import apply, create_key, observe_key
from aws.quotas import PER_SECOND
from aws.replicas import NOT_TO_BE_SEEN, failed, replicate_key, with_replicas
from reconcilers.actions import EnableKeyRotation, ReplicateKey, ScheduleKeyDeletion
from reconcilers.arns import in_region
from reconcilers.key_status import CreationAttempt
from reconcilers.reasons import Reason
from reconcilers.states import Asked, Failure, FailureKind, Missing, ObservedKey, Rotation, Unobservable
from tests.aws.conftest import TEST
from tests.aws.test_kms import CREATE, TAGS
from tests.aws.worlds import FakeAws, terms
from tests.reconcilers.builders import observed
from tests.simulation.kms_model import Kms, late
from tests.simulation.kms_passing import CREATING, UPDATING
from tests.strict.http_faults import Fault
from tests.strict.server import StrictAws

US, EU, ASIA = "us-east-1", "eu-west-1", "ap-south-1"
ATTEMPT = CreationAttempt(id="u.1", time=datetime(2026, 1, 1, tzinfo=UTC), count=1)
NO_POLICY = Asked()
FOR_EVER = -1


@dataclass
class World:
    """The strict AWS, whose KMS has a clock that only `wait` moves, and our connection to us-east-1."""

    aws: StrictAws
    connection: Connection
    clock: list[datetime]

    def wait(self, time: timedelta) -> None:
        self.clock[0] += time

    def asked(self) -> list[tuple[str, str]]:
        """The calls to KMS and their regions, forgotten with that."""
        told = [(call["operation"], call.get("region", "")) for call in self.aws.calls if call["operation"] != "GetCallerIdentity"]
        self.aws.calls.clear()
        return told

    async def outside(self, operation: str, region: str = US, **parameters: Any) -> None:
        await (await self.connection.at(region)).call("kms", operation, parameters)

    async def key(self) -> ObservedKey:
        """A new multi-Region primary."""
        return await create_key(self.connection, replace(CREATE, multi_region=True))

    async def replicated(self) -> ObservedKey:
        """The same, with a settled replica in eu-west-1."""
        key = await self.key()
        await replicate_key(self.connection, to(EU, key))
        self.wait(CREATING)
        return key

    async def look(self, key: ObservedKey, *regions: str, asked: Asked = NO_POLICY) -> ObservedKey:
        """The key with its replicas; regions: those that the object declares or remembers."""
        seen = await observe_key(self.connection, key.arn, asked)
        assert isinstance(seen, ObservedKey)
        return await with_replicas(self.connection, seen, replace(asked, replicas=dict.fromkeys(regions, asked)))


@pytest.fixture
async def world(sdk_terms: Terms) -> AsyncIterator[World]:
    clock = [datetime.now(UTC)]
    strict = StrictAws(Kms(lambda: clock[0]))
    runner = web.AppRunner(strict.application(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    clients = Clients(sdk_terms, quota_fraction=1.0)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield World(strict, await clients.connect(AccessRequest("team/dev", US, endpoint=url, static=TEST)), clock)
    await clients.close()
    await runner.cleanup()


def to(region: str, key: ObservedKey, **changes: Any) -> ReplicateKey:
    action = ReplicateKey(key.arn, region, ATTEMPT, "there", None, False, TAGS)
    return replace(action, **changes)


def there(seen: ObservedKey, region: str = EU) -> ObservedKey:
    found = seen.replicas[region]
    assert isinstance(found, ObservedKey), found
    return found


def unseen(seen: ObservedKey, region: str = EU) -> Unobservable:
    found = seen.replicas[region]
    assert isinstance(found, Unobservable), found
    return found


# -- another region


async def test_another_region_is_the_same_account_and_asked_once_who_we_are(world: World) -> None:
    elsewhere = await world.connection.at(EU)
    assert (elsewhere.account_id, elsewhere.region) == (world.connection.account_id, EU)
    assert await world.connection.at(EU) is elsewhere
    assert await world.connection.at(US) is world.connection
    assert [call["region"] for call in world.aws.calls] == [US, EU]


async def test_a_region_that_the_account_has_not_opted_in_to_cannot_be_spoken_to(world: World) -> None:
    world.aws.faults.on = [Fault("error_before", "GetCallerIdentity", code="InvalidClientTokenId", status=403, region=EU)]
    with pytest.raises(BlockedError):
        await world.connection.at(EU)
    assert (await world.connection.at(EU)).region == EU  # once it has


# -- made


async def test_a_replica_is_made_by_one_call_and_seen_as_it_was_answered(world: World) -> None:
    key = await world.key()
    world.asked()
    made = await replicate_key(world.connection, to(EU, key))
    assert world.asked() == [("ReplicateKey", US)]
    assert (made.arn, made.region, made.key_id) == (in_region(key.arn, EU), EU, key.key_id)
    assert (made.state, made.multi_region_key_type, made.description, made.tags) == ("Creating", "REPLICA", "there", TAGS)
    world.wait(CREATING)
    seen = there(await world.look(key))
    assert seen == replace(made, state="Enabled", aliases=None)


async def test_a_replica_has_the_policy_of_the_request(world: World) -> None:
    key = await world.key()
    policy = world.aws.kms.keys[0].policy.replace("kms:*", "kms:*Key*")
    await replicate_key(world.connection, to(EU, key, policy=policy, bypass_policy_lockout_safety_check=True))
    assert [one.policy for one in world.aws.kms.keys if one.region == EU] == [policy]


async def _made_already(world: World, key: ObservedKey) -> None:
    await replicate_key(world.connection, to(ASIA, key))


async def _moved_away(world: World, key: ObservedKey) -> None:
    await replicate_key(world.connection, to(EU, key))
    world.wait(CREATING)
    await world.outside("UpdatePrimaryRegion", KeyId=key.key_id, PrimaryRegion=EU)
    world.wait(UPDATING)


async def _disabled(world: World, key: ObservedKey) -> None:
    await world.outside("DisableKey", KeyId=key.key_id)


async def _denied(world: World, _: ObservedKey) -> None:
    world.aws.kms.denied = {"ReplicateKey"}


@pytest.mark.parametrize(
    ("prepare", "error", "code"),
    [
        (_made_already, AWSError, "AlreadyExistsException"),
        (_moved_away, StalledError, "UnsupportedOperationException"),
        (_disabled, RetryableError, "DisabledException"),
        (_denied, BlockedError, "AccessDeniedException"),
    ],
)
async def test_a_refusal_is_a_known_result_and_told_with_its_code(
    world: World, prepare: Callable[[World, ObservedKey], Awaitable[None]], error: type[AWSError], code: str
) -> None:
    key = await world.key()
    await prepare(world, key)
    with pytest.raises(error) as caught:
        await replicate_key(world.connection, to(ASIA, key))
    assert not isinstance(caught.value, UnknownResultError)
    assert caught.value.failure.code == code


@pytest.mark.parametrize(("kind", "made"), [("lost_request", 0), ("lost_answer", 1), ("error_after", 1), ("invalid_body", 1)])
async def test_an_answer_that_does_not_come_is_an_unknown_result_and_the_call_was_sent_once(world: World, kind: str, made: int) -> None:
    key = await world.key()
    world.asked()
    world.aws.faults.on = [Fault(kind, "ReplicateKey", FOR_EVER)]
    with pytest.raises(UnknownResultError):
        await replicate_key(world.connection, to(EU, key))
    assert [operation for operation, _ in world.asked()] == ["ReplicateKey"]
    assert sum(one.region == EU for one in world.aws.kms.keys) == made


# -- seen


async def test_a_key_without_replicas_costs_no_call_elsewhere(world: World) -> None:
    key = await world.key()
    world.asked()
    assert (await world.look(key)).replicas == {}
    assert {region for _, region in world.asked()} == {US}


async def test_a_key_of_one_region_is_looked_for_nowhere_else(world: World) -> None:
    key = await create_key(world.connection, CREATE)
    assert (await world.look(key, EU)).replicas == {}


async def test_replicas_are_looked_at_where_kms_lists_them_and_where_the_object_knows_them(world: World) -> None:
    seen = await world.look(await world.replicated(), ASIA)
    assert there(seen).state == "Enabled"
    assert isinstance(seen.replicas[ASIA], Missing)


async def test_a_replica_that_kms_lists_and_does_not_show_is_not_missing(world: World) -> None:
    key = await world.key()
    world.wait(timedelta(minutes=10))
    await replicate_key(world.connection, to(EU, key))
    world.aws.kms.lags["DescribeKey"] = late(300)
    assert (await world.look(key)).replicas[EU] == NOT_TO_BE_SEEN


DENIED = {"code": "AccessDeniedException", "message": "no", "status": 400}
NOT_OPTED_IN = {"operation": "GetCallerIdentity", "code": "InvalidClientTokenId", "status": 403}
TROUBLES: list[tuple[dict[str, Any], Reason]] = [
    ({"kind": "error_before", "operation": "DescribeKey", **DENIED}, Reason.ACCESS_DENIED),
    ({"kind": "lost_request", "operation": "*"}, Reason.AWS_UNAVAILABLE),
    ({"kind": "throttled", "operation": "DescribeKey"}, Reason.THROTTLED),
    ({"kind": "error_before", **NOT_OPTED_IN}, Reason.INVALID_REGION),
]


@pytest.mark.parametrize(("fault", "reason"), TROUBLES, ids=["denied", "cut", "throttled", "not opted in"])
async def test_a_region_in_trouble_says_so_and_the_others_are_seen(world: World, fault: dict[str, Any], reason: Reason) -> None:
    key = await world.replicated()
    await replicate_key(world.connection, to(ASIA, key))
    world.wait(CREATING)
    world.aws.faults.on = [Fault(**fault, times=FOR_EVER, region=EU)]
    seen = await world.look(key)
    assert unseen(seen).reason is reason
    assert there(seen, ASIA).state == "Enabled"


DENIAL = BlockedError(Failure(FailureKind.WAIT_FOR_CAUSE, "TagResource", "AccessDeniedException", "no"))


@pytest.mark.parametrize("error", [DENIAL, InvalidAccessError(Reason.INVALID_REGION, "no")])
def test_a_region_that_refused_something_is_left_alone_for_this_pass(error: AWSError | InvalidAccessError) -> None:
    key = replace(observed(), replicas={EU: observed(), ASIA: observed()})
    seen = failed(key, EU, error)
    assert seen.replicas[ASIA] == key.replicas[ASIA]
    expected = error.reason if isinstance(error, InvalidAccessError) else Reason.ACCESS_DENIED
    assert unseen(seen).reason is expected


# -- the primary moved to another region by somebody else


async def test_a_key_whose_primary_was_moved_is_a_replica_and_its_rotation_is_read_where_the_primary_is(world: World) -> None:
    key = await world.replicated()
    await apply(world.connection, EnableKeyRotation(key.arn, 200))
    await world.outside("UpdatePrimaryRegion", KeyId=key.key_id, PrimaryRegion=EU)
    assert (await world.look(key, EU)).state == "Updating"
    world.wait(UPDATING)
    seen = await world.look(key, EU)
    assert (seen.arn, seen.multi_region_key_type, seen.rotation) == (key.arn, "REPLICA", None)
    assert there(seen).multi_region_key_type == "PRIMARY"
    rotation = there(seen).rotation
    assert isinstance(rotation, Rotation)
    assert (rotation.enabled, rotation.period_in_days) == (True, 200)


async def test_of_a_moved_primary_only_the_regions_that_the_object_knows_are_looked_at(world: World) -> None:
    key = await world.replicated()
    await world.outside("UpdatePrimaryRegion", KeyId=key.key_id, PrimaryRegion=EU)
    world.wait(UPDATING)
    assert (await world.look(key)).replicas == {}


async def test_a_write_goes_to_the_region_of_its_arn_only(world: World) -> None:
    key = await world.replicated()
    replica = in_region(key.arn, EU)
    with pytest.raises(InvalidAccessError):
        await apply(world.connection, ScheduleKeyDeletion(replica, 7))
    await apply(await world.connection.at(EU), ScheduleKeyDeletion(replica, 7))
    assert {one.region: one.state for one in world.aws.kms.keys} == {US: "Enabled", EU: "PendingDeletion"}


# -- quotas


@pytest.mark.virtual_time
async def test_a_replica_takes_one_replication_here_and_two_creations_there() -> None:
    aws = FakeAws({"GetCallerIdentity": lambda *_: {"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/u"}})
    clients = Clients(terms(aws.open), quota_fraction=1.0)
    connection = await clients.connect(AccessRequest("ns/p", US))
    loop = asyncio.get_running_loop()
    most = int(PER_SECOND["CreateKey"]) // 2
    for _ in range(most):
        await connection.take_replication_quota(EU)
    began, there = loop.time(), await connection.at(EU)
    await there.take_quota("CreateKey")
    assert loop.time() == began  # the odd one of five is left
    await there.take_quota("CreateKey")
    assert loop.time() > began
    began = loop.time()
    await connection.take_quota("CreateKey")
    assert loop.time() == began
    await clients.close()
