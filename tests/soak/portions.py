"""The work of a soak, in portions that a process of the pool carries out; each tells what it covered and what it found."""

import gc
import traceback
from collections import Counter
from dataclasses import dataclass, field

from structlog.testing import capture_logs

from tests.simulation.checks import CHECKED
from tests.simulation.disturbances import (
    crash,
    crash_there,
    each_await,
    freeze,
    freeze_there,
    lose,
    pairs,
    shut_down,
    singles,
    undisturbed,
)
from tests.simulation.machine_base import COVERED
from tests.simulation.plays import AtAwait, Disturbance
from tests.simulation.random_runs import run

PARTS = 4
KINDS: dict[str, Disturbance] = {"crash": crash, "lost answer": lose, "shutdown": shut_down, "freeze": freeze}
AT_AWAITS: dict[str, AtAwait] = {"crash": crash_there, "freeze": freeze_there}


@dataclass(frozen=True)
class Exhaustive:
    """A scenario, disturbed once, at each point."""

    scenario: str
    kind: str


@dataclass(frozen=True)
class Awaits:
    """A scenario, disturbed once, at each await."""

    scenario: str
    kind: str


@dataclass(frozen=True)
class Pairs:
    """A scenario, disturbed twice, at each pair of points. part: which of PARTS, that no process is left with a long scenario alone."""

    scenario: str
    first: str
    second: str
    part: int


@dataclass(frozen=True)
class RandomRuns:
    """Random lives of a world."""

    seed: int
    runs: int


Portion = Exhaustive | Awaits | Pairs | RandomRuns


@dataclass
class Found:
    """covered: how often what was done, by group and name."""

    covered: Counter[tuple[str, str]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def collect_rarely() -> None:
    """What a process of the pool begins with. Worlds come and go by the thousand beside modules that stay: a tenth of the time went into
    collections that found little."""
    gc.freeze()
    gc.set_threshold(20_000)


def carry_out(portion: Portion) -> Found:
    """In a process of the pool."""
    with capture_logs():
        match portion:
            case Exhaustive():
                return _exhaustive(portion)
            case Awaits():
                return _awaits(portion)
            case Pairs():
                return _pairs(portion)
            case RandomRuns():
                return _random(portion)


def _exhaustive(portion: Exhaustive) -> Found:
    found = Found()
    points = undisturbed(portion.scenario).points
    for at, problems in singles(portion.scenario, KINDS[portion.kind]):
        found.covered["simulations", f"each scenario, one {portion.kind}"] += 1
        found.covered["scenarios", portion.scenario] += 1
        found.covered[f"points of one {portion.kind}", points[at]] += 1
        found.problems += problems
    return found


def _awaits(portion: Awaits) -> Found:
    found = Found()
    awaits = undisturbed(portion.scenario).awaits
    for at, problems in each_await(portion.scenario, AT_AWAITS[portion.kind]):
        found.covered["simulations", f"each scenario, one {portion.kind} at an await"] += 1
        found.covered["scenarios", portion.scenario] += 1
        found.covered[f"awaits of one {portion.kind}", awaits[at]] += 1
        found.problems += problems
    return found


def _pairs(portion: Pairs) -> Found:
    found = Found()
    for _, _, problems in pairs(portion.scenario, KINDS[portion.first], KINDS[portion.second], part=(portion.part, PARTS)):
        found.covered["simulations", f"scenarios, first one {portion.first}, then one {portion.second}"] += 1
        found.covered["scenarios", portion.scenario] += 1
        found.problems += problems
    return found


def _random(portion: RandomRuns) -> Found:
    """hypothesis tells the steps of the shortest failing run in notes of the exception."""
    found = Found()
    before, checked = Counter(COVERED), Counter(CHECKED)
    try:
        run(portion.seed, portion.runs)
    except Exception as error:  # noqa: BLE001 - whatever it is, it was found
        found.problems.append(f"seed {portion.seed}, {portion.runs} runs:\n{''.join(traceback.format_exception(error)[-30:])}")
    found.covered["simulations", "random runs"] += portion.runs
    for name, count in (COVERED - before).items():
        found.covered[_group(name), name] += count
    for name, count in (CHECKED - checked).items():
        found.covered["invariants checked", name] += count
    return found


def _group(name: str) -> str:
    if name.startswith(("crash before", "crash after", "freeze before", "freeze after")):
        return "points of random crashes and freezes"
    return "faults" if name.startswith("fault ") else "actions of random runs"
