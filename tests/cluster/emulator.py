"""The AWS emulator as a process of its own, and AWS's own view of it through a plain boto3 client."""

import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.cluster.probe import status
from tests.cluster.processes import Process

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 60.0  # it imports every AWS service that it knows: 2 to 5 s
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@contextlib.contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """The URL of an empty AWS that accepts any credentials; its log goes to `folder`. Raises ProcessError."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        command = [sys.executable, "-m", "tests.cluster.moto_server", str(listening.fileno())]
        process = Process(command, folder / "moto.log", env={"PYTHONPATH": str(REPOSITORY)}, fds=[listening.fileno()])
    # From here on the socket is the emulator's alone: when it dies, connections are refused and do not hang.
    with process:
        process.wait_ready(lambda: status(f"http://{host}:{port}/moto-api/data.json") == 200, READY_SECONDS)
        yield f"http://{host}:{port}"


def boto(endpoint: str, service: str, region: str) -> Any:
    """A boto3 client that sees what AWS sees; the caller closes it."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(proxies={}, connect_timeout=5, read_timeout=20),
    )
