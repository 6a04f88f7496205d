"""The fast KMS as a process of its own, and what it has counted."""

import contextlib
import http.client
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.fast_kms import Calls
from tests.cluster.emulator import REPOSITORY
from tests.cluster.probe import status
from tests.cluster.processes import Process

READY_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Backend:
    """The fast KMS, running."""

    url: str

    def calls(self) -> Calls:
        """What it was asked so far. Raises OSError."""
        return msgspec.json.decode(self._ask("GET", "/calls"), type=Calls)

    def count(self, *operations: str) -> int:
        """How often it was asked for these operations together, or for all of them when none is named."""
        calls = self.calls().calls
        return sum(calls.get(operation, 0) for operation in operations or calls)

    def call(self, operation: str, region: str, parameters: dict[str, Any]) -> None:
        """Somebody else's call to KMS. Raises OSError."""
        scope = f"AWS4-HMAC-SHA256 Credential=other/20260101/{region}/kms/aws4_request"
        self._ask("POST", "/", msgspec.json.encode(parameters), {"X-Amz-Target": f"TrentService.{operation}", "Authorization": scope})

    def put(self, message: str) -> None:
        """Puts a message into the queue. Raises OSError."""
        self._ask("POST", "/queue", message.encode())

    def _ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=TIMEOUT_SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            return connection.getresponse().read()


@contextlib.contextmanager
def backend(folder: Path, *options: str) -> Iterator[Backend]:
    """A fast KMS, empty; its log goes to `folder`. Raises ProcessError."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        host, port = listening.getsockname()
        command = [sys.executable, "-m", "tests.bench.fast_kms", str(listening.fileno()), *options]
        process = Process(command, folder / f"kms-{port}.log", env={"PYTHONPATH": str(REPOSITORY)}, fds=[listening.fileno()])
    with process:
        process.wait_ready(lambda: status(f"http://{host}:{port}/calls") == 200, READY_SECONDS)
        yield Backend(f"http://{host}:{port}")
