"""Statuses: what was seen of the key, and the verdict on it, in the form that users read.

Rules:
1. A status says what was seen. What was not seen this time stays as it was.
2. Two passes that see the same make equal statuses: times and messages do not change by themselves, so that nothing is written.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from reconcilers.conditions import Finding, Progress, Verdict, conditions, find
from reconcilers.fields import Condition
from reconcilers.key_status import KMSKeyStatus, LastError
from reconcilers.names import OWNER_TAGS
from reconcilers.on_demand import found_token, history
from reconcilers.reasons import Reason
from reconcilers.states import Failure, KeyObject, ObservedKey, Operator, Problem, Rotation, Unobservable
from reconcilers.wanted import deletion_policy

REQUEST_ID_LIMIT = 128  # the schema's; AWS's own have 36 characters, a proxy's may have any


def report(key: KeyObject, operator: Operator, verdict: Verdict, now: datetime, **seen: Any) -> KMSKeyStatus:
    """The object's status under this verdict. seen: fields of the status that this pass has learned."""
    before = key.status
    after = before.model_copy(
        update={
            "observed_generation": key.generation,
            "conditions": conditions(verdict, before.conditions, key.generation, now),
            "effective_deletion_policy": deletion_policy(key, operator),
            "last_handled_reconcile_at": key.reconcile_requested_at,
            "plan": (),
            "last_error": None if verdict.synced and verdict.synced.holds else before.last_error,
            **found_token(key, seen.get("key_id")),
            **seen,
        }
    )
    return after if after == before else after.model_copy(update={"last_sync_time": now})


def remembered(key: KeyObject, made: ObservedKey, operator: Operator, now: datetime) -> KMSKeyStatus:
    """The status that holds the id of a key that was made, whatever else may be true of the object."""
    verdict = working(Reason.CREATING, f"The key {made.key_id} was created.")
    return report(key, operator, verdict, now, **seen_fields(key.status, made))


def seen_fields(before: KMSKeyStatus, seen: ObservedKey) -> dict[str, Any]:
    """What an observed key contributes to the status."""
    return _rotation_fields(seen.rotation) | history(before, seen) | {
        "ready": seen.state == "Enabled",
        "key_id": seen.key_id,
        "key_arn": seen.arn,
        "account_id": seen.account_id,
        "region": seen.region,
        "key_state": seen.state,
        "key_manager": seen.manager,
        "key_spec": seen.key_spec,
        "key_usage": seen.key_usage,
        "origin": seen.origin,
        "multi_region_key_type": seen.multi_region_key_type,
        "creation_date": seen.creation_date,
        "deletion_date": seen.deletion_date,
        "creation_attempt": None,
    }


def managed(tags: Iterable[str]) -> tuple[str, ...]:
    """The tag keys that are ours to remove one day: those that we set, without the owner tags, which stay for ever."""
    return tuple(sorted(set(tags) - set(OWNER_TAGS)))


def _rotation_fields(rotation: Rotation | Unobservable | None) -> dict[str, Any]:
    """A rotation that could not be read is shown as it was."""
    if isinstance(rotation, Unobservable):
        return {}
    now = rotation or Rotation(False)
    return {
        "rotation_enabled": now.enabled if rotation else None,
        "rotation_period_in_days": now.period_in_days if now.enabled else None,
        "next_rotation_date": now.next_date if now.enabled else None,
    }


def available(enabled: bool, primary_region: str | None = None) -> Verdict:
    """Everything is as declared. primary_region: where the primary is, of a key that is a replica."""
    moved = f" Its primary is in {primary_region} now." if primary_region else ""
    if enabled:
        ready = Finding(True, Reason.AVAILABLE, f"The key is as declared and can be used.{moved}")
    else:
        ready = Finding(
            True, Reason.DISABLED_AS_REQUESTED, f"The key is disabled, as declared: nobody can use it, decryption included.{moved}"
        )
    return Verdict(ready, Finding(True, Reason.IN_SYNC, "Nothing is left to do."), Progress.SETTLED)


def working(reason: Reason, message: str) -> Verdict:
    """The operator is at it, and the key is not what it shall be yet."""
    finding = Finding(False, reason, message)
    return Verdict(finding, finding, Progress.WORKING)


def blocked(problem: Problem) -> Verdict:
    """The spec cannot be reached as things are."""
    finding = Finding(False, problem.reason, problem.message)
    return Verdict(finding, finding, Progress.STALLED if problem.stalled else Progress.WORKING)


def degraded(key: KeyObject, problem: Problem) -> Verdict:
    """A key that was ready for this very spec stays so while a problem passes by itself; any other is blocked."""
    return bearing(problem, key.status.conditions, key.generation)


def bearing(problem: Problem, before: tuple[Condition, ...], generation: int) -> Verdict:
    """The same for an object of any kind."""
    ready = find("Ready", before)
    if problem.stalled or ready is None or ready.status != "True" or ready.observed_generation != generation:
        return blocked(problem)
    kept = Finding(True, ready.reason, ready.message)
    return Verdict(kept, Finding(False, problem.reason, problem.message), Progress.SETTLED)


def last_error(before: LastError | None, failure: Failure, now: datetime) -> LastError:
    """The same refusal again is no news: its first request id and time stay, so that a retry writes nothing."""
    if before and (before.code, before.operation) == (failure.code, failure.operation):
        return before
    request_id = failure.request_id and failure.request_id[:REQUEST_ID_LIMIT]
    return LastError(code=failure.code, operation=failure.operation, request_id=request_id, time=now)
