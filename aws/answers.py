"""Reading AWS's answers: whole, or not at all.

Rules:
1. An answer without what it must have is garbage, and botocore's parser lets it through. "No tags" and "no keys" are what a second key
   would be made of, so a missing list is never an empty one.
2. A page that says that there is more, but not where, is garbage too.
3. A marker that expired on the way means to start again, once.
4. A walk over all keys of an account is thousands of calls, and starts over when one of them fails. So each is tried SCAN_TRIES times; one
   that AWS throttles is not.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.parsers import ResponseParserError

from aws.clients import Connection
from aws.errors import EXPIRED_MARKER_CODES, RetryableError, translate
from reconcilers.codes import THROTTLING_CODES

T = TypeVar("T")

SCAN_TRIES = 3  # where every hundredth call fails, a walk of 1,000 calls comes to its end in 999 of 1,000 cases, and not in 1 of 20,000


def decode(operation: str, decoder: Callable[[], T]) -> T:
    """What the decoder makes of an answer. Raises AWSError for garbage; a garbled answer to CreateKey means that its result is unknown."""
    try:
        return decoder()
    except (AttributeError, LookupError, TypeError):
        garbled = translate(operation, ResponseParserError())
    raise garbled


class Reads:
    """Reads that were begun together; see reading()."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def create_task(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begins it."""
        task = asyncio.create_task(work)
        task.add_done_callback(was_seen)
        self._tasks.append(task)
        return task

    async def finished(self) -> None:
        """Raises what the first that failed has raised; the others are under way then. One that was cancelled has not read."""
        if self._tasks:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in filter(done.__contains__, self._tasks):
                task.result()

    async def end(self) -> None:
        """Cancels what is still under way, and waits for its end."""
        left = {task for task in self._tasks if task.cancel()}
        if left:
            await asyncio.wait(left)


def was_seen(task: asyncio.Task[Any]) -> None:
    """For the end of a task for which nobody may wait any more: asyncio tells of an exception that nobody has asked for."""
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def reading() -> AsyncIterator[Reads]:
    """Reads in parallel; the first that fails ends the others, and its error is raised as it is.

    Not asyncio's TaskGroup: before Python 3.13 one that fails leaves its caller's task marked as being cancelled. Then the deadline of the
    pass cannot tell its own cancellation from somebody else's, and the worker ends instead of the pass.
    """
    reads = Reads()
    try:
        yield reads
        await reads.finished()
    finally:
        await reads.end()


@dataclass(frozen=True, slots=True)
class Listing:
    """How an operation pages: the names of its list, of the token in the answer, and of that token in the next request."""

    service: str
    operation: str
    items: str
    next_token: str
    token: str

    async def read(self, connection: Connection, parameters: Mapping[str, Any], *, tries: int = 1) -> list[Any]:
        """All items of all pages, each of which is asked for up to so many times. Raises AWSError."""
        try:
            return await self._read(connection, parameters, tries)
        except RetryableError as error:
            if error.failure.code not in EXPIRED_MARKER_CODES:
                raise
        return await self._read(connection, parameters, tries)

    async def _read(self, connection: Connection, parameters: Mapping[str, Any], tries: int) -> list[Any]:
        items, following = await self._tried(connection, parameters, tries)
        while following:
            more, following = await self._tried(connection, {**parameters, self.token: following}, tries)
            items = [*items, *more]
        return items

    async def _tried(self, connection: Connection, parameters: Mapping[str, Any], tries: int) -> tuple[list[Any], str | None]:
        for _ in range(tries - 1):
            try:
                return await self._page(connection, parameters)
            except RetryableError as error:
                if error.failure.code in EXPIRED_MARKER_CODES | THROTTLING_CODES:
                    raise
        return await self._page(connection, parameters)

    async def _page(self, connection: Connection, parameters: Mapping[str, Any]) -> tuple[list[Any], str | None]:
        page = await connection.call(self.service, self.operation, parameters)
        following = page.get(self.next_token)
        if self.items not in page or (page.get("Truncated") and not following):
            raise translate(self.operation, ResponseParserError())
        return page[self.items], following


TAGS = Listing("kms", "ListResourceTags", "Tags", next_token="NextMarker", token="Marker")  # noqa: S106 - a place in a list
GRANTS = Listing("kms", "ListGrants", "Grants", next_token="NextMarker", token="Marker")  # noqa: S106 - a place in a list
ALIASES = Listing("kms", "ListAliases", "Aliases", next_token="NextMarker", token="Marker")  # noqa: S106 - a place in a list
ROTATIONS = Listing("kms", "ListKeyRotations", "Rotations", next_token="NextMarker", token="Marker")  # noqa: S106 - a place in a list
KEYS = Listing("kms", "ListKeys", "Keys", next_token="NextMarker", token="Marker")  # noqa: S106 - a place in a list
TAGGED = Listing("resourcegroupstaggingapi", "GetResources", "ResourceTagMappingList", "PaginationToken", "PaginationToken")
