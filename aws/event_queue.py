"""The SQS queue into which EventBridge puts what CloudTrail saw. What its messages say is not known here.

A message that was received is hidden from others for as long as the queue says (30 s by default), and comes again unless it is deleted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aws.answers import decode
from aws.clients import Connection
from aws.errors import InvalidAccessError
from aws.wires import POLL_SECONDS
from reconcilers.reasons import Reason

MOST_MESSAGES = 10  # SQS gives and takes no more at a time
_ACCOUNT = re.compile(r"/([0-9]{12})/[^/]+$")


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody put in, and what it is deleted by."""

    body: str
    receipt: str


async def receive(connection: Connection, queue_url: str) -> tuple[Message, ...]:
    """The next messages; none after POLL_SECONDS without any. Raises AWSError, and InvalidAccessError for another account's queue."""
    account = _ACCOUNT.search(queue_url)
    if account is None or account[1] != connection.account_id:
        raise InvalidAccessError(
            Reason.ACCOUNT_MISMATCH,
            f"The queue {queue_url} is none of account {connection.account_id}, to which the credentials belong: correct spec.events.queueURL.",
        )
    wanted = {"QueueUrl": queue_url, "MaxNumberOfMessages": MOST_MESSAGES, "WaitTimeSeconds": int(POLL_SECONDS)}
    answer = await connection.call("sqs", "ReceiveMessage", wanted)
    return decode("ReceiveMessage", lambda: tuple(Message(one["Body"], one["ReceiptHandle"]) for one in answer.get("Messages") or ()))


async def delete(connection: Connection, queue_url: str, messages: Sequence[Message]) -> None:
    """What SQS does not delete comes again, which is no harm. Raises AWSError and FencedError."""
    entries = [{"Id": str(number), "ReceiptHandle": message.receipt} for number, message in enumerate(messages)]
    await connection.call("sqs", "DeleteMessageBatch", {"QueueUrl": queue_url, "Entries": entries})
