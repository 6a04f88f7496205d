"""When an object that is as declared is looked at again. How far that is put off is decided in reconcilers/resyncs.py.

Rules:
1. What a look takes is counted as it is made (aws/tally.py), so that replicas, pages and the dependent kinds are in it. What a user's change
   takes is not: it is no look.
2. The sums are kept as objects come, change and go: no look goes over all objects, and objects that need the same share one note of it.
3. Objects that were there before this process are all looked at as it begins, and then anywhere within their interval: from then on, as all
   others, after the interval, with some jitter.
4. Each process counts its own objects against its own part of the quotas.
"""

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

from aws.channels import READ_OPERATIONS
from aws.tally import Call
from controller import metrics
from controller.jitter import jittered, spread
from controller.objects import KubeObject
from reconcilers.resyncs import LOOK_SECONDS, Load, stretch
from reconcilers.urgency import Urgency

OURS = Call("", "", "")  # our own time, of which there is a second each second
PICO = 1e-12  # sums are kept in whole numbers, which adding and taking away leave exact
MOST_SHARED = 4096  # kinds of looks that are noted once; of others each object has a note of some hundred bytes

Takes = tuple[tuple[Call, int], ...]  # what the looks at one object take in a second, in units of PICO: of calls, or of seconds of ours


class Resyncs:
    """One for the process. interval: of objects that ask for none. rate: how many such calls a second are ours, None: as many as we like."""

    def __init__(self, interval: timedelta, rate: Callable[[Call], float | None]) -> None:
        self._interval = interval
        self._rate = rate
        self._noted: dict[str, Takes] = {}  # by the object's UID
        self._asked: Counter[Call] = Counter()
        metrics.CONTROLLER_RESYNC_STRETCH_RATIO.set_function(self._longest)
        metrics.CONTROLLER_RESYNC_INTERVAL_SECONDS.set_function(lambda: interval.total_seconds() * self._longest())

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informers tell."""
        if old is not None and (new is None or new.uid != old.uid):
            self._forget(old.uid)

    def after(self, uid: str, own: timedelta | None, why: Urgency, calls: Mapping[Call, int]) -> timedelta:
        """When to look again at an object that is as declared after a pass. own: the interval that it asks for; calls: what the pass took."""
        interval, is_known, is_look = own or self._interval, uid in self._noted, why is Urgency.RESYNC
        if is_look:
            self._forget(uid)
            self._note(uid, _takes(interval, tuple(sorted(calls.items()))))
        elif not is_known:
            self._noted[uid] = ()
        due = interval * stretch(self._load(call) for call, _ in self._noted[uid])
        return spread(due) if is_look and not is_known else jittered(due)

    def _note(self, uid: str, takes: Takes) -> None:
        self._noted[uid] = takes
        for call, much in takes:
            self._asked[call] += much

    def _forget(self, uid: str) -> None:
        for call, much in self._noted.pop(uid, ()):
            self._asked[call] -= much
            if not self._asked[call]:
                del self._asked[call]

    def _longest(self) -> float:
        """On a copy, because another thread may be collecting the metrics."""
        return stretch(self._load(call) for call in list(self._asked))

    def _load(self, call: Call) -> Load:
        there = 1.0 if call == OURS else self._rate(call)
        return Load(self._asked[call] * PICO, math.inf if there is None else there)


@functools.lru_cache(MOST_SHARED)
def _takes(interval: timedelta, calls: tuple[tuple[Call, int], ...]) -> Takes:
    seconds = interval.total_seconds() * PICO
    reads = ((call, round(count / seconds)) for call, count in calls if call.operation in READ_OPERATIONS)
    return ((OURS, round(LOOK_SECONDS / seconds)), *reads)
