"""The queue, at the wire."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from aws.clients import Clients, Connection
from aws.credentials import Access, AccessRequest
from aws.errors import InvalidAccessError, RetryableError
from aws.event_queue import Message, delete, receive
from aws.wires import Wire
from tests.aws.worlds import Answer, FakeAws, terms
from tests.cluster.emulator import boto

ACCOUNT = "111122223333"
QUEUE = f"https://sqs.eu-central-1.amazonaws.com/{ACCOUNT}/kms-events"
FULL = {"Messages": [{"MessageId": "1", "Body": "one", "ReceiptHandle": "r1"}, {"MessageId": "2", "Body": "two", "ReceiptHandle": "r2"}]}


@asynccontextmanager
async def connected(aws: FakeAws, seconds: float = 10.0) -> AsyncIterator[Connection]:
    aws.answers["GetCallerIdentity"] = lambda *_: {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/u"}
    clients = Clients(replace(terms(aws.open), call_seconds=seconds), 1.0)
    try:
        yield await clients.connect(AccessRequest("shop/main", "eu-central-1"))
    finally:
        await clients.close()


async def test_messages_are_received_and_deleted_together() -> None:
    aws = FakeAws({"ReceiveMessage": lambda *_: FULL, "DeleteMessageBatch": lambda *_: {}})
    async with connected(aws) as connection:
        messages = await receive(connection, QUEUE)
        await delete(connection, QUEUE, messages)
    assert messages == (Message("one", "r1"), Message("two", "r2"))
    entries = [{"Id": "0", "ReceiptHandle": "r1"}, {"Id": "1", "ReceiptHandle": "r2"}]
    assert aws.asked[1:] == [
        ("pod", "ReceiveMessage", {"QueueUrl": QUEUE, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}),
        ("pod", "DeleteMessageBatch", {"QueueUrl": QUEUE, "Entries": entries}),
    ]


async def test_an_empty_queue_has_nothing() -> None:
    async with connected(FakeAws({"ReceiveMessage": lambda *_: {}})) as connection:
        assert await receive(connection, QUEUE) == ()


async def test_a_garbled_answer_is_asked_for_again() -> None:
    async with connected(FakeAws({"ReceiveMessage": lambda *_: {"Messages": [{}]}})) as connection:
        with pytest.raises(RetryableError):
            await receive(connection, QUEUE)


@pytest.mark.parametrize("queue", [QUEUE.replace(ACCOUNT, "444455556666"), "https://sqs.eu-central-1.amazonaws.com/queue"])
async def test_another_accounts_queue_is_not_asked(queue: str) -> None:
    aws = FakeAws()
    async with connected(aws) as connection:
        with pytest.raises(InvalidAccessError, match="none of account 111122223333"):
            await receive(connection, queue)
    assert aws.operations() == ["GetCallerIdentity"]


async def test_waiting_for_messages_is_no_call_that_hangs() -> None:
    """A call is bounded by half a short lease; one that waits for messages takes 20 s when all is well."""
    aws = SlowQueue({"ReceiveMessage": lambda *_: FULL})
    async with connected(aws, seconds=0.01) as connection:
        asyncio.get_running_loop().call_later(0.05, aws.gate.set)
        assert len(await receive(connection, QUEUE)) == 2


async def test_the_sdk_takes_what_is_in_a_queue_wherever_its_url_leads(connection: Connection, moto: str) -> None:
    """The endpoint decides where the request goes, and the URL is but the queue's name: so no provider can send us elsewhere by it."""
    url = f"https://sqs.eu-central-1.amazonaws.com/{connection.account_id}/taken"
    with contextlib.closing(boto(moto, "sqs", "eu-central-1")) as sqs:
        sqs.create_queue(QueueName="taken")
        sqs.send_message(QueueUrl=url, MessageBody='{"source": "aws.kms"}')
        messages = await receive(connection, url)
        assert [message.body for message in messages] == ['{"source": "aws.kms"}']
        await delete(connection, url, messages)
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        assert set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()) == {"0"}


class SlowQueue(FakeAws):
    """Answers when the gate is open."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        super().__init__(answers)
        self.gate = asyncio.Event()

    async def open(self, access: Access, service: str) -> Wire:
        await super().open(access, service)
        self.opened[-1].gate = self.gate if service == "sqs" else None
        return self.opened[-1]
