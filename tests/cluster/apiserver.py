"""A real kube-apiserver with its etcd: RBAC on, one administrator, nothing kept.

Rules:
1. etcd listens on unix sockets in the scratch folder, so it needs no port. kube-apiserver cannot, and takes a free port of
   127.0.0.1; when somebody else gets that port first, it is started again on another one.
2. The clients see what a user's cluster shows them: TLS, tokens, RBAC, Pod Security, ServiceAccounts with TokenRequest.
3. There is no controller manager, no scheduler and no node: Deployments get no pods, namespaces stay Terminating, nothing
   collects garbage and no ClusterRole is aggregated.
4. A server that is killed comes back with the same port and token. etcd listens on a file, which the next one takes over.
"""

import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.cluster.probe import status
from tests.cluster.processes import Process, ProcessError, free_port

READY_SECONDS = 60.0  # 3 s on an idle machine with two cores, 7 s on a busy one
ATTEMPTS = 5  # for rule 1; two losses in a row were never seen

# etcd wants host:port in a URL also for a unix socket; the file of that name lies in its working folder.
ETCD_CLIENT = "unix://localhost:0"
ETCD_PEER = "unix://localhost:1"


@dataclass(frozen=True)
class ApiServer:
    """Where the API server is and how its administrator gets in."""

    url: str
    ca: Path
    admin_token: str


class ControlPlane:
    """Both servers, each of which may be killed and started again, on the same port and with the same data."""

    def __init__(self, binaries: Path, folder: Path, *options: str) -> None:
        """options: further flags of kube-apiserver. Use as a context manager, which starts both and waits. Raises ProcessError."""
        self._binaries = binaries
        self._folder = folder
        self._options = options
        self._token = _write_secrets(folder)
        self._starts = 0
        self._stack = contextlib.ExitStack()
        self._etcd: Process
        self._api: Process
        self.server: ApiServer

    def start(self) -> None:
        """kube-apiserver, which is down; waits until it is ready. Raises ProcessError."""
        self._run(self.server)
        if not _started(self._api, self.server):
            raise ProcessError(f"somebody took the port of {self.server.url}")

    def kill(self) -> None:
        """kill -9 of kube-apiserver."""
        _kill(self._api)

    def kill_all(self) -> None:
        """kill -9 of both."""
        _kill(self._api)
        _kill(self._etcd)

    def start_all(self, data: Path | None = None) -> None:
        """Both, which are down; data: what etcd held when `kept` was called, instead of what it holds now."""
        if data is not None:
            shutil.rmtree(self._data)
            shutil.copytree(data, self._data)
        self._run_etcd()
        self.start()

    def kept(self) -> Path:
        """A copy of etcd's data; both have to be down."""
        copy = self._folder / f"etcd-kept-{self._starts}"
        shutil.copytree(self._data, copy)
        return copy

    @property
    def _data(self) -> Path:
        return self._folder / "etcd"

    def _run_etcd(self) -> None:
        """Not yet ready: kube-apiserver waits for it."""
        self._etcd = self._stack.enter_context(Process(_etcd_command(self._binaries, self._data), self._log("etcd")))

    def _run(self, server: ApiServer) -> None:
        command = [*_command(self._binaries, self._folder, server), *self._options]
        self._api = self._stack.enter_context(Process(command, self._log("kube-apiserver")))

    def _log(self, name: str) -> Path:
        self._starts += 1
        return self._folder / f"{name}-{self._starts}.log"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.push(self._stack.__exit__)
            self._run_etcd()
            for _ in range(ATTEMPTS):
                self.server = ApiServer(f"https://127.0.0.1:{free_port()}", self._folder / "certs" / "apiserver.crt", self._token)
                self._run(self.server)
                if _started(self._api, self.server):
                    stack.pop_all()
                    return self
        raise ProcessError(f"kube-apiserver lost its port {ATTEMPTS} times")

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@contextlib.contextmanager
def api_server(binaries: Path, folder: Path) -> Iterator[ApiServer]:
    """Both servers, ready, with their data in `folder`. Raises ProcessError."""
    with ControlPlane(binaries, folder) as plane:
        yield plane.server


def _kill(process: Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(READY_SECONDS)


def _started(process: Process, server: ApiServer) -> bool:
    """True when ready, False when another process took the port. Raises ProcessError for all else."""
    try:
        # /readyz waits for every part of the server, the default roles included.
        process.wait_ready(lambda: status(f"{server.url}/readyz", server.ca, server.admin_token) == 200, READY_SECONDS)
    except ProcessError:
        if "address already in use" in process.log.read_text():
            return False
        raise
    return True


def _etcd_command(binaries: Path, data: Path) -> list[str]:
    """A crash may lose data, and nobody minds (no fsync)."""
    return [
        str(binaries / "etcd"),
        f"--data-dir={data}",
        f"--listen-client-urls={ETCD_CLIENT}",
        f"--advertise-client-urls={ETCD_CLIENT}",
        f"--listen-peer-urls={ETCD_PEER}",
        f"--initial-advertise-peer-urls={ETCD_PEER}",
        f"--initial-cluster=default={ETCD_PEER}",
        "--unsafe-no-fsync",
    ]


def _write_secrets(folder: Path) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (folder / "service-account.key").write_bytes(pem)
    token = secrets.token_urlsafe(32)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    return token


def _command(binaries: Path, folder: Path, server: ApiServer) -> list[str]:
    return [
        str(binaries / "kube-apiserver"),
        f"--etcd-servers={ETCD_CLIENT}",
        "--bind-address=127.0.0.1",
        f"--secure-port={server.url.rpartition(':')[2]}",
        # Without it the server wants a network card; loopback is refused. Nobody connects to it (RFC 5737, documentation).
        "--advertise-address=192.0.2.1",
        f"--cert-dir={server.ca.parent}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'service-account.key'}",
        f"--service-account-signing-key-file={folder / 'service-account.key'}",
        # It waits for ServiceAccounts named default, which the controller manager makes in a whole cluster.
        "--disable-admission-plugins=ServiceAccount",
    ]
