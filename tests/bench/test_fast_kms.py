"""The fast KMS, asked by the operator's own AWS side over the wire: what is measured must have been done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import msgspec
from aiohttp import web

from aws import event_queue, kms
from aws.clients import Clients, Connection
from aws.credentials import AccessRequest, StaticCredentials
from aws.errors import RetryableError
from aws.search import Search
from aws.wires import AwsWires
from reconcilers.actions import CreateKey, EnableKeyRotation, TagResource
from reconcilers.key_status import CreationAttempt
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from reconcilers.states import Asked, Missing, ObservedKey, Rotation
from tests.aws.worlds import terms
from tests.bench.fast_kms import Calls, FastKMS, Quota
from tests.bench.kms_account import ACCOUNT_ID

TAGS = {CLUSTER_TAG: "cluster", OWNER_TAG: "team/orders", UID_TAG: "uid"}
CREATE = CreateKey(
    attempt=CreationAttempt(id="uid.1", time=datetime(2026, 1, 1, tzinfo=UTC), count=1),
    key_spec="SYMMETRIC_DEFAULT",
    key_usage="ENCRYPT_DECRYPT",
    multi_region=False,
    description="Orders",
    policy='{"Statement": []}',
    bypass_policy_lockout_safety_check=False,
    tags=TAGS,
)


@asynccontextmanager
async def served(*, quotas: bool) -> AsyncIterator[str]:
    """The URL of a fast KMS in this process."""
    runner = web.AppRunner(FastKMS(quotas).application())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connection_to(url: str) -> AsyncIterator[Connection]:
    clients = Clients(terms(AwsWires().open), quota_fraction=1.0)
    try:
        yield await clients.connect(AccessRequest("team/dev", "eu-west-3", endpoint=url, static=StaticCredentials("test", "test")))
    finally:
        await clients.close()


async def calls(url: str) -> Calls:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/calls") as answer:
        return msgspec.json.decode(await answer.read(), type=Calls)


async def test_a_key_is_what_was_asked_for_and_every_call_is_counted() -> None:
    async with served(quotas=False) as url, connection_to(url) as connection:
        made = await kms.create_key(connection, CREATE)
        await kms.apply(connection, EnableKeyRotation(key=made.arn, period_in_days=180))
        await kms.apply(connection, TagResource(key=made.arn, tags={"team": "platform"}))
        seen = await kms.observe_key(connection, made.arn, Asked(policy=True))
        counted = await calls(url)
    assert isinstance(seen, ObservedKey)
    assert (seen.account_id, seen.region, seen.description, seen.policy) == (ACCOUNT_ID, "eu-west-3", "Orders", CREATE.policy)
    assert seen.tags == {**TAGS, "team": "platform"}
    assert isinstance(seen.rotation, Rotation)
    assert seen.rotation.period_in_days == 180
    # Its next rotation is news, so that the last ones are read.
    reads = {"DescribeKey", "ListResourceTags", "GetKeyPolicy", "GetKeyRotationStatus", "ListKeyRotations"}
    asked = {"GetCallerIdentity", "CreateKey", "EnableKeyRotation", "TagResource"} | reads
    assert counted.calls == dict.fromkeys(asked, 1)
    assert list(counted.asked_at) == ["team/orders"]


async def test_a_key_is_found_by_its_owner_tags_in_its_region_alone() -> None:
    async with served(quotas=False) as url, connection_to(url) as connection:
        made = await kms.create_key(connection, CREATE)
        found = await Search().find_owned(connection, "cluster", "uid", thorough=True, asked=Asked())
        none = await Search().find_owned(connection, "cluster", "another", thorough=True, asked=Asked())
    assert [key.key_id for key in found.keys] == [made.key_id]
    assert none.keys == ()


async def test_what_is_put_into_the_queue_is_received_once() -> None:
    queue = f"https://sqs.eu-west-3.amazonaws.com/{ACCOUNT_ID}/kms-events"
    async with served(quotas=False) as url, connection_to(url) as connection, aiohttp.ClientSession() as session:
        for body in ("one", "two"):
            await session.post(f"{url}/queue", data=body)
        messages = await event_queue.receive(connection, queue)
        await event_queue.delete(connection, queue, messages)
        await session.post(f"{url}/queue", data="three")
        later = await event_queue.receive(connection, queue)
    assert [[message.body for message in received] for received in (messages, later)] == [["one", "two"], ["three"]]


async def test_an_unknown_key_is_missing() -> None:
    async with served(quotas=False) as url, connection_to(url) as connection:
        assert await kms.observe_key(connection, "no-such-key", Asked(policy=True)) == Missing("no-such-key")


async def test_what_exceeds_a_quota_is_refused_and_counted() -> None:
    async with served(quotas=True) as url, connection_to(url) as one, connection_to(url) as another:
        creations = [kms.create_key(connection, CREATE) for connection in (one, another) for _ in range(5)]
        results = await asyncio.gather(*creations, return_exceptions=True)
        counted = await calls(url)
    refused = [result.failure.code for result in results if isinstance(result, RetryableError)]
    assert refused
    assert set(refused) == {"ThrottlingException"}
    assert counted.throttled == {"CreateKey": len(refused)}
    assert counted.calls["CreateKey"] == 10


def test_a_quota_is_a_seconds_worth_and_refills_evenly() -> None:
    quota = Quota(5.0, now=100.0)
    assert [quota.admits(now) for now in (100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.3, 100.3)] == [True] * 5 + [False, True, False]
