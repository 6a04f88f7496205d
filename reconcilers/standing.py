"""How objects stand by their own word: which are as declared, and which are not, and why.

Rules:
1. A status that is about an older generation, or about none, says nothing: the object is unseen, whatever its conditions were. Many that
   stay so mean that no operator is at work.
2. Stalled is worse than not Ready, and that is worse than not Synced; the worst gives reason and message.
3. Reconciling tells those that somebody is working on from those that wait for something else.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from reconcilers.conditions import find
from reconcilers.fields import Condition

UNSEEN_REASON = "Unseen"


class Pace(IntEnum):
    """What can be expected of an object, the worst first."""

    STALLED = 0  # nothing moves until somebody acts
    WAITING = 1
    UNSEEN = 2
    WORKING = 3
    SETTLED = 4  # as declared


@dataclass(frozen=True, slots=True)
class Told:
    """An object and what its status says. state: AWS's word for what is behind it, if there is one."""

    kind: str
    namespace: str
    name: str
    generation: int
    observed_generation: int | None
    conditions: tuple[Condition, ...]
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """An object judged. condition: the one that gives reason and message; since: when it last changed its status."""

    told: Told
    pace: Pace
    condition: str | None
    reason: str
    message: str
    since: datetime | None


def standing(told: Told) -> Standing:
    """How it stands."""
    ready, synced, stalled = (find(kind, told.conditions) for kind in ("Ready", "Synced", "Stalled"))
    if ready is None or (told.observed_generation or 0) < told.generation:
        message = "The operator has not looked at the object as it is now. If this lasts, see whether it runs and leads."
        return Standing(told, Pace.UNSEEN, None, UNSEEN_REASON, message, None)
    if stalled is not None and stalled.status == "True":
        return _by(told, Pace.STALLED, stalled)
    amiss = next((one for one in (ready, synced) if one is not None and one.status != "True"), None)
    if amiss is None:
        return _by(told, Pace.SETTLED, ready)
    reconciling = find("Reconciling", told.conditions)
    return _by(told, Pace.WORKING if reconciling is not None and reconciling.status == "True" else Pace.WAITING, amiss)


def stuck(standings: Iterable[Standing]) -> tuple[Standing, ...]:
    """Those that are not as declared, the worst first, then by name."""
    amiss = (one for one in standings if one.pace is not Pace.SETTLED)
    return tuple(sorted(amiss, key=lambda one: (one.pace, one.told.kind, one.told.namespace, one.told.name)))


@dataclass(frozen=True, slots=True)
class Group:
    """Objects that are told apart by nothing here."""

    kind: str
    state: str | None
    pace: Pace
    reason: str
    count: int


def groups(standings: Iterable[Standing]) -> tuple[Group, ...]:
    """How many objects there are of each kind, state and reason; of a kind the healthy ones last."""
    counted = Counter((one.told.kind, one.pace, one.told.state or "", one.reason) for one in standings)
    return tuple(
        Group(kind, state or None, pace, reason, count) for (kind, pace, state, reason), count in sorted(counted.items())
    )


def _by(told: Told, pace: Pace, condition: Condition) -> Standing:
    return Standing(told, pace, condition.type, condition.reason, condition.message, condition.last_transition_time)
