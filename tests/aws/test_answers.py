import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import pytest

from aws.answers import KEYS, TAGS, reading
from aws.clients import Clients, Connection
from aws.credentials import Access, AccessRequest
from aws.errors import RetryableError
from reconcilers.states import Failure, FailureKind
from tests.aws.worlds import FakeAws, refusal, terms

Page = dict[str, Any] | Exception


async def listing(*pages: Page) -> tuple[Connection, FakeAws]:
    """A connection to an AWS that answers each ListKeys and ListResourceTags with the next of these pages."""
    script = iter(pages)

    def answer(_: Access, __: Mapping[str, Any]) -> dict[str, Any]:
        page = next(script)
        if isinstance(page, Exception):
            raise page
        return page

    def identity(_: Access, __: Mapping[str, Any]) -> dict[str, Any]:
        return {"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/u"}

    aws = FakeAws({"GetCallerIdentity": identity, "ListKeys": answer, "ListResourceTags": answer})
    return await Clients(terms(aws.open), 1.0).connect(AccessRequest("ns/p", "eu-central-1")), aws


FIRST = {"Keys": [1, 2], "Truncated": True, "NextMarker": "m1"}
EXPIRED = refusal("InvalidMarkerException")
UNREADABLE = Failure(FailureKind.RETRY, "ListKeys", "KMSInternalException", "no answer")


async def test_all_pages_are_one_list() -> None:
    connection, aws = await listing(FIRST, {"Keys": [3], "Truncated": False})
    assert await KEYS.read(connection, {"Limit": 2}) == [1, 2, 3]
    assert [parameters for _, operation, parameters in aws.asked if operation == "ListKeys"] == [
        {"Limit": 2},
        {"Limit": 2, "Marker": "m1"},
    ]


@pytest.mark.holds("F34")
async def test_an_expired_marker_starts_again_once() -> None:
    connection, _ = await listing(FIRST, EXPIRED, {"Keys": [1, 2, 3]})
    assert await KEYS.read(connection, {}) == [1, 2, 3]
    connection, _ = await listing(FIRST, EXPIRED, FIRST, EXPIRED)
    with pytest.raises(RetryableError, match="InvalidMarkerException"):
        await KEYS.read(connection, {})


@pytest.mark.holds("F34")
@pytest.mark.parametrize("page", [{}, {"Keys": [1], "Truncated": True}, {"Keys": [1], "Truncated": True, "NextMarker": ""}])
async def test_a_partial_list_is_no_list(page: dict[str, Any]) -> None:
    connection, _ = await listing(page)
    with pytest.raises(RetryableError):
        await KEYS.read(connection, {})


async def test_a_failure_on_a_later_page_is_no_list() -> None:
    connection, _ = await listing({"Tags": [], "Truncated": True, "NextMarker": "m1"}, refusal("KMSInternalException", status=500))
    with pytest.raises(RetryableError):
        await TAGS.read(connection, {"KeyId": "k"})


LOST = TimeoutError()
THROTTLED = refusal("ThrottlingException")


async def test_each_page_of_a_walk_over_an_account_is_tried_three_times() -> None:
    last = {"Keys": [3], "Truncated": False}
    connection, _ = await listing(LOST, LOST, FIRST, LOST, LOST, last)
    assert await KEYS.read(connection, {}, tries=3) == [1, 2, 3]


@pytest.mark.parametrize("pages", [[FIRST, LOST, LOST, LOST], [FIRST, THROTTLED], [FIRST, EXPIRED, FIRST, EXPIRED]])
async def test_a_page_that_does_not_come_or_is_throttled_ends_the_walk(pages: list[Page]) -> None:
    connection, aws = await listing(*pages)
    with pytest.raises(RetryableError):
        await KEYS.read(connection, {}, tries=3)
    assert sum(operation == "ListKeys" for _, operation, _ in aws.asked) == len(pages)


async def _waits(seconds: float, ended: list[float]) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        ended.append(asyncio.get_running_loop().time())


async def _fails() -> None:
    await asyncio.sleep(1)
    raise RetryableError(UNREADABLE)


async def _read(ended: list[float], *, fails: bool = True) -> None:
    async with reading() as reads:
        reads.create_task(_waits(0.5, ended))
        if fails:
            reads.create_task(_fails())
        reads.create_task(_waits(100, ended))


@pytest.mark.virtual_time
async def test_the_first_read_that_fails_ends_the_others_and_leaves_no_mark_on_its_task() -> None:
    ended: list[float] = []
    with pytest.raises(RetryableError):
        await _read(ended)
    assert ended == pytest.approx([0.5, 1])
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.virtual_time
async def test_a_deadline_ends_all_reads_and_is_known_as_one_after_a_read_has_failed_too() -> None:
    ended: list[float] = []

    async def both() -> None:
        async with asyncio.timeout(10):
            with contextlib.suppress(RetryableError):
                await _read(ended)
            await _read(ended, fails=False)

    with pytest.raises(TimeoutError):
        await both()
    assert ended == pytest.approx([0.5, 1, 1.5, 10])


async def _cancelled() -> None:
    raise asyncio.CancelledError


async def test_a_read_that_ends_as_cancelled_is_no_answer() -> None:
    async def read() -> None:
        async with reading() as reads:
            reads.create_task(_cancelled())

    with pytest.raises(asyncio.CancelledError):
        await read()
