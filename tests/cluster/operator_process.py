"""The operator as its users run it: `python -m controller run` in a process of its own, with nothing but its ServiceAccount.

Rules:
1. It sees an environment that is made for it, and nothing of ours: no credentials, no proxy, no kubeconfig leaks in.
2. Its RBAC is the shipped one: its token is the ServiceAccount's that the manifests install.
3. It is ready when /readyz says so, which a standby's does too.
"""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.emulator import CREDENTIALS, REPOSITORY
from tests.cluster.probe import status
from tests.cluster.processes import Process, free_port

NAMESPACE = "infra-operator-system"
SERVICE_ACCOUNT = "infra-operator-controller-manager"
READY_SECONDS = 60.0  # imports and the first lists; 2 to 5 s


@dataclass(frozen=True)
class Operator:
    """A running operator; `process` stops it, kills it and has its log."""

    process: Process
    metrics_url: str
    health_url: str


@dataclass(frozen=True)
class Surroundings:
    """What an operator finds around it."""

    folder: Path
    kubeconfig: Path
    aws_endpoint: str
    # What starts it; nothing means this checkout.
    program: tuple[str, ...] = ()
    # Who the process itself is to AWS, as variables.
    identity: Mapping[str, str] = field(default_factory=lambda: CREDENTIALS)


@contextlib.contextmanager
def running_operator(around: Surroundings, name: str, flags: dict[str, str | bool]) -> Iterator[Operator]:
    """Starts the replica `name` and waits until it is ready; its log is `<name>.log`. Raises ProcessError."""
    operator = start_operator(around, name, flags, around.folder / f"{name}.log")
    with operator.process:
        operator.process.wait_ready(lambda: status(f"{operator.health_url}/readyz") == 200, READY_SECONDS)
        yield operator


def start_operator(around: Surroundings, name: str, flags: Mapping[str, str | bool], log: Path) -> Operator:
    """The replica `name`, not yet ready; its process is the caller's to end."""
    metrics, health = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    arguments = {"metrics_bind_address": metrics, "health_bind_address": health, **flags}
    command = [*(around.program or (sys.executable, "-m", "controller")), "run", *_as_flags(arguments)]
    return Operator(Process(command, log, env=_environment(around, name)), f"http://{metrics}/metrics", f"http://{health}")


def _as_flags(arguments: dict[str, str | bool]) -> Iterator[str]:
    for name, value in arguments.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        else:
            yield f"--{flag}={value}"


def _environment(around: Surroundings, name: str) -> dict[str, str]:
    return {
        **around.identity,
        "AWS_ENDPOINT_URL": around.aws_endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",  # else a missing credential costs seconds of waiting for 169.254.169.254
        "HOME": str(around.folder),
        "KUBECONFIG": str(around.kubeconfig),
        "POD_NAME": name,
        "POD_NAMESPACE": NAMESPACE,
        **({} if around.program else {"PYTHONPATH": str(REPOSITORY)}),
    }
