"""managementPolicy Observe: the status shows a key that somebody else keeps, and nothing is ever written to AWS.

Rules:
1. No plan here has an action: no owner tags, no finalizer, no key id in an annotation.
2. Ready says whether the key can be used now. Synced is true as soon as the key was seen: there is nothing to be done.
3. Keys that other objects own may be observed; AWS's own keys, replicas and those of other accounts may not, so that Full can follow.
4. A key that was being made when the object began to observe is shown once it is found, and no other is looked at before. Nothing is made.
5. An object that is deleted leaves the key as it is: its deletion policy is Retain, whatever the spec says.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from reconcilers.actions import Plan
from reconcilers.adoption import unfit
from reconcilers.conditions import Finding, Progress, Verdict
from reconcilers.creation import ambiguous
from reconcilers.ownership import owned
from reconcilers.reasons import Reason
from reconcilers.recreation import shown_again
from reconcilers.reports import blocked, degraded, report, seen_fields, working
from reconcilers.searches import first_unreadable, grace_is_over, not_proved, proves_none, search_delay
from reconcilers.states import (
    Candidates,
    KeyObject,
    Missing,
    NotCreated,
    ObservedKey,
    Offered,
    Operator,
    Problem,
    Seen,
    Unobservable,
)

LATER = timedelta(minutes=5)

_UNUSABLE: Mapping[str, tuple[Reason, str]] = {
    "Disabled": (Reason.KEY_DISABLED, "The key is disabled: nobody can use it, decryption included."),
    "PendingDeletion": (Reason.KEY_PENDING_DELETION, "The key's deletion is scheduled: cancel it in AWS to save the key."),
    "PendingReplicaDeletion": (Reason.KEY_PENDING_DELETION, "The key's deletion waits for its replicas: cancel it in AWS to save the key."),
    "PendingImport": (Reason.KEY_PENDING_IMPORT, "The key waits for its key material: import it with AWS's tools."),
}
_UNFINISHED = Problem(
    Reason.KEY_NOT_FOUND,
    "A key was being made for this object when it began to observe, and is not found: set managementPolicy to Full, so that the key is looked "
    "for and, if there is none, made.",
)


def plan_observed(key: KeyObject, seen: Seen, operator: Operator, now: datetime) -> Plan:
    """The report on a key that is only looked at."""
    match seen:
        case Offered(found=ObservedKey() as found, is_replica=is_replica):
            problem = unfit(found, is_replica=is_replica)
            return _stop(key, problem, operator, now) if problem else _show(key, found, operator, now)
        case ObservedKey():
            return _show(key, seen, operator, now)
        case Offered() | Missing():
            name = key.spec.adopt.told if key.spec.adopt else key.status.key_id
            message = f"KMS knows no key {name} in the provider's account and region: correct spec.adopt."
            return _stop(key, Problem(Reason.KEY_NOT_FOUND, message), operator, now)
        case Unobservable():
            return _stop(key, Problem(seen.reason, seen.message), operator, now)
        case Candidates() if key.status.creation_attempt is not None:
            return _search(key, seen, operator, now)
        case NotCreated() | Candidates():
            message = "managementPolicy Observe needs a key to observe: name it in spec.adopt."
            return _stop(key, Problem(Reason.INVALID_SPEC, message), operator, now)


def _search(key: KeyObject, seen: Candidates, operator: Operator, now: datetime) -> Plan:
    """CreateKey was sent before, and its answer lost. A key that is found is shown; what else is to be done has to wait."""
    others = (candidate for candidate in seen.keys if candidate.key_id != key.status.key_id)
    made = tuple(candidate for candidate in others if owned(key, candidate, operator.cluster_id))
    if len(made) > 1:
        return _stop(key, ambiguous(made), operator, now)
    if made:
        return Plan((), report(key, operator, _verdict(made[0]), now, **seen_fields(key.status, made[0])))
    if unreadable := first_unreadable(seen):
        return _stop(key, Problem(unreadable.reason, unreadable.message), operator, now)
    if not grace_is_over(key, operator):
        verdict = working(Reason.CREATION_UNKNOWN, "CreateKey was sent and its answer lost: looking for the key by its owner tags.")
        return Plan((), report(key, operator, verdict, now), search_delay(key, operator))
    if not proves_none(key, seen, operator):
        return _stop(key, not_proved(key, seen), operator, now)
    again = shown_again(key, seen, operator.cluster_id)
    return _show(key, again, operator, now) if again else _stop(key, _UNFINISHED, operator, now)


def _show(key: KeyObject, seen: ObservedKey, operator: Operator, now: datetime) -> Plan:
    """What Full management may have left to find out is not forgotten meanwhile."""
    fields = seen_fields(key.status, seen) | {"creation_attempt": key.status.creation_attempt}
    return Plan((), report(key, operator, _verdict(seen), now, **fields))


def _verdict(seen: ObservedKey) -> Verdict:
    synced = Finding(True, Reason.IN_SYNC, "The key is observed, and never changed.")
    if seen.state == "Enabled":
        return Verdict(Finding(True, Reason.AVAILABLE, "The key can be used."), synced, Progress.SETTLED)
    message = f"KMS reports the key as {seen.state}, in which it cannot be used."
    return Verdict(Finding(False, *_UNUSABLE.get(seen.state, (Reason.KEY_UNAVAILABLE, message))), synced, Progress.STALLED)


def _stop(key: KeyObject, problem: Problem, operator: Operator, now: datetime) -> Plan:
    verdict = blocked(problem) if problem.stalled else degraded(key, problem)
    return Plan((), report(key, operator, verdict, now), LATER)
