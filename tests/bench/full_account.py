"""What a full account costs: 100,000 keys of one account and region, KMS's limit, and their objects.

    python -m tests.bench --full-account [--objects N] [--seconds S]

Neither a real KMS nor a real API server fills so far in the time of a benchmark: both are ours, and hold copies of one key that the operator
has made before (copies.py). A standby reads all objects; then the lease is set free, and it leads: it looks at each key, and writes nothing. Of
that first round it is watched for some seconds. The API server speaks plain HTTP here: TLS would add some CPU to the reading.
"""

import contextlib
import http.client
import json
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.key_objects import KMSKEYS
from controller.lease import LEASES
from controller.leases import LEASE_NAME
from controller.namespaces import NAMESPACES
from controller.provider_objects import AWSPROVIDERS
from tests.bench.backend import READY_SECONDS, TIMEOUT_SECONDS, Backend, backend
from tests.bench.copies import copy_names
from tests.bench.figures import Figure
from tests.bench.lag import lag_figures
from tests.bench.many import a_lease_of, standing_by
from tests.bench.meters import cpu_seconds, memory, scrape, total
from tests.bench.objects import key, provider
from tests.bench.steady import READS
from tests.cluster.emulator import REPOSITORY
from tests.cluster.operator_process import NAMESPACE, Operator, Surroundings, running_operator
from tests.cluster.probe import status
from tests.cluster.processes import Process, scratch_folder, wait_until

OURS = "bench"
REGION = "us-east-1"
# The first look at a new key learns the date of its next rotation, which is written; after some more nothing is.
LOOKS_UNTIL_QUIET = 5
QUIET_SECONDS = 30.0
# A standby asks for the lease each second or two.
LEAD_SECONDS = 20.0
LEASE_PATH = LEASES.path(NAMESPACE, LEASE_NAME)


@dataclass(frozen=True)
class Clouds:
    """Our KMS and our API server, as the user of a benchmark has them."""

    kms: Backend
    api: str
    around: Surroundings

    @contextlib.contextmanager
    def operator(self, **flags: str | bool) -> Iterator[Operator]:
        """A ready one. Raises ProcessError."""
        with running_operator(self.around, "operator", {"watch_namespaces": OURS, **flags}) as operator:
            yield operator

    def make_one(self) -> None:
        """The key of which the others are copies, and its object with all that the operator writes. Raises TimeoutError."""
        send(self.api, "POST", NAMESPACES.path(), {"metadata": {"name": "kube-system"}})
        send(self.api, "POST", AWSPROVIDERS.path(OURS), provider(OURS, REGION))
        body = key(OURS, "full", 0, (REGION,))
        body["metadata"]["name"] = copy_names(0).name
        send(self.api, "POST", KMSKEYS.path(OURS), body)
        with self.operator(resync_interval="1s", leader_elect=False):
            wait_until(lambda: self.kms.count("DescribeKey") > LOOKS_UNTIL_QUIET, QUIET_SECONDS, "the first key is looked at")

    def copy(self, count: int) -> None:
        """From now on there are so many."""
        for url in (self.kms.url, self.api):
            send(url, "POST", f"/copies?count={count}")

    def writes(self) -> int:
        """How many writes to objects there were since."""
        return int(send(self.api, "GET", "/copies")["writes"])


def full_account(objects: int, seconds: float) -> list[Figure]:
    """With so many objects, of whose first round so many seconds are watched. Raises ProcessError, TimeoutError and OSError."""
    with running_clouds() as clouds:
        clouds.make_one()
        clouds.copy(objects)
        send(clouds.api, "POST", LEASES.path(NAMESPACE), a_lease_of("another"))
        with clouds.operator() as operator:
            return [*standing_by(operator, f"with {objects:,} objects of one region"), *_round(clouds, operator, objects, seconds)]


def _round(clouds: Clouds, operator: Operator, objects: int, seconds: float) -> list[Figure]:
    pid, name = operator.process.pid, f"with {objects:,} objects of one region"
    reads, cpu = clouds.kms.count(*READS), cpu_seconds(pid)
    send(clouds.api, "PUT", LEASE_PATH, a_lease_of(""))
    wait_until(lambda: clouds.kms.count(*READS) > reads, LEAD_SECONDS, "the standby leads")
    began = time.monotonic()
    whole = reads + len(READS) * objects
    with contextlib.suppress(TimeoutError):  # mostly this is only a part of the round
        wait_until(lambda: clouds.kms.count(*READS) >= whole, seconds, "all keys were looked at")
    took, cpu = time.monotonic() - began, cpu_seconds(pid) - cpu
    looks = (clouds.kms.count(*READS) - reads) / len(READS)
    seen, held = scrape(operator.metrics_url), memory(pid)
    if total(seen, "leader_election_master_status") != 1:
        raise TimeoutError("the lease was lost")
    per_look = cpu / looks
    return [
        Figure(f"First round {name}, CPU per look", per_look * 1000, "ms", note=f"{looks:,.0f} looks in {took:.0f} s; no lease was lost"),
        Figure(f"First round {name}, all of it at this pace", took / looks * objects, "s"),
        Figure(f"First round {name}, CPU of all of it", per_look * objects, "s"),
        Figure(f"Leader's memory {name}", held.now, "MB"),
        Figure(f"Leader's memory {name}, peak", held.peak, "MB"),
        *lag_figures(seen, name),
        Figure(f"Resync interval {name}, in force", total(seen, "controller_resync_interval_seconds"), "s"),
        Figure(f"Writes to objects {name}", clouds.writes(), ""),
    ]


@contextlib.contextmanager
def running_clouds() -> Iterator[Clouds]:
    """Both, empty. Raises ProcessError."""
    with scratch_folder() as folder, backend(folder) as kms, _many_api(folder) as api:
        yield Clouds(kms, api, Surroundings(folder, _kubeconfig(folder, api), kms.url))


@contextlib.contextmanager
def _many_api(folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        host, port = listening.getsockname()
        command = [sys.executable, "-m", "tests.bench.many_api", str(listening.fileno())]
        process = Process(command, folder / "many-api.log", env={"PYTHONPATH": str(REPOSITORY)}, fds=[listening.fileno()])
    with process:
        process.wait_ready(lambda: status(f"http://{host}:{port}/copies") == 200, READY_SECONDS)
        yield f"http://{host}:{port}"


def _kubeconfig(folder: Path, url: str) -> Path:
    """JSON is YAML."""
    named = {"cluster": {"server": url}, "user": {"token": "anybody"}, "context": {"cluster": "many", "user": "many"}}
    config = {f"{kind}s": [{"name": "many", kind: what}] for kind, what in named.items()}
    path = folder / "kubeconfig"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "many", **config}))
    return path


def send(url: str, method: str, path: str, body: object = None) -> Any:
    """The answer, which must be a success. Raises OSError."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=TIMEOUT_SECONDS * 10)
    with contextlib.closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    if answer.status >= 300:
        raise OSError(f"{method} {url}{path}: {answer.status} {text.decode(errors='replace')[:200]}")
    return json.loads(text) if text else None
