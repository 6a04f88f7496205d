"""What goes wrong in a storm: one thing after the other, drawn from a seed, each for a while, several at once."""

import heapq
import itertools
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from tests.storm.stage import Replica, Stage

ANSWERS = ("lost_answer", "lost_request", "invalid_body", "error_after", "error_before", "late_answer", "hung_after")
WRITES = ("TagResource", "UntagResource", "PutKeyPolicy", "EnableKeyRotation", "CreateAlias", "DeleteAlias", "UpdateKeyDescription")
FOR_EVER = -1
# Less than create_grace: an AWS that is later than that is beyond what is promised, and may have a second key.
LATE_SECONDS = (1, 3, 6)


class Weather:
    """`had` counts what has happened, `log` says when."""

    def __init__(self, stage: Stage, random: Random) -> None:
        self.had: Counter[str] = Counter()
        self.log: list[str] = []
        self._stage = stage
        self._random = random
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def rage(self, seconds: float) -> None:
        """For so long."""
        ends, due = time.monotonic() + seconds, 0.0
        while (now := time.monotonic()) < ends:
            self._end_what_is_over(now)
            for replica in self._stage.replicas:
                replica.tend(self._random.uniform(0, 3))
            if now >= due:
                self._strike()
                due = time.monotonic() + self._random.uniform(0.5, 3)
            time.sleep(0.1)

    def calm(self) -> None:
        """Everything works again."""
        self._stage.strict("DELETE", "faults")
        self._stage.strict("PUT", "lags", {})
        for replica in self._stage.replicas:
            replica.link.thaw()
            replica.link.delay = 0.0
            replica.signal(signal.SIGCONT)

    def _strike(self) -> None:
        name, strike = self._random.choice(
            [
                *[("an answer of CreateKey that does not come", self._creation)] * 5,
                *[("kill -9", lambda: self._one().signal(signal.SIGKILL))] * 3,
                *[("SIGSTOP, SIGCONT", self._pause)] * 2,
                *[("connections reset", self._reset)] * 2,
                ("SIGTERM", lambda: self._one().signal(signal.SIGTERM)),
                ("link frozen", self._freeze),
                ("connections half open", self._lose),
                ("link slow", self._slow),
                ("API server killed", self._restart),
                ("throttle storm", lambda: self._fault("throttled", "*", 0.9, self._random.uniform(3, 12))),
                ("5xx", lambda: self._fault(self._random.choice(("error_before", "error_after")), "*", 0.5, self._random.uniform(2, 8))),
                ("answers lost", lambda: self._fault("lost_answer", "*", 0.3, self._random.uniform(2, 8))),
                ("requests delivered twice", lambda: self._fault("duplicate", self._random.choice(WRITES), 0.5, 8)),
                ("credentials expired", lambda: self._fault("expired_credentials", "*", 1.0, self._random.uniform(1, 5))),
                ("garbage", lambda: self._fault("invalid_body", "[DGL]*", 0.3, 4)),
                ("late reads", self._lags),
                ("a replica's region away", lambda: self._fault("lost_request", "*", 1.0, 8, region="eu-west-1")),
                *[("changed outside", self._meddle)] * 2,
            ]
        )
        self.had[name] += 1
        self.log.append(f"{datetime.now(UTC):%H:%M:%S} {name}")
        strike()

    def _reset(self) -> None:
        self._one().link.reset()

    def _lose(self) -> None:
        self._one().link.lose()

    def _one(self) -> Replica:
        return self._random.choice(self._stage.replicas)

    def _creation(self) -> None:
        kind, operation = self._random.choice(ANSWERS), self._random.choice(("CreateKey", "CreateKey", "ReplicateKey"))
        seconds = 2 if kind == "late_answer" else self._random.choice((0, 2))
        told = {"kind": kind, "operation": operation, "times": self._random.randint(1, 3), "seconds": seconds}
        self._stage.strict("POST", "faults", told)

    def _fault(self, kind: str, operation: str, probability: float, seconds: float, **more: str) -> None:
        told = {"kind": kind, "operation": operation, "probability": probability, "times": FOR_EVER, **more}
        self._stage.strict("POST", "faults", told)
        self._in(seconds, lambda: self._stage.strict("DELETE", "faults"))

    def _lags(self) -> None:
        late = [0, self._random.choice(LATE_SECONDS)]
        operations = ("DescribeKey", "ListResourceTags", "ListAliases", "GetKeyRotationStatus", "ListGrants", "GetResources", "ListKeys")
        self._stage.strict("PUT", "lags", dict.fromkeys(operations, late))
        self._in(20, lambda: self._stage.strict("PUT", "lags", {}))

    def _pause(self) -> None:
        replica = self._one()
        replica.signal(signal.SIGSTOP)
        self._in(self._random.uniform(1, 12), lambda: replica.signal(signal.SIGCONT))

    def _freeze(self) -> None:
        link = self._one().link
        link.freeze()
        self._in(self._random.uniform(1, 12), link.thaw)

    def _slow(self) -> None:
        link = self._one().link
        link.delay = self._random.choice((0.2, 1.0))

        def fast() -> None:
            link.delay = 0.0

        self._in(6, fast)

    def _restart(self) -> None:
        self._stage.plane.kill()
        time.sleep(self._random.uniform(0, 3))
        self._stage.plane.start()

    def _meddle(self) -> None:
        """Somebody edits a key in the console. One that is disabled or pending deletion is left alone: it may be nobody's to set right."""
        keys = [key for key in self._stage.every_key() if key["state"] == "Enabled"]
        if not keys:
            return
        key = self._random.choice(keys)
        change = self._random.choice(({"description": "meddled"}, {"state": "Disabled"}, {"rotation_days": None}))
        self._stage.strict("POST", "keys", {"arn": key["arn"], **change})

    def _in(self, seconds: float, undo: Callable[[], object]) -> None:
        def undone() -> None:
            undo()

        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), undone))

    def _end_what_is_over(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
