"""The API server for a simulation: the model behind a Transport, with latency, faults, and watches that may lag behind.

Rules:
1. A request is named by its verb and resource in faults and logs: "PATCH kmskeys/status", "PUT leases", "WATCH kmskeys".
2. A watch tells each write `delay` seconds after it happened, or when its server knows of it (api_stale.py), in order; a bookmark comes each
   minute.
3. A watch from a version that was compacted begins with 200, and its first event is an ERROR of code 410.
4. Streams are cut by cut_streams(), or end at their timeoutSeconds.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import ClientPayloadError, ServerDisconnectedError

from controller.kube import Request, Response, Stream
from controller.selectors import parse_selector
from tests.simulation.api_server import ApiServer, Target, failure, parse_path
from tests.simulation.api_stale import StaleServer
from tests.simulation.calls import Call
from tests.simulation.etcd import Entry
from tests.simulation.faults import Fault
from tests.simulation.lines import Line

LATENCY = 0.006  # seconds, in one cluster
BOOKMARK_SECONDS = 60.0


class ModelTransport:
    """One replica's. delay: by how many seconds its watches lag behind. server: the one that it is connected to; may be changed."""

    def __init__(self, server: ApiServer | StaleServer, line: Line) -> None:
        self.delay = 0.0
        self.server = server
        self._line = line
        self._connections = 0

    def cut_streams(self) -> None:
        """Reset the connections of all watches."""
        self._connections += 1
        self.server.etcd.wake()

    async def send(self, request: Request) -> Response:
        target = parse_path(request.path)
        call = self._call(request.method, target)

        def execute() -> Response:
            before = self.server.etcd.revision
            response = self.server.handle(request)
            call.outcome = "OK" if response.status < 300 else str(response.status)
            if self.server.etcd.revision > before:
                call.wrote = self.server.etcd.revision
            return response

        response = await self._line.carry(call, LATENCY, execute)
        if target.has_status and response.status < 300:
            self.server.served.answer(self._line.replica, response.body, _now(), holds=request.method == "PATCH")
        return response

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        target = parse_path(request.path)
        call = self._call("WATCH", target)
        opened = await self._line.carry(call, LATENCY, lambda: Response(200))
        is_watch = opened.status == 200 and not opened.body
        yield Stream(opened.status, self._watch(target, request) if is_watch else _whole(opened), opened.retry_after)

    async def close(self) -> None:
        """Nothing is open."""

    def _call(self, verb: str, target: Target) -> Call:
        verb = "LIST" if verb == "GET" and not target.name else verb
        resource = f"{target.plural}/{target.subresource}" if target.subresource else target.plural
        return Call(self._line.replica, "kube", f"{verb} {resource}", str(target.ref), writes=verb in {"POST", "PUT", "PATCH", "DELETE"})

    async def _watch(self, target: Target, request: Request) -> AsyncIterator[bytes]:
        loop, etcd = asyncio.get_running_loop(), self.server.etcd
        selector = parse_selector(request.query.get("labelSelector", ""))
        sent, connection = int(request.query["resourceVersion"]), self._connections
        ends = loop.time() + int(request.query["timeoutSeconds"])
        if sent < etcd.compacted:
            expired = failure(410, "Expired", "too old resource version")
            yield json.dumps({"type": "ERROR", "object": json.loads(expired.body)}).encode() + b"\n"
            return
        bookmark_at = loop.time() + BOOKMARK_SECONDS
        while (left := ends - loop.time()) > 0:
            news = etcd.news  # before looking: what happens from here on wakes us
            coming = next(etcd.since(sent, target.plural, target.namespace), None)
            if self._connections != connection:
                raise ClientPayloadError("the connection was reset")
            if coming and self._due(coming) <= 0:
                sent = coming.revision
                if told := coming.told(selector):
                    self.server.served.show(self._line.replica, told[1], loop.time())
                    yield json.dumps({"type": told[0], "object": told[1]}).encode() + b"\n"
                    self.server.served.hold(self._line.replica, told[1], loop.time())
                continue
            if loop.time() >= bookmark_at:
                sent, bookmark_at = sent if coming else etcd.revision, bookmark_at + BOOKMARK_SECONDS
                yield _bookmark(sent)
                continue
            await _wait(news, min(left, bookmark_at - loop.time(), self._due(coming) if coming else left))

    def _due(self, entry: Entry) -> float:
        return entry.at + max(self.delay, self.server.behind) - _now()


def _now() -> float:
    return asyncio.get_running_loop().time()


def lost_answer(call: str, times: float = 1) -> Fault:
    """Done, and the connection closed before the answer came."""
    return Fault(call, ServerDisconnectedError, executes=True, times=times)


def refused(call: str, answer: Response, times: float = 1, probability: float = 1.0) -> Fault:
    """Not done, and this is the answer."""
    return Fault(call, lambda: answer, times=times, probability=probability)


async def _whole(response: Response) -> AsyncIterator[bytes]:
    yield response.body


def _bookmark(revision: int) -> bytes:
    return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(revision)}}}).encode() + b"\n"


async def _wait(news: asyncio.Event, seconds: float) -> None:
    """Until there is news, or so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()
