"""What a change of conditions is worth telling as an event: a problem that is new, and the end of one. Nothing that was told already."""

from dataclasses import dataclass
from typing import Literal

from reconcilers.conditions import find
from reconcilers.fields import Condition
from reconcilers.reasons import Reason

# Work, waiting and the user's own wish: no problem, though something is not in sync. Drift is told field by field (drift.py).
QUIET = frozenset(
    {
        *(Reason.UPDATING, Reason.KEY_NOT_USABLE_YET, Reason.WAITING_FOR_QUOTA),
        *(Reason.SUSPENDED, Reason.KEY_DISABLED, Reason.DRIFT_DETECTED),
    }
)


@dataclass(frozen=True, slots=True)
class News:
    """One event in the making."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def news(before: tuple[Condition, ...], after: tuple[Condition, ...]) -> News | None:
    """The event that this change deserves; None for work in progress and for what is as it was."""
    for kind in ("Stalled", "Ready", "Synced"):
        is_now, was = find(kind, after), find(kind, before)
        if is_now is None or (was and (was.status, was.reason) == (is_now.status, is_now.reason)):
            continue
        if kind == "Stalled" or (is_now.status == "False" and is_now.reason not in QUIET and find("Reconciling", after) is None):
            return News("Warning", is_now.reason, is_now.message)
        if kind == "Ready" and is_now.status == "True":
            return News("Normal", is_now.reason, is_now.message)
    return None
