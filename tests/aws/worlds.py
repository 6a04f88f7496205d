"""What tests put in place of AWS: a scripted wire in memory, and a scripted HTTP server that misbehaves byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from aws.channels import Terms
from aws.credentials import Access
from aws.wires import OpenWire, Wire

Answer = Callable[[Access, Mapping[str, Any]], dict[str, Any]]
Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


def terms(open_wire: OpenWire, fence: Callable[[float], bool] = lambda _: True) -> Terms:
    return Terms(open_wire, fence, observed=lambda *_: None, waited=lambda *_: None)


def refusal(code: str, message: str = "no", status: int = 400, operation: str = "Some") -> ClientError:
    """What botocore raises for an error that AWS has answered."""
    about = {"HTTPStatusCode": status, "RequestId": "r-1"}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": about}, operation)


@dataclass
class FakeAws:
    """Answers operations from `answers`, each a function that may raise; remembers who asked what, and which wires are open."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)  # access key id, operation, parameters
    opened: list["FakeWire"] = field(default_factory=list)

    async def open(self, access: Access, service: str) -> Wire:
        wire = FakeWire(self, access, service)
        self.opened.append(wire)
        return wire

    def operations(self) -> list[str]:
        return [operation for _, operation, _ in self.asked]

    @property
    def open_wires(self) -> int:
        return sum(not wire.closed for wire in self.opened)


@dataclass
class FakeWire:
    aws: FakeAws
    access: Access
    service: str
    closed: bool = False
    gate: asyncio.Event | None = None  # when set, send() waits for it

    async def send(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        assert not self.closed, "a closed wire was used"
        who = self.access.credentials.access_key_id if self.access.credentials else "pod"
        self.aws.asked.append((who, operation, dict(parameters)))
        if self.gate is not None:
            await self.gate.wait()
        answer = self.aws.answers[operation](self.access, parameters)
        assert not self.closed, "a wire was closed under a call"
        return answer

    async def close(self) -> None:
        self.closed = True


@dataclass
class ScriptedServer:
    """An HTTP server that reads a whole request, remembers its operation, and then does what the script says."""

    url: str = ""
    received: list[str] = field(default_factory=list)


@asynccontextmanager
async def scripted(behave: Behaviour) -> AsyncIterator[ScriptedServer]:
    script = ScriptedServer()
    handlers: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
                await reader.readexactly(int(headers.get("Content-Length", 0)))
                script.received.append(headers.get("X-Amz-Target", "").rpartition(".")[2])
                await behave(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield script
    finally:
        server.close()
        for handler in handlers:
            if handler is not None:
                handler.cancel()
        await asyncio.gather(*(handler for handler in handlers if handler), return_exceptions=True)


def reply(status: int, body: bytes, headers: str = "") -> Behaviour:
    """A whole answer."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)
        await writer.drain()

    return behave


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """The connection ends without an answer."""
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    """The connection is reset, as by a firewall."""
    writer.transport.abort()


async def cut_short(writer: asyncio.StreamWriter) -> None:
    """The answer stops in its middle."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"KeyMetadata": {"KeyId"')
    await writer.drain()
    writer.close()


async def never(_: asyncio.StreamWriter) -> None:
    """No answer at all."""
    await asyncio.Event().wait()
