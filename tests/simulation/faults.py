"""What can go wrong on a wire, switched on by the name of a call and for a number of times.

A fault happens in place of the answer, before the other side has done anything, or (executes) after it has done everything: once, or, where
a request is delivered twice, two times. `delay` is for answers that come, but late.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from tests.simulation.calls import Call, Target

ANSWER = object()  # an outcome: the other side's own answer
Outcome = Callable[[], Any]  # an exception is raised, any other value is the answer; None hangs


@dataclass
class Fault:
    """`calls` is a pattern as of shells for the names of calls: "CreateKey", "PATCH kmskeys/status", "*".

    `target`, `replica` and `region` narrow it down.
    """

    calls: str
    outcome: Outcome
    executes: int = False
    times: float = 1
    probability: float = 1.0
    target: Target | None = None
    replica: str | None = None
    region: str | None = None
    delay: float = 0.0

    def hits(self, call: Call) -> bool:
        """Whether this call is one of them."""
        is_there = self.target in (None, call.target) and self.replica in (None, call.replica) and self.region in (None, call.region)
        return is_there and fnmatchcase(call.name, self.calls)


class Faults:
    """Those that are switched on now."""

    def __init__(self, seed: int = 0) -> None:
        self._on: list[Fault] = []
        self._random = Random(seed)  # noqa: S311 - the same storm on every run

    def on(self, fault: Fault) -> Fault:
        """Switch on; it ends by itself after its number of times."""
        self._on.append(fault)
        return fault

    def off(self, fault: Fault) -> None:
        """Switch off; one that has ended may be switched off too."""
        self._on = [one for one in self._on if one is not fault]

    def clear(self) -> None:
        """Switch all off."""
        self._on.clear()

    def take(self, call: Call) -> Fault | None:
        """The fault that hits this call."""
        for fault in self._on:
            if fault.times > 0 and fault.hits(call) and self._random.random() < fault.probability:
                fault.times -= 1
                return fault
        return None


def silence(calls: str, times: float = math.inf, *, executes: bool = False, **narrowed: Any) -> Fault:
    """No answer, and no end of the connection either: packets are dropped. narrowed: target, replica."""
    return Fault(calls, lambda: None, executes, times, **narrowed)


def slow(calls: str, seconds: float, times: float = 1, **narrowed: Any) -> Fault:
    """The answer comes so much later."""
    return Fault(calls, lambda: ANSWER, executes=True, times=times, delay=seconds, **narrowed)


def delivered_twice(calls: str, times: float = 1, **narrowed: Any) -> Fault:
    """Done twice, as after a retry that nobody asked for; the first answer arrives."""
    return Fault(calls, lambda: ANSWER, executes=2, times=times, **narrowed)
