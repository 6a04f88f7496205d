"""Meters: what the operating system and the operator's own /metrics say about a stretch of time.

Rules:
1. CPU time is the operating system's: user and system time of the whole process, its threads included.
2. Reading /metrics costs the operator CPU time, so it is read before a window opens and after it has closed.
3. Figures of one key are what a window used, less what the same time costs when nothing happens.
"""

import contextlib
import http.client
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

TICK = 1 / os.sysconf("SC_CLK_TCK")
TIMEOUT_SECONDS = 10.0
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True, slots=True)
class Memory:
    """In megabytes of 10^6 bytes: what the process has in memory now, and at its highest."""

    now: float
    peak: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used in a stretch of time: CPU in seconds, calls as counted by the operator, passes over keys."""

    seconds: float
    operator_cpu: float
    servers_cpu: float
    aws_calls: float
    kube_calls: float
    passes: float

    def above(self, idle: "Usage") -> "Usage":
        """The same without what an idle operator uses in that time."""
        share = self.seconds / idle.seconds
        return replace(
            self,
            operator_cpu=self.operator_cpu - idle.operator_cpu * share,
            servers_cpu=self.servers_cpu - idle.servers_cpu * share,
            aws_calls=self.aws_calls - idle.aws_calls * share,
            kube_calls=self.kube_calls - idle.kube_calls * share,
        )


@dataclass(slots=True)
class Window:
    """A stretch of time; `usage` is there when it has closed."""

    usage: Usage = field(init=False)


@dataclass(frozen=True, slots=True)
class Meter:
    """Reads one operator, and the servers of its cluster (kube-apiserver and etcd)."""

    operator: int
    servers: tuple[int, ...]
    metrics_url: str

    @contextlib.contextmanager
    def window(self) -> Iterator[Window]:
        """Measures its block."""
        opened = Window()
        before = scrape(self.metrics_url)
        began, operator, servers = self._read()
        yield opened
        ended, operator_after, servers_after = self._read()
        counted = _Counts(before, scrape(self.metrics_url))
        opened.usage = Usage(
            seconds=ended - began,
            operator_cpu=operator_after - operator,
            servers_cpu=servers_after - servers,
            aws_calls=counted.more("aws_request_total"),
            kube_calls=counted.more("rest_client_requests_total"),
            passes=counted.more("controller_runtime_reconcile_total", controller="kmskey"),
        )

    def watch(self, seconds: float) -> Usage:
        """What is used in so many seconds from now."""
        with self.window() as window:
            time.sleep(seconds)
        return window.usage

    def _read(self) -> tuple[float, float, float]:
        return time.monotonic(), cpu_seconds(self.operator), sum(map(cpu_seconds, self.servers))


@dataclass(frozen=True, slots=True)
class _Counts:
    before: Samples
    after: Samples

    def more(self, name: str, **labels: str) -> float:
        return total(self.after, name, **labels) - total(self.before, name, **labels)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far: to the microsecond while all its threads live, else in steps of 10 ms."""
    fields = _stat(pid)
    living = sum(map(_thread_seconds, Path(f"/proc/{pid}/task").iterdir()))
    return max((int(fields[11]) + int(fields[12])) * TICK, living)


def machine_seconds() -> float:
    """CPU seconds of a fixed piece of work, this process's own: more of them mean a slower machine, or one with more to do."""
    began = time.process_time()
    for _ in range(2_000_000):
        pass
    return time.process_time() - began


def age_seconds(pid: int) -> float:
    """How long a process has been running."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(_stat(pid)[19]) * TICK


def memory(pid: int) -> Memory:
    """A process's resident memory."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    now, peak = (int(lines[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return Memory(now, peak)


def servers_in(folder: Path) -> tuple[int, ...]:
    """The pids of kube-apiserver and etcd that work in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            if (process / "cwd").readlink() == folder and (process / "comm").read_text().strip() in ("kube-apiserver", "etcd"):
                found.append(int(process.name))
    return tuple(found)


def scrape(url: str) -> Samples:
    """All series of /metrics. Raises OSError."""
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=TIMEOUT_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", target.path)
        return parse(connection.getresponse().read().decode())


def parse(text: str) -> Samples:
    """Series by name and labels."""
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum over all series of this name that bear these labels, and perhaps others."""
    return sum(value for (series, has), value in samples.items() if series == name and labels.items() <= has)


def _thread_seconds(thread: Path) -> float:
    try:
        return int((thread / "schedstat").read_text().split()[0]) / 1e9
    except OSError:  # it has just ended
        return 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold blanks: field 3 of proc(5) is the first."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
