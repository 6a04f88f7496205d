"""A TCP proxy in front of an API server: it knows no TLS and no HTTP, and does to connections what networks do.

    with tcp_proxy(server.url) as link:
        ...                       link.url stands in for the server's
        link.freeze()             nothing passes, nothing is closed
        link.lose()               half open: the connections of now are dead for good, and nobody is told
        link.reset()              every connection is reset

Rules:
1. What passes is unchanged, in order.
2. While the link is frozen new connections are taken too, and hear nothing: as behind a firewall that drops packets.
3. A frozen connection that is thawed has lost nothing: what was sent meanwhile lies in its buffers.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from typing import Any
from urllib.parse import urlsplit

ROUNDS = 5  # of the loop: a connection that was just accepted becomes a task in one of them, and one that is aborted is closed in the next
CHUNK = 64 * 1024
# What a close() with it does: no FIN, an RST at once (socket(7), SO_LINGER).
RESET = struct.pack("ii", 1, 0)


class Link:
    """The running proxy; every method may be called from any thread."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._to = (parts.hostname or "127.0.0.1", parts.port or 443)
        self._scheme = parts.scheme
        self._loop = asyncio.new_event_loop()
        self._thaw, self._stop = asyncio.Event(), asyncio.Event()
        self._refusing = False
        self._lost = 0  # the connections up to this number are
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter | None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay = 0.0  # seconds that each chunk takes
        self.opened = 0  # how many connections were taken
        self.url = ""

    @property
    def connections(self) -> int:
        """Those that are open."""
        return len(self._pairs)

    def freeze(self) -> None:
        """From now on nothing passes in either direction."""
        self._loop.call_soon_threadsafe(self._thaw.clear)

    def thaw(self) -> None:
        """All passes again."""
        self._loop.call_soon_threadsafe(self._thaw.set)

    def refuse(self, *, on: bool) -> None:
        """Whether new connections are reset at once."""
        self._refusing = on

    def lose(self) -> None:
        """Nothing passes any more on the connections that there are; new ones work."""
        self._lost = self.opened

    def reset(self) -> None:
        """Reset all connections that there are."""
        self._call(self._reset())

    async def _reset(self) -> None:
        for writers in list(self._pairs):
            for writer in writers:
                _abort(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.opened += 1
        if self._refusing:
            _abort(writer)
            return
        with contextlib.suppress(asyncio.CancelledError):  # by close(); asyncio of Python 3.11 tells of a handler that ends so as of a bug
            await self._carry(reader, writer, self.opened)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter | None] = (writer, None)
        self._pairs.add(pair)
        try:
            await self._thaw.wait()
            there, back = await asyncio.open_connection(*self._to)
            self._pairs.discard(pair)
            pair = (writer, back)
            self._pairs.add(pair)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, back, number))
                both.create_task(self._pump(there, writer, number))
        except* OSError:  # somebody hung up, or there is no server
            pass
        finally:
            self._pairs.discard(pair)
            for one in pair:
                _abort(one)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, number: int) -> None:
        while chunk := await source.read(CHUNK):
            await asyncio.sleep(self.delay)
            await self._thaw.wait()
            if number <= self._lost:
                await asyncio.get_running_loop().create_future()
            sink.write(chunk)
            await sink.drain()
        await self._thaw.wait()
        with contextlib.suppress(OSError):
            sink.write_eof() if sink.can_write_eof() else sink.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def open(self) -> None:
        """Begin to listen."""
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run(started)))
        self._thread.start()
        started.wait()

    def close(self) -> None:
        """Reset what is open, and end."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _run(self, started: threading.Event) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"{self._scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._thaw.set()
        started.set()
        await self._stop.wait()
        server.close()
        for _ in range(ROUNDS):
            await self._reset()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)


@contextlib.contextmanager
def tcp_proxy(target: str) -> Iterator[Link]:
    """A proxy on a port of its own in front of the server at `target`, a URL."""
    link = Link(target)
    link.open()
    try:
        yield link
    finally:
        link.close()


def _abort(writer: asyncio.StreamWriter | None) -> None:
    if writer is None:
        return
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
