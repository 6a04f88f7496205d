"""The rules of the client on a transport that answers as told, on a clock that jumps. Real sockets are in test_connection.py."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from controller.kube import (
    JSON,
    JSON_PATCH,
    MERGE_PATCH,
    MESSAGE_LIMIT,
    OPEN_TIMEOUT_SECONDS,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    Kube,
    KubeError,
    NotFound,
    Request,
    Response,
    Stream,
    TooLargeResourceVersion,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    translate,
)
from tests.controller.scripted import chunks_of, failure, silence

pytestmark = pytest.mark.virtual_time

TOO_LARGE = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
BROKEN_FIELD = [{"reason": "FieldValueInvalid", "message": "Invalid value", "field": "metadata.labels"}]


class Answering:
    """A transport that gives one answer to everything and remembers what it was asked."""

    def __init__(self, answer: Response | Exception | AsyncIterator[bytes] | None) -> None:
        self.answer = answer
        self.asked: list[Request] = []
        self.is_closed = False

    async def send(self, request: Request) -> Response:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, Response):
            return self.answer
        await asyncio.Event().wait()
        raise AssertionError

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        if self.answer is None or isinstance(self.answer, Response | Exception):
            response = await self.send(request)
            yield Stream(response.status, chunks_of(response.body), response.retry_after)
        else:
            yield Stream(200, self.answer)

    async def close(self) -> None:
        self.is_closed = True


def patched(content_type: str) -> Request:
    return Request("PATCH", "/x", content_type=content_type)


# ---- one error for each kind of refusal


@pytest.mark.parametrize(
    ("response", "expected", "reason"),
    [
        (failure(400, "BadRequest"), KubeError, "BadRequest"),
        (failure(401, "Unauthorized"), Unauthorized, "Unauthorized"),
        (failure(403, "Forbidden"), Forbidden, "Forbidden"),
        (failure(404, "NotFound"), NotFound, "NotFound"),
        (failure(409, "Conflict"), Conflict, "Conflict"),
        (failure(409, "AlreadyExists"), Conflict, "AlreadyExists"),
        (failure(410, "Expired"), Gone, "Expired"),
        (failure(422, "Invalid", causes=BROKEN_FIELD), Invalid, "Invalid"),
        (failure(429, "TooManyRequests"), TooManyRequests, "TooManyRequests"),
        (failure(500, "InternalError"), Unavailable, "InternalError"),
        (failure(504, "Timeout"), Unavailable, "Timeout"),
        (failure(504, "Timeout", causes=TOO_LARGE), TooLargeResourceVersion, "Timeout"),
        (Response(302), KubeError, "NoStatus"),
        (Response(404, b"404 page not found\n"), NotFound, "NoStatus"),
        (Response(503, b"<html>"), Unavailable, "NoStatus"),
        (Response(503, b'{"code": "text", "details": 7}'), Unavailable, "NoStatus"),
        (Response(500, b"[" * 100_000), Unavailable, "NoStatus"),
    ],
)
def test_each_refusal_has_its_error(response: Response, expected: type[KubeError], reason: str) -> None:
    error = translate(response)
    assert type(error) is expected
    assert (error.status, error.reason) == (response.status, reason)


@pytest.mark.parametrize(
    ("content_type", "causes", "expected"),
    [(JSON_PATCH, [], Conflict), (JSON_PATCH, BROKEN_FIELD, Invalid), (MERGE_PATCH, [], Invalid), (JSON, [], Invalid)],
)
def test_a_json_patch_that_does_not_fit_is_a_conflict(
    content_type: str, causes: list[dict[str, str]], expected: type[KubeError]
) -> None:
    assert type(translate(failure(422, "Invalid", causes=causes), patched(content_type))) is expected


@pytest.mark.holds("F20")
@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (failure(429, "TooManyRequests", retry_after="7"), 7.0),
        (failure(429, "TooManyRequests", retryAfterSeconds=3), 3.0),
        (failure(429, "TooManyRequests", retry_after="7", retryAfterSeconds=3), 7.0),
        (failure(503, "X", retry_after="0"), None),
        (failure(503, "X", retry_after="-1"), None),
        (failure(503, "X", retry_after="inf"), None),
        (failure(503, "X", retry_after="Fri, 31 Dec 2027 23:59:59 GMT"), None),
        (Response(503, b"", "2"), 2.0),
    ],
)
def test_retry_after_is_read_from_the_header_or_the_body(response: Response, seconds: float | None) -> None:
    assert translate(response).retry_after == seconds


def test_an_error_reads_as_one_short_line() -> None:
    assert str(translate(failure(404, "NotFound"))) == "404 NotFound: NotFound it is"
    assert str(translate(ConnectionRefusedError("refused"))) == "ConnectionRefusedError: refused"
    essay = translate(Response(403, json.dumps({"reason": "Forbidden", "message": "no " * 9999}).encode()))
    assert len(essay.message) == MESSAGE_LIMIT


@pytest.mark.parametrize(
    "broken",
    [ConnectionRefusedError("no"), aiohttp.ServerDisconnectedError(), aiohttp.ClientPayloadError("cut"), TimeoutError(), OSError(5)],
)
async def test_a_broken_network_is_unavailable(broken: Exception) -> None:
    with pytest.raises(Unavailable) as caught:
        await Kube(Answering(broken)).get("/x")
    assert caught.value.status == 0
    assert caught.value.message


# ---- requests


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda kube: kube.get("/x", {"limit": "5"}), Request("GET", "/x", {"limit": "5"})),
        (lambda kube: kube.post("/x", {"a": 1}), Request("POST", "/x", body=b'{"a":1}')),
        (lambda kube: kube.put("/x", {"a": 1}, timeout=3), Request("PUT", "/x", body=b'{"a":1}', timeout=3)),
        (lambda kube: kube.json_patch("/x", [{"op": "test"}]), Request("PATCH", "/x", {}, b'[{"op":"test"}]', JSON_PATCH)),
        (lambda kube: kube.merge_patch("/x", {"a": None}), Request("PATCH", "/x", {}, b'{"a":null}', MERGE_PATCH)),
        (lambda kube: kube.delete("/x"), Request("DELETE", "/x")),
        (lambda kube: kube.delete("/x", {"p": {}}), Request("DELETE", "/x", body=b'{"p":{}}')),
    ],
)
async def test_each_verb_makes_its_request(call: Callable[[Kube], Awaitable[bytes]], expected: Request) -> None:
    transport = Answering(Response(201, b"done"))
    assert await call(Kube(transport)) == b"done"
    assert transport.asked == [expected]


@pytest.mark.parametrize(
    "call",
    [
        lambda kube: kube.get("/x", timeout=4),
        lambda kube: kube.post("/x", {}, timeout=4),
        lambda kube: kube.put("/x", {}, timeout=4),
        lambda kube: kube.json_patch("/x", [], timeout=4),
        lambda kube: kube.merge_patch("/x", {}, timeout=4),
        lambda kube: kube.delete("/x", timeout=4),
    ],
)
async def test_no_request_outlives_its_timeout(call: Callable[[Kube], Awaitable[bytes]]) -> None:
    with pytest.raises(Unavailable, match="no answer within 4 s"):
        await call(Kube(Answering(None)))
    assert asyncio.get_running_loop().time() == pytest.approx(4)


async def test_a_refusal_is_raised() -> None:
    with pytest.raises(NotFound):
        await Kube(Answering(failure(404, "NotFound"))).get("/x")


async def test_cancellation_passes_through() -> None:
    task = asyncio.ensure_future(Kube(Answering(None)).get("/x"))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_bodies_stay_out_of_representations() -> None:
    assert "secret" not in repr(Request("POST", "/x", body=b"secret")) + repr(Response(200, b"secret"))


async def test_closing_closes_the_transport() -> None:
    transport = Answering(None)
    await Kube(transport).close()
    assert transport.is_closed


# ---- streams


async def test_a_stream_hands_out_its_chunks() -> None:
    async with Kube(Answering(chunks_of(b"a", b"b"))).stream("/x", {}, 5) as chunks:
        assert [chunk async for chunk in chunks] == [b"a", b"b"]


async def test_a_refused_stream_raises_before_any_chunk() -> None:
    with pytest.raises(TooManyRequests) as caught:
        async with Kube(Answering(failure(429, "TooManyRequests", "9"))).stream("/x", {}, 5):
            pytest.fail("the status was not checked")
    assert caught.value.retry_after == 9


async def test_a_stream_that_does_not_open_is_given_up() -> None:
    with pytest.raises(Unavailable):
        async with Kube(Answering(None)).stream("/x", {}, 5):
            pytest.fail("nothing was opened")
    assert asyncio.get_running_loop().time() == pytest.approx(OPEN_TIMEOUT_SECONDS)


async def test_a_stream_that_falls_silent_is_given_up() -> None:
    with pytest.raises(Unavailable, match="no answer within 5 s"):
        async with Kube(Answering(silence())).stream("/x", {}, 5) as chunks:
            await anext(chunks)


async def test_a_stream_that_breaks_is_unavailable() -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"a"
        raise aiohttp.ClientPayloadError("cut")

    async with Kube(Answering(breaking())).stream("/x", {}, 5) as chunks:
        assert await anext(chunks) == b"a"
        with pytest.raises(Unavailable, match="cut"):
            await anext(chunks)


async def test_what_the_reader_of_a_stream_raises_is_its_own() -> None:
    with pytest.raises(OSError, match="mine"):
        async with Kube(Answering(chunks_of(b"a"))).stream("/x", {}, 5):
            raise OSError("mine")


async def test_an_error_body_without_end_is_not_read_to_its_end() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10_000

    class Endless(Answering):
        @asynccontextmanager
        async def stream(self, request: Request) -> AsyncIterator[Stream]:
            self.asked.append(request)
            yield Stream(503, endless())

    with pytest.raises(Unavailable):
        async with Kube(Endless(None)).stream("/x", {}, 5):
            pytest.fail("the status was not checked")
