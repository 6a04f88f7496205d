"""What is decided in the same way for all kinds that hang something on a key: plans, reports, holds, and how an object is let go.

Rules:
1. A held object gets no AWS call. One that is deleted needs none either where it has made nothing, or shall leave what it made.
2. What keeps an object waiting is told as work for PATIENCE, because objects are often applied together; from then on it is Stalled.
3. An object that is deleted goes as soon as what it made is seen to be gone. It never waits for its target, nor for the target's object.
4. A target in another account or region than what was made is refused: that could be neither moved nor found there.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from reconcilers.actions import AddFinalizer, DependentAction, RemoveFinalizer
from reconcilers.conditions import Finding, Progress, Verdict, conditions, find
from reconcilers.failures import explain, wait_for_cause
from reconcilers.holds import holding_word, suspended
from reconcilers.lag import LAG
from reconcilers.reasons import Reason
from reconcilers.reports import bearing, blocked, last_error
from reconcilers.states import Failure, Problem
from reconcilers.target_fields import DependentDeletionPolicy, DependentSpec, DependentStatus
from reconcilers.targets import Way
from reconcilers.waits import LATER, SOON

P = TypeVar("P", bound=DependentSpec)
S = TypeVar("S", bound=DependentStatus)

PATIENCE = timedelta(seconds=10)
LET_GO = "Or set spec.deletionPolicy: Retain to leave what was made as it is."


@dataclass(frozen=True, slots=True)
class DependentObject(Generic[P, S]):
    """A dependent as the API server holds it, decoded."""

    namespace: str
    name: str
    uid: str
    generation: int
    deleting: bool
    finalizers: tuple[str, ...]
    spec: P
    status: S
    paused: bool = False  # by annotation
    reconcile_requested_at: str | None = None  # by annotation


@dataclass(frozen=True, slots=True)
class DependentPlan(Generic[S]):
    """What to do now, what to report, and when to look again (None: at the next resync).

    write_ahead: the status holds a memory without which the actions must not start. drift: they set right what was changed outside.
    """

    actions: tuple[DependentAction, ...]
    status: S
    look_again: timedelta | None = None
    write_ahead: bool = False
    drift: bool = False

    @property
    def is_last(self) -> bool:
        """Whether it lets the object go."""
        return bool(self.actions) and isinstance(self.actions[-1], RemoveFinalizer)


def plan_unasked(obj: DependentObject[P, S], finalizer: str, now: datetime, *, has_made: bool) -> DependentPlan[S] | None:
    """The plan for an object for which neither its target nor AWS matters; None for all others. has_made: there is something to undo."""
    word = holding_word(obj.spec.suspend, obj.paused)
    if word is not None and obj.deleting:
        return _block(obj, f"The object is held by {word}.", now, look_again=None)
    if word is not None:
        unhandled = obj.status.last_handled_reconcile_at
        status = report(obj, suspended(word, obj.status.conditions), now, last_handled_reconcile_at=unhandled)
        return DependentPlan((), status)
    if not obj.deleting:
        return None
    if finalizer not in obj.finalizers:
        return DependentPlan((), obj.status)
    if obj.spec.deletion_policy is DependentDeletionPolicy.RETAIN:
        return release(obj, "what it made is retained")
    return None if has_made else release(obj, "it has made nothing")


def plan_unled(obj: DependentObject[P, S], problem: Problem, now: datetime) -> DependentPlan[S]:
    """The plan for an object whose target cannot be reached, or must not be."""
    if obj.deleting:
        return _block(obj, f"What was made cannot be reached: {problem.message} {LET_GO}", now)
    if problem.reason is Reason.TARGET_NOT_FOUND and obj.status.target_key_id is not None:
        problem = replace(problem, reason=Reason.TARGET_GONE)
    return stop(obj, replace(problem, stalled=problem.stalled and _has_lasted(obj, problem.reason, now)), now)


def plan_failed(obj: DependentObject[P, S], failure: Failure, now: datetime) -> DependentPlan[S]:
    """The report on a failed call, without actions. look_again is None where the work queue's backoff is to decide."""
    problem = explain(failure)
    if obj.deleting and problem.stalled:
        problem = Problem(Reason.DELETION_BLOCKED, f"{problem.message} {LET_GO}")
    before = obj.status.last_error
    verdict = bearing(problem, obj.status.conditions, obj.generation)
    status = report(obj, verdict, now, last_error=last_error(before, failure, now))
    return DependentPlan((), status, wait_for_cause(before, failure, now) if problem.stalled else None)


def moved_away(obj: DependentObject[P, S], way: Way) -> Problem | None:
    """Rule 4, for an object that has made something."""
    made_in, now_in = (obj.status.account_id, obj.status.region), (way.account.account_id, way.account.region)
    if None in made_in or made_in == now_in:
        return None
    return Problem(
        Reason.IMMUTABLE_FIELD_CONFLICT,
        f"What this object has made is in account {made_in[0]}, region {made_in[1]}, and its target is now in account {now_in[0]}, region "
        f"{now_in[1]}. Nothing was changed in either: set the target back, or make a new object.",
    )


def protect(obj: DependentObject[P, S], finalizer: str) -> tuple[DependentAction, ...]:
    """While an object has made something it has the finalizer, also after somebody took it away."""
    return () if finalizer in obj.finalizers else (AddFinalizer(),)


def release(obj: DependentObject[P, S], why: str) -> DependentPlan[S]:
    """Let the object go."""
    return DependentPlan((RemoveFinalizer(why),), obj.status)


def stop(obj: DependentObject[P, S], problem: Problem, now: datetime, **seen: Any) -> DependentPlan[S]:
    """Nothing is done until somebody acts; a look now and then finds out whether they did."""
    verdict = bearing(problem, obj.status.conditions, obj.generation)
    waits = LATER if problem.stalled else SOON if problem.reason is Reason.TARGET_NOT_READY else PATIENCE
    return DependentPlan((), report(obj, verdict, now, **seen), waits)


def settled(obj: DependentObject[P, S], message: str, now: datetime, **seen: Any) -> DependentPlan[S]:
    """Everything is as declared."""
    ready, synced = Finding(True, Reason.AVAILABLE, message), Finding(True, Reason.IN_SYNC, "Nothing is left to do.")
    return DependentPlan((), report(obj, Verdict(ready, synced, Progress.SETTLED), now, **seen))


def change(
    obj: DependentObject[P, S], due: tuple[DependentAction, ...], now: datetime, ahead: dict[str, Any], **seen: Any
) -> DependentPlan[S]:
    """The actions, with what must be remembered before they start. Repairing a drift leaves the Ready of an object alone."""
    updating = Problem(Reason.UPDATING, "The object is being made as declared.", stalled=False)
    status = report(obj, bearing(updating, obj.status.conditions, obj.generation), now, **seen, **ahead)
    news = any(getattr(obj.status, name) != value for name, value in ahead.items())
    return DependentPlan(due, status, write_ahead=news, drift=_is_drift(obj, status))


def undo(obj: DependentObject[P, S], due: tuple[DependentAction, ...], ahead: dict[str, Any] | None = None) -> DependentPlan[S]:
    """What has to be gone before the object may go. ahead: what must be remembered first."""
    status = obj.status.model_copy(update=ahead or {})
    return DependentPlan(due, status, write_ahead=status != obj.status)


def report(obj: DependentObject[P, S], verdict: Verdict, now: datetime, **seen: Any) -> S:
    """The object's status under this verdict. seen: fields of the status that this pass has learned."""
    before = obj.status
    told: dict[str, Any] = {
        "observed_generation": obj.generation,
        "conditions": conditions(verdict, before.conditions, obj.generation, now),
        "last_handled_reconcile_at": obj.reconcile_requested_at,
        "last_error": None if verdict.synced and verdict.synced.holds else before.last_error,
    }
    after = before.model_copy(update={**told, **seen})
    return after if after == before else after.model_copy(update={"last_sync_time": now})


def changed_lately(obj: DependentObject[P, S], now: datetime) -> bool:
    """Whether what was made may not show everywhere yet: by the last change of Synced, which every change in AWS goes along with."""
    synced = find("Synced", obj.status.conditions)
    return synced is not None and abs(now - synced.last_transition_time) < LAG


def place(way: Way, key_id: str) -> dict[str, Any]:
    """The fields of the status that tell where the target is."""
    return {
        "target_key_id": key_id,
        "account_id": way.account.account_id,
        "region": way.account.region,
        "provider": way.provider,
    }


def _block(obj: DependentObject[P, S], message: str, now: datetime, look_again: timedelta | None = LATER) -> DependentPlan[S]:
    return DependentPlan((), report(obj, blocked(Problem(Reason.DELETION_BLOCKED, message)), now), look_again)


def _has_lasted(obj: DependentObject[P, S], reason: Reason, now: datetime) -> bool:
    synced = find("Synced", obj.status.conditions)
    return synced is not None and synced.reason == reason and now - synced.last_transition_time >= PATIENCE


def _is_drift(obj: DependentObject[P, S], after: S) -> bool:
    """Neither the object nor the key that it means has changed since all was as declared."""
    synced, before = find("Synced", obj.status.conditions), obj.status
    same = (before.observed_generation, before.target_key_id) == (obj.generation, after.target_key_id)
    return same and synced is not None and synced.status == "True"
