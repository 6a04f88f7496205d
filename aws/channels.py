"""One call to AWS: fenced, sent once, bounded in time, counted, and its failure translated.

Rules:
1. What is not known to read is a write, and the fence is asked right before a write is sent: after every wait, the last thing that we do.
2. A call ends within call_seconds, and one that waits for messages POLL_SECONDS later. The fence is asked for as long.
3. A channel that is retired finishes what is under way and then closes; used again, it works, and closes again after that. So nobody is
   cut off who got hold of it before it was replaced.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aws.credentials import Access
from aws.errors import CALL_ERRORS, AWSError, FencedError, translate
from aws.wires import CONNECT_SECONDS, POLL_SECONDS, READ_SECONDS, OpenWire, Wire
from reconcilers.urgency import Urgency

# In one line for each service: kms, tagging, sts, sqs. AssumeRole changes nothing in the account; it gives us a session. ReceiveMessage hides
# messages for a moment, and no more.
READ_OPERATIONS: Final = frozenset(
    {
        *("DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "GetPublicKey"),
        *("ListAliases", "ListGrants", "ListKeyRotations", "ListKeys", "ListResourceTags"),
        *("GetResources",),
        *("AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"),
        *("ReceiveMessage",),
    }
)
CALL_SECONDS: Final = CONNECT_SECONDS + READ_SECONDS
SUCCESS: Final = "OK"


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which all calls of the process are made.

    fence(seconds): may a write start that takes up to so long? observed(service, operation, code, seconds): a call has ended; code is
    AWS's error code, the name of the client's exception, or OK. waited(operation, urgency, seconds): for the quota. call_seconds: the
    bound of a call, shorter where the lease is short.
    """

    open_wire: OpenWire
    fence: Callable[[float], bool]
    observed: Callable[[str, str, str, float], None]
    waited: Callable[[str, Urgency, float], None]
    call_seconds: float = CALL_SECONDS


class Channel:
    """AWS as one identity sees it, at one place."""

    def __init__(self, terms: Terms, access: Access) -> None:
        self.access = access
        self._terms = terms
        self._wires: dict[str, Wire] = {}
        self._opening = asyncio.Lock()
        self._calls = 0
        self._retired = False

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any], sending: Callable[[], Awaitable[None]] | None = None
    ) -> dict[str, Any]:
        """One attempt; AWS's answer. sending: waits until it may go out. Raises AWSError, and FencedError for a write that may not start."""
        self._calls += 1
        try:
            return await self._observed(service, operation, parameters, sending)
        finally:
            self._calls -= 1
            if self._retired:
                await self._close_when_idle()

    async def retire(self) -> None:
        """Closes, now or after the last call that is under way."""
        self._retired = True
        await self._close_when_idle()

    async def _observed(
        self, service: str, operation: str, parameters: Mapping[str, Any], sending: Callable[[], Awaitable[None]] | None
    ) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = await self._attempt(service, operation, parameters, sending)
        except AWSError as error:
            self._terms.observed(service, operation, error.failure.code, loop.time() - began)
            raise
        self._terms.observed(service, operation, SUCCESS, loop.time() - began)
        return answer

    async def _attempt(
        self, service: str, operation: str, parameters: Mapping[str, Any], sending: Callable[[], Awaitable[None]] | None
    ) -> dict[str, Any]:
        sent, seconds = False, self._terms.call_seconds + (POLL_SECONDS if operation == "ReceiveMessage" else 0.0)
        try:
            async with asyncio.timeout(seconds):
                wire = await self._wire(service)
            if sending is not None:
                await sending()
            if operation not in READ_OPERATIONS and not self._terms.fence(seconds):
                raise FencedError(f"{operation} was not started: the lease is not ours for the {seconds:.0f} s that it may take")
            sent = True
            async with asyncio.timeout(seconds):
                return await wire.send(operation, parameters)
        except CALL_ERRORS as error:
            translated = translate(operation, error, sent=sent)
        # Outside the handler, so that no traceback shows the original error: its text may quote credentials.
        raise translated

    async def _wire(self, service: str) -> Wire:
        async with self._opening:
            if service not in self._wires:
                self._wires[service] = await self._terms.open_wire(self.access, service)
            return self._wires[service]

    async def _close_when_idle(self) -> None:
        while self._wires and not self._calls:
            _, wire = self._wires.popitem()
            await wire.close()
