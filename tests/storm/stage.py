"""What a storm rages on: a kube-apiserver and an etcd, the strict AWS, and two operators that want to lead, each behind a proxy of its own.

Rules:
1. Whatever ends an operator's process, it is started again a moment later, as a Deployment would.
2. The user speaks to the API server without a proxy, and repeats what got no answer.
"""

import contextlib
import http.client
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tests.cluster.api import Api, RefusedError
from tests.cluster.apiserver import ControlPlane
from tests.cluster.binaries import assets
from tests.cluster.cluster import Cluster
from tests.cluster.emulator import Backend, emulator
from tests.cluster.kubectl import write_kubeconfig
from tests.cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT, Operator, Surroundings, start_operator
from tests.cluster.probe import status
from tests.cluster.processes import ProcessError, scratch_folder
from tests.cluster.tcp_proxy import Link, tcp_proxy
from tests.strict.ask import ask

T = TypeVar("T")
Flags = Mapping[str, str | bool]

# Short, so that a storm of minutes has many handovers; the operator's own rules hold for any length.
FLAGS: Flags = {
    "lease_duration": "6s",
    "renew_deadline": "4s",
    "retry_period": "1s",
    "create_grace": "10s",
    "resync_interval": "60s",
    "quota_fraction": "1.0",
    "log_level": "debug",
}
USER_PATIENCE = 60.0


class Replica:
    """An operator that is started again whenever it ends. `ends` counts its exit codes."""

    def __init__(self, name: str, around: Surroundings, link: Link) -> None:
        self.name = name
        self.link = link
        self.ends: Counter[int] = Counter()
        self._starts = 0
        self._around = around
        self._due = 0.0
        self.operator = self._start()

    def _start(self) -> Operator:
        self._starts += 1
        return start_operator(self._around, self.name, FLAGS, self._around.folder / f"{self.name}-{self._starts}.log")

    def tend(self, pause: float) -> None:
        """Start it again if it has ended; `pause` seconds after that was noticed."""
        code = self.exit_code()
        if code is None:
            return
        if not self._due:
            self.ends[code] += 1
            self._due = time.monotonic() + pause
        if time.monotonic() >= self._due:
            self._due = 0.0
            self.operator = self._start()

    def exit_code(self) -> int | None:
        try:
            return self.operator.process.wait(0)
        except ProcessError:
            return None

    def signal(self, which: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.operator.process.pid, which)

    def is_well(self) -> bool:
        """Alive, ready and healthy."""
        return all(status(f"{self.operator.health_url}/{probe}") == 200 for probe in ("healthz", "readyz"))

    def close(self) -> None:
        self.signal(signal.SIGCONT)
        self.operator.process.__exit__(None, None, None)


@dataclass
class Stage:
    """All that there is. `cluster` is the administrator's."""

    plane: ControlPlane
    cluster: Cluster
    aws: str
    replicas: list[Replica]

    def strict(self, method: str, path: str, body: object = None) -> Any:
        """A request to the strict AWS's own side."""
        return ask(self.aws, method, path, body)

    def user(self) -> "User":
        return User(Api(self.plane.server))

    def every_key(self) -> list[dict[str, Any]]:
        """Every key there is, in all regions."""
        found: list[dict[str, Any]] = self.strict("GET", "keys")["keys"]
        return found


class User:
    """The API server as somebody sees it who does not give up."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def insist(self, ask: Callable[[Api], T]) -> T:
        """The answer, sooner or later. Raises RefusedError, and OSError when there was no server for a minute."""
        ends = time.monotonic() + USER_PATIENCE
        while True:
            try:
                return ask(self.api)
            except (OSError, http.client.HTTPException, ValueError, RefusedError) as error:  # ValueError: half an answer
                if isinstance(error, RefusedError) and ": 50" not in str(error):
                    raise
                self.api.close()
                if time.monotonic() > ends:
                    raise
                time.sleep(0.3)


@contextlib.contextmanager
def stage(*, quotas: bool) -> Iterator[Stage]:
    """Everything running, and nobody ready yet. quotas: AWS has its request quotas."""
    binaries = assets()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch_folder())
        aws = stack.enter_context(emulator(folder, Backend.STRICT, STRICT_QUOTAS="1" if quotas else "0"))
        plane = stack.enter_context(ControlPlane(binaries, folder))
        cluster = stack.enter_context(contextlib.closing(Cluster(folder, binaries, plane.server, aws, Backend.STRICT)))
        cluster.install()
        token = cluster.kubectl.token(NAMESPACE, SERVICE_ACCOUNT)
        replicas = []
        for name in ("a", "b"):
            link = stack.enter_context(tcp_proxy(plane.server.url))
            kubeconfig = write_kubeconfig(folder / f"{name}.kubeconfig", replace(plane.server, url=link.url), token)
            replicas.append(Replica(name, Surroundings(folder, kubeconfig, aws), link))
            stack.callback(replicas[-1].close)
        yield Stage(plane, cluster, aws, replicas)
