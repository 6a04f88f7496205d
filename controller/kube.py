"""The way to the API server: requests in, bytes or one kind of error out.

Rules:
1. Every request has a timeout, kept here and not by the transport, so that no transport can forget it. A stream has one for each
   wait: a connection that died without a word never says that it is gone.
2. Every failure is a KubeError, chosen in one function, translate(), from the status, the Status body, Retry-After, or the
   exception.
3. Nothing is retried here: the caller knows whether it may be sent again, and when.
4. The status of a stream is checked before its first byte is handed out.
5. Bodies are never logged: they may hold Secrets.

KubeError                     any other refusal, such as 400
|- Unauthorized               401  who we are was not accepted
|- Forbidden                  403  RBAC or an admission rule says no; it may be lifted at any time
|- NotFound                   404  the object, or its whole kind
|- Conflict                   409  the world is not as observed: read again. Also 422 for a JSON patch whose test did not hold
|- Gone                       410  the resource version or continue token is too old: list again
|- Invalid                    422  the object breaks its schema: sending it again is useless
|- TooManyRequests            429  later, see retry_after
|- TooLargeResourceVersion    504  the server has not yet seen the version asked for: list again
`- Unavailable                5xx, and 0 for a network error or a timeout. What was asked for may still have been done.

The Transport is the seam: aiohttp in production, a model of the API server in a simulation.
"""
# ruff: noqa: N818 - the errors bear the names that Kubernetes gives its reasons

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import aiohttp
import msgspec

T = TypeVar("T")
Query = Mapping[str, str]
Body = Mapping[str, object]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"

# kubectl, too, gives up connecting after 10 s; the slowest answer measured on a starved API server took 5 s.
TIMEOUT_SECONDS = 10.0
# A watch may wait for the server's cache to fill before it gets its first header.
OPEN_TIMEOUT_SECONDS = 30.0
# An admission webhook may answer with an essay; conditions and log lines want its beginning.
MESSAGE_LIMIT = 1024
# A Status is some hundred bytes; whatever else a proxy sends with an error is not read to its end.
ERROR_BODY_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is already quoted; `timeout` is in seconds and covers everything from connecting to the last byte."""

    method: str
    path: str
    query: Query = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = JSON
    timeout: float = TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class Response:
    """`retry_after` is the header's text, if there was one."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer whose body is still coming, in chunks of any size."""

    status: int
    chunks: AsyncIterator[bytes]
    retry_after: str | None = None


class Transport(Protocol):
    """Carries requests. Failures to reach the server are raised as OSError (TimeoutError is one) or aiohttp.ClientError."""

    async def send(self, request: Request) -> Response:
        """Send, and read the answer to its end, whatever its status."""

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        """Send, and hand out the answer as soon as its status is known. Leaving the context ends the connection."""

    async def close(self) -> None:
        """Close all connections."""


class KubeError(Exception):
    """A refused or failed request. `status` is HTTP's, `reason` the server's word for it, `retry_after` in seconds."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(status, reason, message, retry_after)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}" if self.status else f"{self.reason}: {self.message}"


class Unauthorized(KubeError):
    """401."""


class Forbidden(KubeError):
    """403."""


class NotFound(KubeError):
    """404."""


class Conflict(KubeError):
    """409, or a JSON patch that did not fit the object."""


class Gone(KubeError):
    """410."""


class Invalid(KubeError):
    """422."""


class TooManyRequests(KubeError):
    """429."""


class TooLargeResourceVersion(KubeError):
    """504 with the cause ResourceVersionTooLarge."""


class Unavailable(KubeError):
    """5xx, the network, or a timeout."""


class Kube:
    """Requests to one API server. All methods raise KubeError; `timeout` is in seconds; `path` as Resource.path makes it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, path: str, query: Query | None = None, timeout: float = TIMEOUT_SECONDS) -> Coroutine[object, object, bytes]:
        """Read an object, or with a query a list."""
        return self._send(Request("GET", path, query or {}, timeout=timeout))

    def post(self, path: str, body: Body, timeout: float = TIMEOUT_SECONDS) -> Coroutine[object, object, bytes]:
        """Create. Conflict with the reason AlreadyExists where the name is taken."""
        return self._send(Request("POST", path, body=msgspec.json.encode(body), timeout=timeout))

    def put(self, path: str, body: Body, timeout: float = TIMEOUT_SECONDS) -> Coroutine[object, object, bytes]:
        """Replace. Conflict where the body's resourceVersion is no longer the newest."""
        return self._send(Request("PUT", path, body=msgspec.json.encode(body), timeout=timeout))

    def json_patch(
        self, path: str, operations: Sequence[Body], timeout: float = TIMEOUT_SECONDS
    ) -> Coroutine[object, object, bytes]:
        """Apply RFC 6902 operations. Conflict where one of them does not fit, such as a `test` that does not hold."""
        return self._send(Request("PATCH", path, {}, msgspec.json.encode(operations), JSON_PATCH, timeout))

    def merge_patch(self, path: str, body: Body, timeout: float = TIMEOUT_SECONDS) -> Coroutine[object, object, bytes]:
        """Apply an RFC 7386 patch. Conflict where it names a resourceVersion that is no longer the newest."""
        return self._send(Request("PATCH", path, {}, msgspec.json.encode(body), MERGE_PATCH, timeout))

    def delete(self, path: str, body: Body | None = None, timeout: float = TIMEOUT_SECONDS) -> Coroutine[object, object, bytes]:
        """Delete; the body, if any, is a DeleteOptions."""
        return self._send(Request("DELETE", path, body=None if body is None else msgspec.json.encode(body), timeout=timeout))

    @asynccontextmanager
    async def stream(self, path: str, query: Query, idle_timeout: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Chunks of an endless answer. Each wait for one may last `idle_timeout` seconds; then Unavailable is raised."""
        request = Request("GET", path, query, timeout=OPEN_TIMEOUT_SECONDS)
        async with AsyncExitStack() as stack:
            opened = stack.enter_async_context(self._transport.stream(request))
            answer = await _bounded(opened, request.timeout)
            if not _is_success(answer.status):
                body = await _bounded(_beginning(answer.chunks), request.timeout)
                raise translate(Response(answer.status, body, answer.retry_after), request)
            yield _Chunks(answer.chunks, idle_timeout)

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def _send(self, request: Request) -> bytes:
        response = await _bounded(self._transport.send(request), request.timeout)
        if not _is_success(response.status):
            raise translate(response, request)
        return response.body


class _Chunks:
    """The chunks of a stream, each within a time, with failures translated."""

    def __init__(self, chunks: AsyncIterator[bytes], idle_timeout: float) -> None:
        self._chunks = chunks
        self._idle_timeout = idle_timeout

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await _bounded(anext(self._chunks), self._idle_timeout)


def _is_success(status: int) -> bool:
    return 200 <= status <= 299


async def _bounded(work: Awaitable[T], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:
        raise translate(TimeoutError(f"no answer within {seconds:g} s")) from error
    except (aiohttp.ClientError, OSError) as error:
        raise translate(error) from error


async def _beginning(chunks: AsyncIterator[bytes]) -> bytes:
    read = bytearray()
    async for chunk in chunks:
        read += chunk
        if len(read) > ERROR_BODY_LIMIT:
            break
    return bytes(read)


class _Cause(msgspec.Struct, gc=False):
    reason: str = ""


class _Details(msgspec.Struct, gc=False, rename="camel"):
    causes: tuple[_Cause, ...] = ()
    retry_after_seconds: int = 0


class _Status(msgspec.Struct, gc=False):
    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None


_CLASSES: dict[int, type[KubeError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def translate(failure: Response | Exception, request: Request | None = None) -> KubeError:
    """The error for an answer that is no success, for a failed exchange, or for the ERROR event of a watch.

    The code inside a Status wins over HTTP's, since an ERROR event arrives in a stream that began with 200.
    """
    if isinstance(failure, Exception):
        return Unavailable(0, type(failure).__name__, str(failure) or "the connection failed")
    status = _read_status(failure.body)
    code = status.code or failure.status
    details = status.details or _Details()
    chosen = _CLASSES.get(code, Unavailable if code >= 500 else KubeError)
    if any(cause.reason == "ResourceVersionTooLarge" for cause in details.causes):
        chosen = TooLargeResourceVersion
    # The server says of any operation that does not fit only "Invalid", with no cause; a broken schema always names one.
    elif chosen is Invalid and request is not None and request.content_type == JSON_PATCH and not details.causes:
        chosen = Conflict
    retry_after = _seconds(failure.retry_after) or details.retry_after_seconds or None
    return chosen(code, status.reason or "NoStatus", status.message[:MESSAGE_LIMIT] or "the answer holds no message", retry_after)


def _read_status(body: bytes) -> _Status:
    """Proxies answer with HTML, or nothing: then the HTTP status has to do."""
    try:
        return msgspec.json.decode(body, type=_Status)
    except (ValueError, RecursionError):
        return _Status()


def _seconds(retry_after: str | None) -> float | None:
    """The API server sends whole seconds. HTTP also allows a date, which would need both clocks to agree."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else None
