"""`make soak`: everything that can go wrong in a simulated world, more often than an everyday run has time for.

    python -m tests.soak [--runs 10000] [--seed N] [--pairs]

1. Every scenario, disturbed at every point of its traffic: a crash, a lost answer, a shutdown; and crashed at every await of the process.
   Those under a lease also with a process that stands still, at every point and every await.
2. With --pairs (`make pairs`) also at every pair of points: two crashes, two lost answers; and a crash and then a lost answer, and the other
   way round, in the scenarios in which a key, a replica or a rotation is made. Left out are those under a lease. That takes three times as
   long as all the rest.
3. Random lives of a world (tests/simulation/machine.py), in portions of 50, each from a seed of its own.

The processes share the work, one for each core. At the end stands what was covered, and what was found: for a random run its seed, and the
shortest steps that fail; for a scenario its points. The exit code is 1 if anything was found.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from structlog.testing import capture_logs

from tests.simulation.attempts import WRITTEN_AHEAD
from tests.simulation.disturbances import ALL, undisturbed
from tests.simulation.leased import LEASED
from tests.soak.portions import PARTS, Awaits, Exhaustive, Pairs, Portion, RandomRuns, carry_out, collect_rarely

PORTION = 50
ALIKE = (("crash", "crash"), ("lost answer", "lost answer"))
MIXED = (("crash", "lost answer"), ("lost answer", "crash"))
TELL_SECONDS = 60.0


def portions(runs: int, seed: int, *, pairs: bool) -> Iterator[Portion]:
    """All that is to be done; what takes long comes first, so that no process is left with it alone."""
    if pairs:
        yield from _pairs()
    yield from (Exhaustive(name, kind) for name in ALL for kind in ("crash", "lost answer", "shutdown"))
    yield from (Exhaustive(name, "freeze") for name in LEASED)
    yield from (Awaits(name, "crash") for name in ALL)
    yield from (Awaits(name, "freeze") for name in LEASED)
    for number in range(0, runs, PORTION):
        yield RandomRuns(seed + number // PORTION, min(PORTION, runs - number))


def _pairs() -> Iterator[Portion]:
    for name in ALL.keys() - LEASED.keys():
        makes = undisturbed(name).writes.keys() & WRITTEN_AHEAD
        for first, second in (*ALIKE, *(MIXED if makes else ())):
            yield from (Pairs(name, first, second, part) for part in range(PARTS))


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Ten thousand simulations.")
    parser.add_argument("--runs", type=int, default=10_000, help="random runs")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="of the first portion of random runs; the next ones count up"
    )
    parser.add_argument(
        "--pairs",
        action="store_true",
        help="disturb the scenarios at every pair of points too: two crashes, two lost answers; "
        "and one of each, in both orders, where a key, a replica or a rotation is made",
    )
    options = parser.parse_args()
    os.environ["PYTHONHASHSEED"] = "0"  # for the processes of the pool: sets of names have an order too, and a seed must fail again
    _say(f"seed {options.seed}, {os.cpu_count()} processes")
    began, covered, problems = time.monotonic(), Counter[tuple[str, str]](), list[str]()
    told = began
    with capture_logs():  # scenarios are played here, too, to see which of them make anything
        work = list(portions(options.runs, options.seed, pairs=options.pairs))
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"), collect_rarely) as pool:
        for number, done in enumerate(as_completed([pool.submit(carry_out, portion) for portion in work]), start=1):
            found = done.result()
            covered += found.covered
            problems += found.problems
            for problem in found.problems:
                _say(problem)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                _say(f"{number} of {len(work)} portions, {told - began:.0f} s")
    _tell(covered)
    simulations = sum(count for (group, _), count in covered.items() if group == "simulations")
    _say(f"\n{simulations:,} simulations in {time.monotonic() - began:.0f} s, {len(problems)} problems")
    return 1 if problems else 0


def _tell(covered: Counter[tuple[str, str]]) -> None:
    """Each group with its counts."""
    for group in sorted({group for group, _ in covered}):
        _say(f"\n{group}")
        for name, count in sorted((name, count) for (one, name), count in covered.items() if one == group):
            _say(f"{count:>10,}  {name}")


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
