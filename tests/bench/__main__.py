"""`make bench`: what the operator costs, beside what it cost before and what its peers cost.

    python -m tests.bench [--quick] [--save] [--runs N]
    python -m tests.bench --full-account [--objects N] [--seconds S]

It runs the shipped operator, with its ServiceAccount, against a real API server and an AWS made for speed, ends by itself, and leaves
nothing behind but build/bench.json.

Other work on the machine makes CPU times longer by up to a half. The first figure tells: a fixed loop, timed between the parts. Where it
differs from the baseline's, so do all times; where it does not, a single run may still be a third off. The peers' figures are quoted.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.creation import MiscountError, creation, first_call, together, under_quotas
from tests.bench.drift import repairs
from tests.bench.failover import failover
from tests.bench.figures import Figure, load, save, table
from tests.bench.full_account import full_account
from tests.bench.lag import lag_figures
from tests.bench.many import cold_start
from tests.bench.meters import Usage, machine_seconds, scrape
from tests.bench.objects import ALL_REGIONS, REGIONS
from tests.bench.steady import start_up, steady_state
from tests.bench.world import Ground, World, running_ground
from tests.cluster.__main__ import interrupted_by_sigterm
from tests.cluster.api import RefusedError
from tests.cluster.binaries import BinariesError
from tests.cluster.emulator import REPOSITORY
from tests.cluster.kubectl import KubectlError
from tests.cluster.processes import ProcessError

RESULT = REPOSITORY / "build" / "bench.json"
FULL_ACCOUNT_RESULT = REPOSITORY / "build" / "bench-full-account.json"
BASELINE = Path(__file__).with_name("baseline.json")


@dataclass(frozen=True)
class Sizes:
    """How much is measured: keys of a batch, objects that are kept, single keys, keys under quotas, objects of a full account; times in
    seconds."""

    runs: int
    keys: int
    objects: int
    singles: int
    quota_keys: int
    idle_seconds: float
    resync_interval: int
    many: int


FULL = Sizes(runs=2, keys=100, objects=1000, singles=20, quota_keys=200, idle_seconds=10, resync_interval=20, many=10_000)
QUICK = Sizes(runs=1, keys=50, objects=150, singles=5, quota_keys=25, idle_seconds=5, resync_interval=8, many=500)


def measure(sizes: Sizes) -> Iterator[Figure]:
    """All figures, as they come. Raises what the parts raise."""
    with running_ground() as ground:
        with ground.world("bench", REGIONS) as world:
            background = yield from _made(world, sizes)
        with ground.world("kept", ALL_REGIONS) as world:
            yield from _kept(world, background, sizes)
        yield from _changed_behind_its_back(ground, sizes)
        yield from _under_quotas(ground, sizes)
        yield from _many(ground, sizes)


def machine(figures: Iterable[Figure]) -> list[Figure]:
    """The figures, with the machine's own before them: its fixed loop is timed after each part of the measurement."""
    loops, measured = [machine_seconds()], []
    for figure in figures:
        measured.append(figure)
        loops.append(machine_seconds())
    return [Figure("This machine: a fixed loop", statistics.mean(loops) * 1000, "ms"), *measured]


def _made(world: World, sizes: Sizes) -> Generator[Figure, None, Usage]:
    """What keys cost that are made; returns what an idle operator needs."""
    with world.operator() as operator:
        say("making one key in each region, so that every connection is there")
        world.add_keys("first", len(world.regions))
        world.wait_for_quiet()
        meter = world.meter(operator)
        background = meter.watch(sizes.idle_seconds)
        yield Figure("Operator CPU, idle", background.operator_cpu / background.seconds * 1000, "ms/s")
        yield Figure("Kubernetes calls, idle", background.kube_calls / background.seconds, "/s")
        say(f"{sizes.singles} single keys, then {sizes.runs} times {sizes.keys} at once")
        yield first_call(world, sizes.singles)
        yield from creation(world, meter, background, sizes.keys, sizes.runs)
    return background


def _kept(world: World, background: Usage, sizes: Sizes) -> Iterator[Figure]:
    say(f"{sizes.objects} keys at once")
    with world.operator() as operator:
        yield together(world, sizes.objects)
        yield from lag_figures(scrape(operator.metrics_url), f"while {sizes.objects:,} keys are made")
    say("starts")
    yield from start_up(world, sizes.objects, sizes.runs)
    say("steady state")
    yield from steady_state(world, background, sizes.objects, sizes.resync_interval)
    say("failover")
    yield from failover(world, sizes.objects)


def _changed_behind_its_back(ground: Ground, sizes: Sizes) -> Iterator[Figure]:
    say(f"{sizes.singles} changes behind the operator's back")
    with ground.world("drift", REGIONS[:1]) as world:
        yield from repairs(world, sizes.singles)


def _under_quotas(ground: Ground, sizes: Sizes) -> Iterator[Figure]:
    say(f"{sizes.quota_keys} keys in one region, with KMS's quotas")
    with ground.world("quotas", REGIONS[:1], "--quotas") as world, world.operator():
        yield from under_quotas(world, sizes.quota_keys)


def _many(ground: Ground, sizes: Sizes) -> Iterator[Figure]:
    say(f"{sizes.many} objects")
    with ground.world("many", REGIONS) as world:
        yield from cold_start(ground, world, sizes.many)


def say(text: str) -> None:
    """Progress, on standard error: the table alone goes to standard output."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure what the operator costs.")
    parser.add_argument("--quick", action="store_true", help="fewer keys and objects: about a minute and a half")
    parser.add_argument("--save", action="store_true", help="make this run the baseline")
    parser.add_argument("--runs", type=int, help="how often to repeat what is short; the least value counts")
    parser.add_argument("--full-account", action="store_true", help="only this: as many keys as KMS allows, of one region")
    parser.add_argument("--objects", type=int, default=100_000, help="how many keys --full-account takes")
    parser.add_argument("--seconds", type=float, default=60, help="how much of its first round --full-account watches")
    options = parser.parse_args()
    if options.save and (options.quick or options.full_account):
        parser.error("a baseline needs the whole run: leave out --quick and --full-account")
    sizes = QUICK if options.quick else FULL
    result = FULL_ACCOUNT_RESULT if options.full_account else RESULT
    interrupted_by_sigterm()
    try:
        if options.full_account:
            figures = machine(full_account(options.objects, options.seconds))
        else:
            figures = machine(measure(replace(sizes, runs=options.runs or sizes.runs)))
    except KeyboardInterrupt:
        return 130
    except (BinariesError, KubectlError, MiscountError, ProcessError, RefusedError, TimeoutError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{table(figures, load(BASELINE))}\n")
    save(result, figures)
    if options.save:
        save(BASELINE, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
