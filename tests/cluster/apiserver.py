"""A real kube-apiserver with its etcd: RBAC on, one administrator, nothing kept.

Rules:
1. etcd listens on unix sockets in the scratch folder, so it needs no port. kube-apiserver cannot, and takes a free port of
   127.0.0.1; when somebody else gets that port first, it is started again on another one.
2. The clients see what a user's cluster shows them: TLS, tokens, RBAC, Pod Security, ServiceAccounts with TokenRequest.
3. There is no controller manager, no scheduler and no node: Deployments get no pods, namespaces stay Terminating, nothing
   collects garbage and no ClusterRole is aggregated.
"""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


@contextlib.contextmanager
def api_server(binaries: Path, folder: Path) -> Iterator[ApiServer]:
    """Both servers, ready, with their data in `folder`. Raises ProcessError."""
    token = _write_secrets(folder)
    with etcd(binaries, folder), contextlib.ExitStack() as stack:
        for attempt in range(ATTEMPTS):
            server = ApiServer(f"https://127.0.0.1:{free_port()}", folder / "certs" / "apiserver.crt", token)
            process = stack.enter_context(Process(_command(binaries, folder, server), folder / f"kube-apiserver-{attempt}.log"))
            if _started(process, server):
                break
        else:
            raise ProcessError(f"kube-apiserver lost its port {ATTEMPTS} times")
        yield server


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


@contextlib.contextmanager
def etcd(binaries: Path, folder: Path) -> Iterator[None]:
    """etcd in `folder`, not yet ready: kube-apiserver waits for it. A crash may lose data, and nobody minds (no fsync)."""
    command = [
        str(binaries / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={ETCD_CLIENT}",
        f"--advertise-client-urls={ETCD_CLIENT}",
        f"--listen-peer-urls={ETCD_PEER}",
        f"--initial-advertise-peer-urls={ETCD_PEER}",
        f"--initial-cluster=default={ETCD_PEER}",
        "--unsafe-no-fsync",
    ]
    with Process(command, folder / "etcd.log"):
        yield


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
