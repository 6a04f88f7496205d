"""AWS emulators, each as a process of its own, and AWS's own view of them through a plain boto3 client.

Rules:
1. An emulator starts empty, lives in account 123456789012 whoever asks, and takes CREDENTIALS.
2. It inherits a socket that listens already: no port is guessed, and when it dies, connections are refused and do not hang.
3. What an emulator does otherwise than AWS stands in deviations.py; tests ask there, never for a name.
"""

import contextlib
import socket
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.cluster.probe import status
from tests.cluster.processes import Process

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 60.0  # they import every AWS service that they know: 2 to 5 s
ACCOUNT_ID = "123456789012"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Backend(StrEnum):
    """The emulators that there are."""

    MOTO = "moto"
    MINISTACK = "ministack"
    STRICT = "strict"  # our own model, which refuses what AWS refuses and goes wrong on demand: tests/strict


READY_PATHS = {Backend.MOTO: "/moto-api/data.json", Backend.MINISTACK: "/_ministack/ready", Backend.STRICT: "/_strict/ready"}


@contextlib.contextmanager
def emulator(folder: Path, backend: Backend = Backend.MOTO, **settings: str) -> Iterator[str]:
    """The URL of an empty AWS; its log goes to `folder`. settings: further environment, such as AUTH="true". Raises ProcessError."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        process = Process(
            _command(backend, listening.fileno()),
            folder / f"{backend}.log",
            env=_environment(backend, folder, port) | settings,
            fds=[listening.fileno()],
        )
    with process:
        process.wait_ready(lambda: status(f"http://{host}:{port}{READY_PATHS[backend]}") == 200, READY_SECONDS)
        yield f"http://{host}:{port}"


def _command(backend: Backend, fd: int) -> list[str]:
    match backend:
        case Backend.MOTO:
            return [sys.executable, "-m", "tests.cluster.moto_server", str(fd)]
        case Backend.STRICT:
            return [sys.executable, "-m", "tests.strict", str(fd)]
        case Backend.MINISTACK:
            # As ministack starts itself in the background, but in one process: a worker would outlive its master's death.
            return [sys.executable, "-m", "hypercorn", "ministack.app:app", "--bind", f"fd://{fd}", "--workers", "0", "--keep-alive", "75"]


def _environment(backend: Backend, folder: Path, port: int) -> dict[str, str]:
    match backend:
        case Backend.MOTO | Backend.STRICT:
            return {"PYTHONPATH": str(REPOSITORY)}
        case Backend.MINISTACK:
            return {
                "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
                "GATEWAY_PORT": str(port),
                "IOT_MTLS_ENABLED": "0",  # else it also listens on 0.0.0.0:8883
                "STATE_DIR": str(folder / "ministack"),
                "S3_DATA_DIR": str(folder / "ministack" / "s3"),
                "TMPDIR": str(folder),
                "HOME": str(folder),
            }


def boto(endpoint: str, service: str, region: str, credentials: Mapping[str, str] = CREDENTIALS) -> Any:
    """A boto3 client that sees what AWS sees; the caller closes it."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        config=Config(proxies={}, connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1}),
    )
