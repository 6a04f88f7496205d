from collections.abc import Mapping
from typing import Any

import pytest

from aws.answers import KEYS, TAGS
from aws.clients import Clients, Connection
from aws.credentials import Access, AccessRequest
from aws.errors import RetryableError
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
