"""What the operator meets in a benchmark: a real API server, the fast KMS, and us as the user who applies objects and waits.

Rules:
1. One namespace holds all objects of a world, and its operators see no other.
2. What we wait for is asked of the KMS first, which costs the measured parts nothing, and of the API server at the end.
3. Quiet: all keys are Ready, no Event has been written for QUIET_SECONDS, and the providers have counted them.
"""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.awsproviders import USERS_SECONDS
from controller.events import EVENTS
from controller.key_objects import KMSKEYS
from controller.namespaces import NAMESPACES
from controller.provider_objects import AWSPROVIDERS
from tests.bench.backend import Backend, backend
from tests.bench.meters import Meter, servers_in
from tests.bench.objects import BATCH_LABEL, key, provider
from tests.cluster.api import Api
from tests.cluster.apiserver import ApiServer, api_server
from tests.cluster.binaries import assets
from tests.cluster.cluster import Cluster
from tests.cluster.operator_process import Operator
from tests.cluster.processes import scratch_folder, wait_until

# The slowest wait, 200 keys at 5 a second, takes 40 s on an idle machine.
PATIENCE_SECONDS = 120.0
# The operator's own bound for finishing what runs.
STOP_SECONDS = 30.0
# The operator writes an Event every 0.05 s as long as it has some.
QUIET_SECONDS = 1.0


@dataclass(frozen=True)
class World:
    """A namespace of a cluster, with an AWS and the regions in which its keys are made."""

    cluster: Cluster
    backend: Backend
    api: Api
    namespace: str
    regions: tuple[str, ...]

    @contextlib.contextmanager
    def operator(self, replica: int = 1, **flags: str) -> Iterator[Operator]:
        """A ready operator that may use all of KMS's quotas; it gives its lease back at the end. Raises ProcessError.

        When something is waited for in vain, its last words are shown.
        """
        settings: dict[str, str | bool] = {"quota_fraction": "1.0", "watch_namespaces": self.namespace, **flags}
        with self.cluster.operator(replica, **settings) as operator:
            try:
                yield operator
            except TimeoutError:
                sys.stderr.write(f"The operator's last words:\n{operator.process.tail()}\n")
                raise
            operator.process.terminate(STOP_SECONDS)

    def meter(self, operator: Operator) -> Meter:
        """What measures this operator and the API server."""
        return Meter(operator.process.pid, servers_in(self.cluster.folder), operator.metrics_url)

    def prepare(self) -> None:
        """Makes the namespace, and a provider for each region."""
        self.api.post(NAMESPACES.path(), {"metadata": {"name": self.namespace}})
        for region in self.regions:
            self.api.post(AWSPROVIDERS.path(self.namespace), provider(self.namespace, region))

    def add_key(self, batch: str, number: int) -> None:
        """Applies one key of a batch."""
        self.api.post(KMSKEYS.path(self.namespace), key(self.namespace, batch, number, self.regions))

    def add_keys(self, batch: str, count: int) -> None:
        """Applies so many keys, and waits until they are Ready. Raises TimeoutError."""
        made = self.backend.count("EnableKeyRotation")  # the last call for a new key
        for number in range(count):
            self.add_key(batch, number)
        self.wait_for_calls(made + count, "EnableKeyRotation")
        wait_until(lambda: self._ready(batch) == count, PATIENCE_SECONDS, f"{count} keys are Ready")

    def wait_for_calls(self, count: int, *operations: str) -> None:
        """Until AWS was asked so often in all. Raises TimeoutError."""
        wait_until(lambda: self.backend.count(*operations) >= count, PATIENCE_SECONDS, f"{count} calls of {operations}")

    def wait_for_quiet(self) -> None:
        """Until no Event is written any more, and the providers know how many keys they have. Raises TimeoutError."""
        written = [self._events()]

        def is_quiet() -> bool:
            time.sleep(QUIET_SECONDS)
            written.append(self._events())
            return written[-1] == written[-2]

        wait_until(is_quiet, PATIENCE_SECONDS, "no Event is written")
        time.sleep(USERS_SECONDS)

    def _ready(self, batch: str) -> int:
        listed = self.api.get(f"{KMSKEYS.path(self.namespace)}?labelSelector={BATCH_LABEL}%3D{batch}")
        return sum(_is_ready(item) for item in listed["items"])

    def _events(self) -> int:
        """How many there are, for the price of reading one."""
        listed = self.api.get(f"{EVENTS.path(self.namespace)}?limit=1")
        return len(listed["items"]) + int(listed["metadata"].get("remainingItemCount", 0))


@dataclass(frozen=True)
class Ground:
    """A running API server with the operator's CRDs and roles, for worlds to be made on."""

    folder: Path
    binaries: Path
    server: ApiServer
    api: Api

    @contextlib.contextmanager
    def world(self, namespace: str, regions: tuple[str, ...], *options: str) -> Iterator[World]:
        """A new namespace with an AWS of its own; the options are the fast KMS's. Raises ProcessError."""
        with contextlib.ExitStack() as stack:
            kms = stack.enter_context(backend(self.folder, *options))
            cluster = stack.enter_context(contextlib.closing(Cluster(self.folder, self.binaries, self.server, kms.url)))
            world = World(cluster, kms, self.api, namespace, regions)
            world.prepare()
            yield world


@contextlib.contextmanager
def running_ground() -> Iterator[Ground]:
    """Raises BinariesError and ProcessError."""
    binaries = assets()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch_folder())
        server = stack.enter_context(api_server(binaries, folder))
        with contextlib.closing(Cluster(folder, binaries, server, "")) as cluster:
            cluster.install()
        yield Ground(folder, binaries, server, stack.enter_context(contextlib.closing(Api(server))))


def _is_ready(item: dict[str, Any]) -> bool:
    conditions = item.get("status", {}).get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
