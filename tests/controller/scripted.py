"""A small API server for one kind, as a Transport: pages, watches with history, bookmarks, compaction; and faults on demand.

It is strict where the real one is: versions only grow, a watch starts after its version, a compacted version is answered with an
ERROR event of code 410 inside a 200, an expired continue token with 410.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import ClientPayloadError

from controller.kube import Request, Response, Stream
from controller.objects import Ref, Resource

THINGS = Resource("example.test", "v1", "things", "Thing")
BOOKMARK_SECONDS = 60.0

Answer = Response | Exception
Script = Callable[[Request], AsyncIterator[bytes]]


def thing(name: str, version: int, uid: str, namespace: str = "default", **more: object) -> dict[str, object]:
    """An object as the server sends it, with what a client should ignore."""
    metadata = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": str(version), "managedFields": [{"f": {}}]}
    return {"apiVersion": "example.test/v1", "kind": "Thing", "metadata": metadata} | more


def version_of(obj: dict[str, object]) -> int:
    """Its resourceVersion."""
    metadata = obj["metadata"]
    assert isinstance(metadata, dict)
    return int(metadata["resourceVersion"])


def event(kind: str, obj: object) -> bytes:
    """A line of a watch."""
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def status(code: int, reason: str, **details: object) -> dict[str, object]:
    """A Status body."""
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": f"{reason} it is", "details": details}


def failure(code: int, reason: str, retry_after: str | None = None, **details: object) -> Response:
    """An answer with a Status."""
    return Response(code, json.dumps(status(code, reason, **details)).encode(), retry_after)


async def chunks_of(*lines: bytes) -> AsyncIterator[bytes]:
    """A stream that sends this and ends."""
    for line in lines:
        yield line


async def silence() -> AsyncIterator[bytes]:
    """A connection whose other end died without a word."""
    await asyncio.Event().wait()
    yield b""


class ApiServer:
    """Change the world with put and delete; break it with the public attributes."""

    def __init__(self) -> None:
        self.version = 100
        self.objects: dict[Ref, dict[str, object]] = {}
        self.requests: list[tuple[float, Request]] = []
        self.down: Answer | None = None  # the answer to everything
        self.list_answers: deque[Answer] = deque()  # the answers to the next lists
        self.watch_answers: deque[Answer | AsyncIterator[bytes]] = deque()  # to the next watches
        self.bookmarks = True
        self.rechunk: Callable[[bytes], Iterable[bytes]] = lambda line: [line]
        self._history: list[tuple[int, bytes]] = []
        self._snapshots: dict[int, list[dict[str, object]]] = {}
        self._compacted = 0
        self._news = asyncio.Event()
        self._connections = 0

    @property
    def lists(self) -> list[tuple[float, Request]]:
        return [(at, request) for at, request in self.requests if "watch" not in request.query]

    @property
    def watches(self) -> list[tuple[float, Request]]:
        return [(at, request) for at, request in self.requests if "watch" in request.query]

    def put(self, name: str, uid: str | None = None, namespace: str = "default") -> None:
        """Create or change."""
        ref = Ref(namespace, name)
        self.version += 1
        kind = "MODIFIED" if ref in self.objects else "ADDED"
        self.objects[ref] = thing(name, self.version, uid or f"uid of {name}", namespace)
        self._tell(event(kind, self.objects[ref]))

    def delete(self, name: str, namespace: str = "default") -> None:
        gone = self.objects.pop(Ref(namespace, name))
        self.version += 1
        metadata = gone["metadata"]
        assert isinstance(metadata, dict)
        self._tell(event("DELETED", gone | {"metadata": metadata | {"resourceVersion": str(self.version)}}))

    def cut(self) -> None:
        """Reset all connections."""
        self._connections += 1
        self._wake()

    def compact(self) -> None:
        """Forget all history, so that no version but the newest can be watched from, and no list continued."""
        self._compacted = self.version
        self._history.clear()
        self._snapshots.clear()

    def restore(self, version: int) -> None:
        """An etcd restored from a backup: younger objects are gone, and nobody says so."""
        self.version = version
        self.objects = {ref: held for ref, held in self.objects.items() if version_of(held) <= version}
        self._history.clear()
        self._snapshots.clear()

    async def send(self, request: Request) -> Response:
        self._note(request)
        answer = self.down or (self.list_answers.popleft() if self.list_answers else self._page(request))
        return _raised(answer)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        self._note(request)
        answer = self.down or (self.watch_answers.popleft() if self.watch_answers else self._live(request))
        if isinstance(answer, Response | Exception):
            response = _raised(answer)
            yield Stream(response.status, chunks_of(response.body), response.retry_after)
        else:
            yield Stream(200, answer)

    async def close(self) -> None:
        """Nothing is open."""

    def _note(self, request: Request) -> None:
        self.requests.append((asyncio.get_running_loop().time(), request))

    def _tell(self, line: bytes) -> None:
        self._history.append((self.version, line))
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _page(self, request: Request) -> Response:
        version, offset = (int(part) for part in request.query.get("continue", f"{self.version}:0").split(":"))
        if offset and version not in self._snapshots:
            return failure(410, "Expired")
        items = self._snapshots.setdefault(version, list(self.objects.values()))
        end = offset + int(request.query["limit"])
        in_scope = [item for item in items[offset:end] if _is_in_scope(item, request)]
        metadata = {"resourceVersion": str(version), "continue": f"{version}:{end}" if end < len(items) else ""}
        return Response(200, json.dumps({"metadata": metadata, "items": in_scope}).encode())

    async def _live(self, request: Request) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        connection, sent = self._connections, int(request.query["resourceVersion"])
        ends = loop.time() + int(request.query["timeoutSeconds"])
        if sent < self._compacted:
            yield event("ERROR", status(410, "Expired"))
            return
        while loop.time() < ends:
            news = self._news  # before looking: what happens from here on wakes us
            if connection != self._connections:
                raise ClientPayloadError("the connection was reset")
            for version, line in [(version, line) for version, line in self._history if version > sent]:
                for chunk in self.rechunk(line) if _is_in_scope(json.loads(line)["object"], request) else ():
                    yield chunk
                sent = version
            if not await _is_set(news, min(BOOKMARK_SECONDS, ends - loop.time())) and self.bookmarks:
                sent = self.version
                yield event("BOOKMARK", {"kind": "Thing", "metadata": {"resourceVersion": str(self.version)}})


async def _is_set(news: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return False
    return True


def _is_in_scope(item: dict[str, dict[str, object]] | dict[str, object], request: Request) -> bool:
    metadata = item["metadata"]
    assert isinstance(metadata, dict)
    return "/namespaces/" not in request.path or f"/namespaces/{metadata['namespace']}/" in request.path


def _raised(answer: Answer) -> Response:
    if isinstance(answer, Exception):
        raise answer
    return answer
