"""What a start costs with a full account's worth of objects: a standby that reads them all, and waits.

The lease is somebody else's, so that nothing is done with the objects: this is what every replica pays before it may lead. The objects have
the status of keys that were made, because a status is half of what is read.
"""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from controller.key_objects import KMSKEYS
from controller.lease import LEASES
from controller.leases import LEASE_NAME
from tests.bench.figures import Figure
from tests.bench.lag import lag_figures
from tests.bench.meters import age_seconds, cpu_seconds, memory, scrape
from tests.bench.objects import key, made_status
from tests.bench.world import Ground, World
from tests.cluster.api import Api, RefusedError
from tests.cluster.operator_process import NAMESPACE, Operator

# Four connections keep an API server on two cores busy.
WRITERS = 4
# Longer than any benchmark.
LEASE_SECONDS = 86_400
# The allocator has given back by then what the lists took.
SETTLE_SECONDS = 5.0


def cold_start(ground: Ground, world: World, objects: int) -> list[Figure]:
    """Writes so many objects, and starts an operator that has not to do with them yet. Raises RefusedError, ProcessError."""
    _write(ground, world, objects)
    with _lease_of_another(world.api), world.operator() as operator:
        return standing_by(operator, f"with {objects:,} objects")


def standing_by(operator: Operator, name: str) -> list[Figure]:
    """What an operator costs that has just become ready, and does nothing yet."""
    pid = operator.process.pid
    ready, ready_cpu = age_seconds(pid), cpu_seconds(pid)
    time.sleep(SETTLE_SECONDS)
    held, page = memory(pid), scrape(operator.metrics_url)
    return [
        Figure(f"Start to /readyz {name}", ready, "s"),
        Figure(f"Start to /readyz {name}, CPU", ready_cpu, "s"),
        Figure(f"Standby's memory {name}", held.now, "MB"),
        Figure(f"Standby's memory {name}, peak", held.peak, "MB"),
        *lag_figures(page, f"from the start {name}"),
    ]


def _write(ground: Ground, world: World, objects: int) -> None:
    def share(writer: int) -> None:
        with contextlib.closing(Api(ground.server)) as api:
            for number in range(writer, objects, WRITERS):
                made = api.post(KMSKEYS.path(world.namespace), key(world.namespace, "many", number, world.regions))
                path = KMSKEYS.path(world.namespace, made["metadata"]["name"], "status")
                api.merge(path, {"status": made_status(number, made["metadata"]["uid"])})

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(share, range(WRITERS)))


@contextlib.contextmanager
def _lease_of_another(api: Api) -> Iterator[None]:
    path = LEASES.path(NAMESPACE, LEASE_NAME)
    with contextlib.suppress(RefusedError):
        api.delete(path)
    api.post(LEASES.path(NAMESPACE), a_lease_of("another"))
    try:
        yield
    finally:
        api.delete(path)


def a_lease_of(holder: str) -> dict[str, Any]:
    """The operator's lease, held for longer than any benchmark; or by nobody, ""."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": holder, "leaseDurationSeconds": LEASE_SECONDS, "acquireTime": now, "renewTime": now}
    return {"metadata": {"name": LEASE_NAME}, "spec": spec}
