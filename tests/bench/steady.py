"""What many keys cost that exist already: to start with them, to keep them in memory, and to look at them again and again."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from tests.bench.figures import Figure
from tests.bench.lag import lag_figures
from tests.bench.meters import Usage, age_seconds, cpu_seconds, memory, scrape
from tests.bench.world import World
from tests.cluster.operator_process import Operator

# One look at a key that is as declared: what it is, its tags, its policy, its rotation.
READS = ("DescribeKey", "ListResourceTags", "GetKeyPolicy", "GetKeyRotationStatus")
# Measured with `unshare -m` and the files of a pod in place: the client library that reads kubeconfigs is not loaded there.
IN_A_POD = "in a pod, without a kubeconfig, 36 MB and 0.17 s of CPU at the start less"
# Resyncs are spread by a tenth, and follow a first round of some seconds: after this many intervals each key had its turn.
WATCHED_INTERVALS = 1.5


class Start(NamedTuple):
    """Seconds of time and of CPU from the start of the process to /readyz, and to the end of the first round over all keys."""

    ready: float
    ready_cpu: float
    round: float
    round_cpu: float


def start_up(world: World, objects: int, runs: int) -> list[Figure]:
    """The least of several starts with so many keys. Raises TimeoutError."""
    starts = []
    for _ in range(runs):
        with started(world, objects) as (_, start):
            starts.append(start)
    least = Start(*map(min, zip(*starts, strict=True)))
    ready, all_seen = f"Start to /readyz with {objects:,} objects", f"Start to the end of the first round over {objects:,} objects"
    return [
        Figure(ready, least.ready, "s"),
        Figure(f"{ready}, CPU", least.ready_cpu, "s"),
        Figure(all_seen, least.round, "s"),
        Figure(f"{all_seen}, CPU", least.round_cpu, "s"),
    ]


def steady_state(world: World, background: Usage, objects: int, interval: int) -> list[Figure]:
    """Memory with so many keys, and what a look at one of them costs, if each is looked at every `interval` seconds.

    Raises TimeoutError.
    """
    with started(world, objects, resync_interval=f"{interval}s") as (operator, _):
        held = memory(operator.process.pid)
        used = world.meter(operator).watch(interval * WATCHED_INTERVALS)
        page = scrape(operator.metrics_url)
    rest = used.above(background)
    return [
        Figure(f"Operator memory with {objects:,} objects", held.now, "MB", note=f"{len(world.regions)} providers; {IN_A_POD}"),
        Figure(f"Operator memory with {objects:,} objects, peak", held.peak, "MB"),
        Figure("Operator CPU per resync", rest.operator_cpu / used.passes * 1000, "ms", note=f"{used.passes:.0f} resyncs"),
        Figure("AWS calls per resync", used.aws_calls / used.passes, ""),
        Figure("Kubernetes calls per resync", max(rest.kube_calls, 0.0) / used.passes, ""),
        *lag_figures(page, f"while {objects:,} keys are looked at each {interval} s"),
    ]


@contextlib.contextmanager
def started(world: World, objects: int, replica: int = 1, **flags: str) -> Iterator[tuple[Operator, Start]]:
    """An operator that leads and has compared every key with AWS. Raises TimeoutError."""
    asked = world.backend.count(*READS)
    with world.operator(replica, **flags) as operator:
        pid = operator.process.pid
        ready, ready_cpu = age_seconds(pid), cpu_seconds(pid)
        world.wait_for_calls(asked + len(READS) * objects, *READS)
        yield operator, Start(ready, ready_cpu, age_seconds(pid), cpu_seconds(pid))
