"""What the user holds back by word: `suspend` and the paused annotation stop all work on an object, deletionProtection its deletion.

Rules:
1. A held object gets no AWS call at all, neither a look nor a write, and its status stays as it was but for Synced and the reason.
2. A held object that is deleted waits, and says so: forgetting the key would be work too.
"""

from datetime import datetime

from reconcilers.actions import Plan
from reconcilers.conditions import Finding, Progress, Verdict, find
from reconcilers.fields import Condition
from reconcilers.names import PAUSED_ANNOTATION
from reconcilers.reasons import Reason
from reconcilers.reports import blocked, report
from reconcilers.states import KeyObject, Operator, Problem


def plan_held(key: KeyObject, operator: Operator, now: datetime) -> Plan | None:
    """The plan for an object that must not be worked on; None when nothing holds it."""
    word = holding_word(key.spec.suspend, key.paused)
    if word is not None and key.deleting:
        return _protected(key, f"The object is held by {word}.", operator, now)
    if word is not None:
        not_handled = key.status.last_handled_reconcile_at
        return Plan((), report(key, operator, suspended(word, key.status.conditions), now, last_handled_reconcile_at=not_handled))
    if key.deleting and key.spec.deletion_protection:
        return _protected(key, "spec.deletionProtection is on: set it to false to let the deletion go on.", operator, now)
    return None


def holding_word(suspend: bool | None, paused: bool) -> str | None:
    """What holds an object, and how to let it go on; None when nothing does."""
    if suspend:
        return "spec.suspend: set it to false to go on"
    return f"the annotation {PAUSED_ANNOTATION}: remove it to go on" if paused else None


def suspended(word: str, before: tuple[Condition, ...]) -> Verdict:
    """The verdict on a held object: as ready as it was, and not in sync."""
    message = f"Nothing is looked at or changed while the object is held by {word}."
    ready = find("Ready", before)
    kept = Finding(ready.status == "True", ready.reason, ready.message) if ready else Finding(False, Reason.SUSPENDED, message)
    return Verdict(kept, Finding(False, Reason.SUSPENDED, message), Progress.SETTLED)


def _protected(key: KeyObject, message: str, operator: Operator, now: datetime) -> Plan:
    return Plan((), report(key, operator, blocked(Problem(Reason.DELETION_BLOCKED, message)), now))
