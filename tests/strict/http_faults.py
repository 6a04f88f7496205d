"""What can go wrong between a client and this AWS, switched on over HTTP by operation and count.

A fault says how often the request is carried out, and what the client then gets instead of, or as, its answer.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Literal

from tests.simulation.kms_errors import RefusedError
from tests.strict.callers import expired

Reply = Literal["answer", "cut", "hang", "error", "garbage"]
THROTTLED = ("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Kind:
    """times_done: how often AWS carries the request out."""

    times_done: int
    reply: Reply


KINDS: dict[str, Kind] = {
    "lost_request": Kind(0, "cut"),
    "lost_answer": Kind(1, "cut"),
    "late_answer": Kind(1, "answer"),
    "duplicate": Kind(2, "answer"),
    "error_before": Kind(0, "error"),
    "error_after": Kind(1, "error"),
    "throttled": Kind(0, "error"),
    "expired_credentials": Kind(0, "error"),
    "invalid_body": Kind(1, "garbage"),
    "hung_before": Kind(0, "hang"),
    "hung_after": Kind(1, "hang"),
}


@dataclass
class Fault:
    """`operation` and `region` are patterns as of shells; `times` counts down, -1 is without end; `seconds` pass before the answer."""

    kind: str
    operation: str = "*"
    times: int = 1
    probability: float = 1.0
    seconds: float = 0.0
    code: str = ""
    message: str = ""
    status: int = 0
    region: str = "*"

    def hits(self, operation: str, region: str) -> bool:
        """Whether such a request is one of them."""
        return self.times != 0 and fnmatchcase(operation, self.operation) and fnmatchcase(region, self.region)

    @property
    def times_done(self) -> int:
        return KINDS[self.kind].times_done

    @property
    def reply(self) -> Reply:
        return KINDS[self.kind].reply

    def error(self, service: str) -> RefusedError:
        """What AWS says: the given code, or the one that goes with the kind."""
        if self.kind == "expired_credentials":
            return expired(service)
        code, message, status = (*THROTTLED, 400) if self.kind == "throttled" else ("KMSInternalException", "", 500)
        return RefusedError(self.code or code, self.message or message, self.status or status)


@dataclass
class Faults:
    """Those that are switched on; the first that fits is taken."""

    on: list[Fault] = field(default_factory=list)
    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - the same storm on every run

    def add(self, told: dict[str, Any]) -> None:
        """Raises TypeError and KeyError for what is no fault."""
        fault = Fault(**told)
        assert KINDS[fault.kind]
        self.on.append(fault)

    def take(self, operation: str, region: str) -> Fault | None:
        """The fault that this request meets; region: of its signature."""
        for fault in self.on:
            if fault.hits(operation, region) and self.random.random() < fault.probability:
                fault.times -= 1
                return fault
        return None
