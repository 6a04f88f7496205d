"""Conditions as Kubernetes' tools read them: Ready always, Synced for keys; Reconciling and Stalled only while they are true.

Rules (kstatus, `kubectl wait`, Argo CD and Flux rely on them):
1. Ready: the spec is reached. Synced: nothing is left to do; repairing drift flips Synced and leaves Ready alone.
2. Reconciling: the operator is at work and nobody has to act. Stalled: trying again cannot help until somebody acts.
3. lastTransitionTime changes with the condition's status and with nothing else.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Literal

from reconcilers.fields import Condition


class Progress(Enum):
    """Where the object stands on its way."""

    SETTLED = "settled"
    WORKING = "working"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether something holds, why, and what to do about it."""

    holds: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a pass found, in the terms of the conditions."""

    ready: Finding
    synced: Finding | None  # None: the kind has no such condition
    progress: Progress


def conditions(verdict: Verdict, before: tuple[Condition, ...], generation: int, now: datetime) -> tuple[Condition, ...]:
    """The conditions of a status, sorted by type. before: the conditions that the object has now."""
    since: dict[tuple[str, str], datetime] = {(old.type, old.status): old.last_transition_time for old in before}
    found = {"Ready": verdict.ready} | ({"Synced": verdict.synced} if verdict.synced else {})
    # What keeps a key from being ready is told first; a key that is ready is told what keeps it from being in sync.
    cause = verdict.synced if verdict.ready.holds and verdict.synced else verdict.ready
    if verdict.progress is Progress.WORKING:
        found["Reconciling"] = Finding(True, cause.reason, cause.message)
    if verdict.progress is Progress.STALLED:
        found["Stalled"] = Finding(True, cause.reason, cause.message)
    return tuple(_condition(kind, finding, since, generation, now) for kind, finding in sorted(found.items()))


def find(kind: str, among: tuple[Condition, ...]) -> Condition | None:
    """The condition of that type, if there is one."""
    return next((c for c in among if c.type == kind), None)


def _condition(kind: str, finding: Finding, since: dict[tuple[str, str], datetime], generation: int, now: datetime) -> Condition:
    status: Literal["True", "False"] = "True" if finding.holds else "False"
    return Condition(
        type=kind,
        status=status,
        observed_generation=generation,
        last_transition_time=since.get((kind, status), now),
        reason=finding.reason,
        message=finding.message,
    )
