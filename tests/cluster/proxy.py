"""A proxy between an operator and its AWS: it writes down every call, and cuts or replaces answers on demand.

    with aws_proxy(cluster.aws_endpoint) as proxy, operator_behind(proxy, cluster):
        proxy.faults.append(Fault("CreateKey", Kind.CUT_AFTER))
        ...
        assert proxy.writes == ["CreateKey"]

Rules:
1. What is not said to be disturbed passes unchanged, signature and all.
2. A fault waits for a call of its operation and then disturbs as many as it says. The first fault that fits is taken.
3. A call is written down before it is passed on, so that nothing that AWS did is missing.
"""

import contextlib
import html
import http.client
import json
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.cluster.cluster import Cluster
from tests.cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT, Operator, Surroundings, running_operator

READS = ("Assume", "Describe", "Get", "List")  # what names of operations that change nothing begin with
REQUEST_ID = "11111111-2222-3333-4444-555555555555"
FORWARD_SECONDS = 20.0


class Kind(Enum):
    """What happens to a call."""

    CUT_BEFORE = "the connection is closed, and AWS never sees the call"
    CUT_AFTER = "AWS carries it out, and the connection is closed before the answer"
    HOLD_BEFORE = "AWS never sees it, and no answer comes"
    HOLD_AFTER = "AWS carries it out, and the answer comes when the test lets go"
    FAIL_AFTER = "AWS carries it out, and a 500 is answered"
    REFUSE = "AWS never sees it, and an error of AWS's is answered"


@dataclass
class Fault:
    """What shall happen to the next calls of an operation. code, message: of REFUSE. times: how many; -1 is without end."""

    operation: str
    kind: Kind
    code: str = "KMSInternalException"
    message: str = "AWS says no"
    times: int = 1


@dataclass
class AwsProxy:
    """The running proxy: give operators its `url` as AWS_ENDPOINT_URL."""

    url: str
    calls: list[str] = field(default_factory=list)  # the operations, in order of arrival
    faults: list[Fault] = field(default_factory=list)
    held: list[str] = field(default_factory=list)  # the operations whose calls wait, or waited, for `let_go`
    let_go: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def writes(self) -> list[str]:
        """The operations that change something, in order of arrival."""
        return [operation for operation in list(self.calls) if not operation.startswith(READS)]

    def arrived(self, operation: str) -> Fault | None:
        """Writes the call down. Returns the fault that is its fate, if any."""
        with self._turn:
            self.calls.append(operation)
            for fault in self.faults:
                if fault.operation == operation and fault.times != 0:
                    fault.times -= 1
                    return fault
        return None

    def hold(self, fault: Fault) -> None:
        """Blocks until the test lets go, or the proxy ends."""
        self.held.append(fault.operation)
        self.let_go.wait()


@contextlib.contextmanager
def aws_proxy(target: str) -> Iterator[AwsProxy]:
    """A proxy on a port of its own in front of the AWS at `target`, a URL."""
    with _Server(target) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield server.proxy
        finally:
            server.proxy.let_go.set()
            server.shutdown()
            serving.join()


@contextlib.contextmanager
def operator_behind(proxy: AwsProxy, cluster: Cluster, name: str = "operator", **flags: str | bool) -> Iterator[Operator]:
    """A ready operator whose AWS is the proxy; its log is `<name>.log`. Raises ProcessError."""
    around = Surroundings(cluster.folder, cluster.kubeconfig_for(NAMESPACE, SERVICE_ACCOUNT), proxy.url)
    with running_operator(around, name, flags) as operator:
        yield operator


class _Server(ThreadingHTTPServer):
    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(target).netloc
        self.proxy = AwsProxy(f"http://127.0.0.1:{self.server_port}")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An operator that was killed hangs up in the middle of anything; all else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open, as AWS does
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Every call to the services that the operator uses is a POST."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = _operation(self.headers.get("X-Amz-Target"), body)
        fault = self.server.proxy.arrived(operation)
        if fault is None:
            self._answer(self._forward(body))
        else:
            self._disturb(fault, body)

    def _disturb(self, fault: Fault, body: bytes) -> None:
        match fault.kind:
            case Kind.CUT_BEFORE:
                self._cut()
            case Kind.CUT_AFTER:
                self._forward(body)
                self._cut()
            case Kind.HOLD_BEFORE:
                self.server.proxy.hold(fault)
                self._cut()
            case Kind.HOLD_AFTER:
                answer = self._forward(body)
                self.server.proxy.hold(fault)
                self._answer(answer)
            case Kind.FAIL_AFTER:
                self._forward(body)
                self._answer(_error(500, "KMSInternalException", "AWS failed after the work was done"))
            case Kind.REFUSE:
                is_sts = "X-Amz-Target" not in self.headers
                self._answer(_sts_error(fault.code, fault.message) if is_sts else _error(400, fault.code, fault.message))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """The calls are written down already."""

    def _forward(self, body: bytes) -> _Answer:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=FORWARD_SECONDS)
        try:
            connection.request("POST", self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            return _Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def _answer(self, answer: _Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _operation(target: str | None, body: bytes) -> str:
    """JSON services name it in a header (TrentService.CreateKey), STS in a form (Action=AssumeRole)."""
    return target.rpartition(".")[2] if target else parse_qs(body.decode()).get("Action", ["unknown"])[0]


def _error(status: int, code: str, message: str) -> _Answer:
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": REQUEST_ID}
    return _Answer(status, headers, json.dumps({"__type": code, "message": message}).encode())


def _sts_error(code: str, message: str) -> _Answer:
    """STS speaks XML."""
    words = f"<Type>Sender</Type><Code>{code}</Code><Message>{html.escape(message)}</Message>"
    body = f"<ErrorResponse><Error>{words}</Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
    return _Answer(403, {"Content-Type": "text/xml"}, body.encode())
