"""What can go wrong between a client and this AWS, switched on by operation and count.

A fault says how often the request is carried out, and what the client then gets instead of, or as, its answer. One that would do nothing
cannot be made: it says what is wrong with it.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Annotated, Literal, Self

import pydantic.dataclasses
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from tests.simulation.kms_errors import RefusedError
from tests.strict.callers import expired
from tests.strict.operations import Pattern

Reply = Literal["answer", "cut", "hang", "error", "garbage"]
THROTTLED = ("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Kind:
    """times_done: how often AWS carries the request out. words: which of the fault's own words its reply has."""

    times_done: int
    reply: Reply
    words: frozenset[str] = frozenset()


_WORDS = frozenset({"code", "message", "status"})

KINDS: dict[str, Kind] = {
    "lost_request": Kind(0, "cut"),
    "lost_answer": Kind(1, "cut"),
    "late_answer": Kind(1, "answer"),
    "duplicate": Kind(2, "answer"),
    "error_before": Kind(0, "error", _WORDS),
    "error_after": Kind(1, "error", _WORDS),
    "throttled": Kind(0, "error", _WORDS),
    "expired_credentials": Kind(0, "error"),
    "invalid_body": Kind(1, "garbage", frozenset({"status"})),
    "hung_before": Kind(0, "hang"),
    "hung_after": Kind(1, "hang"),
}


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"write one of {', '.join(KINDS)}")
    return kind


@pydantic.dataclasses.dataclass(config=ConfigDict(strict=True, extra="forbid"))
class Fault:
    """`operation` and `region` are patterns as of shells. The first `skip` of such requests pass, then `times` counts down; -1 is without end.

    `seconds` pass before the answer.
    """

    kind: Annotated[str, AfterValidator(_known_kind)]
    operation: Pattern = "*"
    times: Annotated[int, Field(ge=-1)] = 1
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    seconds: Annotated[float, Field(ge=0)] = 0.0
    code: str = ""
    message: str = ""
    status: Annotated[int, Field(ge=0, le=599)] = 0
    region: str = "*"
    skip: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.times == 0:
            raise ValueError("times is how many requests are hit: write 1 or more, or -1 for all")
        if self.kind == "late_answer" and not self.seconds:
            raise ValueError("late_answer needs seconds: write by how many the answer is late")
        idle = [name for name in sorted(_WORDS - KINDS[self.kind].words) if getattr(self, name)]
        if idle:
            raise ValueError(
                f"{self.kind} has no use for {' and '.join(idle)}: leave it out, or write error_before or error_after"
            )
        return self

    def meets(self, operation: str, region: str) -> bool:
        """Whether this request is one of them, and not one of those that pass before; it is counted."""
        if self.times == 0 or not fnmatchcase(operation, self.operation) or not fnmatchcase(region, self.region):
            return False
        if self.skip:
            self.skip -= 1
            return False
        return True

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

    def take(self, operation: str, region: str) -> Fault | None:
        """The fault that this request meets; region: of its signature."""
        for fault in self.on:
            if fault.meets(operation, region) and self.random.random() < fault.probability:
                fault.times -= 1
                return fault
        return None
