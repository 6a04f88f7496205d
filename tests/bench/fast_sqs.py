"""One SQS queue, whatever its URL: what was put in is handed out once, to whoever waits for it.

A message is not hidden and does not come again. A benchmark has one reader, which deletes what it has read.
"""

import asyncio
from typing import Any

MOST_MESSAGES = 10


class FastSQS:
    """The operations of SQS's JSON protocol that a reader needs."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[str] = asyncio.Queue()

    def put(self, body: str) -> None:
        """A message for the next reader."""
        self._messages.put_nowait(body)

    async def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carries an operation out. Raises LookupError for an operation that is not one of the two."""
        if operation == "ReceiveMessage":
            return {"Messages": [_message(body) for body in await self._receive(request["WaitTimeSeconds"])]}
        if operation == "DeleteMessageBatch":
            return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}
        raise LookupError(operation)

    async def _receive(self, seconds: float) -> list[str]:
        try:
            bodies = [await asyncio.wait_for(self._messages.get(), seconds)]
        except TimeoutError:
            return []
        while not self._messages.empty() and len(bodies) < MOST_MESSAGES:
            bodies.append(self._messages.get_nowait())
        return bodies


def _message(body: str) -> dict[str, str]:
    return {"MessageId": "1", "ReceiptHandle": "1", "Body": body}
