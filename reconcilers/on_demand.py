"""Rotation on demand: each new value of spec.rotateOnDemand rotates the key once. KMS allows 25 in the life of a key, and gives none back.

Rules:
1. RotateKeyOnDemand is not idempotent. The attempt is written into the status before it is sent, with the number of such rotations until then.
   An attempt whose result is unknown is looked for: a rotation that is under way, or one more in the list of those that are done. Only when
   KMS has shown neither for LAG is it sent again. Where the list may not be read, it never is: somebody has to decide.
2. A token that is found when the id of a key is first remembered counts as carried out: a new key, also one in place of a lost one, needs no
   rotation, and of a key that comes back nobody knows. So a lost status costs a rotation that is left out, and never a second one.
3. Only the last token is remembered: to go back to the one before rotates again.
4. It is sent by itself, when nothing else is left to do; not while another rotation is under way, and not within 20 minutes of an automatic
   one, which KMS would refuse. Once that has begun, KMS tells the date of the one after it, and the list when it was.

Not promised: that a rotation that somebody else asks for while our own result is unknown is not taken for ours.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from reconcilers.actions import RotateKeyOnDemand
from reconcilers.attempts import age
from reconcilers.key_status import KMSKeyStatus, RotationAttempt
from reconcilers.lag import LAG, SKEW
from reconcilers.primaries import NO_ROTATION_HERE
from reconcilers.reasons import Reason
from reconcilers.states import Failure, FailureKind, KeyObject, ObservedKey, Problem, Rotation, Rotations, Unobservable

T = TypeVar("T", int, datetime)

MOST = 25  # for the life of a key; AWS raises it for nobody
NEAR = timedelta(minutes=20)  # KMS refuses as soon before an automatic rotation, and while it lasts
SOON = timedelta(seconds=10)  # a rotation takes seconds to minutes
LATER = timedelta(minutes=5)
WAY_OUT = (
    "Rotate automatically instead (spec.enableKeyRotation, and rotationPeriodInDays from 90), or make a new KMSKey; "
    "until then set spec.rotateOnDemand back."
)


class Waits(NamedTuple):
    """Why the key cannot be rotated now, and when to look again."""

    problem: Problem
    look_again: timedelta


@dataclass(frozen=True, slots=True)
class _Memory:
    """The status by what was seen since: handled is the last token that was carried out, attempt one whose result is still unknown."""

    handled: str | None
    attempt: RotationAttempt | None
    rotations: int | None
    last: datetime | None


def found_token(key: KeyObject, key_id: str | None) -> dict[str, Any]:
    """Rule 2: what goes into the status together with the id of a key that it does not remember."""
    if key_id is None or key_id == key.status.key_id:
        return {}
    handled = key.spec.rotate_on_demand or key.status.last_handled_rotate_on_demand
    return {"last_handled_rotate_on_demand": handled, "rotation_attempt": None, "on_demand_rotations": None, "last_rotation_date": None}


def history_is_needed(key: KeyObject) -> bool:
    """Whether the plan depends on the rotations that are done already."""
    token, status = key.spec.rotate_on_demand, key.status
    is_new = token is not None and token != status.last_handled_rotate_on_demand
    return status.key_id is not None and (is_new or status.rotation_attempt is not None)


def history(status: KMSKeyStatus, seen: ObservedKey) -> dict[str, Any]:
    """What is known of the rotations that are done. A late list takes nothing back.

    It goes into the status with the date of the next rotation, always: as long as that date stays the same, the list is not read again.
    """
    known = status if status.key_id == seen.key_id else KMSKeyStatus()
    listed = seen.rotations if isinstance(seen.rotations, Rotations) else None
    return {
        "on_demand_rotations": _later(known.on_demand_rotations, listed.on_demand if listed else None),
        "last_rotation_date": _later(known.last_rotation_date, listed.last if listed else None),
    }


def rotation_fields(key: KeyObject, seen: ObservedKey) -> dict[str, Any]:
    """What the status says of rotations from now on."""
    if key.status.key_id != seen.key_id:
        return {}
    memory = _remember(key, seen)
    return {
        "last_handled_rotate_on_demand": memory.handled,
        "rotation_attempt": memory.attempt,
        "on_demand_rotations": memory.rotations,
        "last_rotation_date": memory.last,
    }


def on_demand(key: KeyObject, seen: ObservedKey, now: datetime) -> RotateKeyOnDemand | Waits | None:
    """The call that is due, why it is not made yet, or None when there is nothing to rotate."""
    if key.status.key_id != seen.key_id:
        return None
    memory = _remember(key, seen)
    if memory.attempt is not None:
        return _look_for(memory.attempt, age(key.ages, memory.attempt), seen)
    token = key.spec.rotate_on_demand
    if token is None or token == memory.handled:
        return None
    if (hindered := _hindered(seen, memory.rotations, now)) is not None:
        return hindered
    return RotateKeyOnDemand(seen.arn, RotationAttempt(token=token, time=now, rotations_before=memory.rotations))


def was_refused(key: KeyObject) -> bool:
    """Whether the last thing that AWS refused was the rotation."""
    return key.status.last_error is not None and key.status.last_error.operation == "RotateKeyOnDemand"


def judge_rotation(failure: Failure) -> tuple[Reason, str, bool] | None:
    """Reason, advice, and whether somebody has to act, after a failed RotateKeyOnDemand; None where it is like any other call."""
    if failure.kind is FailureKind.UNKNOWN_RESULT:
        return Reason.ROTATION_UNKNOWN, "The key may have been rotated: the operator looks for it before it tries again.", False
    if failure.code == "ConflictException":
        words = "A rotation is under way, or an automatic one due within 20 minutes: the operator waits for it and tries again."
        return Reason.ROTATION_PENDING, words, False
    if failure.code == "LimitExceededException":
        return Reason.LIMIT_EXCEEDED, WAY_OUT, True
    return None


def _remember(key: KeyObject, seen: ObservedKey) -> _Memory:
    status = key.status
    listed = seen.rotations if isinstance(seen.rotations, Rotations) else None
    shown = history(status, seen)
    count, last = shown["on_demand_rotations"], shown["last_rotation_date"]
    attempt, handled = status.rotation_attempt, status.last_handled_rotate_on_demand
    if attempt is None:
        return _Memory(handled, None, count, last)
    if _has_shown(attempt, seen):
        made = None if attempt.rotations_before is None else attempt.rotations_before + 1
        return _Memory(attempt.token, None, _later(count, made), _later(last, attempt.time))
    if age(key.ages, attempt) < LAG:
        return _Memory(handled, attempt, count, last)
    if listed is not None and isinstance(seen.rotation, Rotation):
        return _Memory(handled, None, count, last)
    decided = key.spec.rotate_on_demand != attempt.token  # somebody has set another token, or none
    return _Memory(attempt.token, None, count, last) if decided else _Memory(handled, attempt, count, last)


def _later(one: T | None, other: T | None) -> T | None:
    """The greater of those that are known."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _has_shown(attempt: RotationAttempt, seen: ObservedKey) -> bool:
    """None was under way when the attempt was made, and there were rotations_before."""
    if isinstance(seen.rotation, Rotation) and seen.rotation.on_demand_started is not None:
        return True
    if not isinstance(seen.rotations, Rotations):
        return False
    if attempt.rotations_before is not None:
        return seen.rotations.on_demand > attempt.rotations_before
    return seen.rotations.last_on_demand is not None and seen.rotations.last_on_demand >= attempt.time - SKEW


def _look_for(attempt: RotationAttempt, sought: timedelta, seen: ObservedKey) -> Waits:
    if sought < LAG:
        words = "RotateKeyOnDemand was sent and its answer lost: looking for the rotation before trying again."
        return Waits(Problem(Reason.ROTATION_UNKNOWN, words, stalled=False), min(max(sought / 2, SOON), timedelta(minutes=1)))
    words = (
        f"RotateKeyOnDemand was sent at {attempt.time:%Y-%m-%dT%H:%M:%SZ} and its answer lost, and whether the key was rotated cannot be told. "
        "Allow kms:ListKeyRotations and kms:GetKeyRotationStatus to the provider's identity; or set another spec.rotateOnDemand if it was not, "
        f"and remove it if it was: see `aws kms list-key-rotations --key-id {seen.key_id}`."
    )
    return Waits(Problem(Reason.ROTATION_UNKNOWN, words), LATER)


def _hindered(seen: ObservedKey, rotations: int | None, now: datetime) -> Waits | None:
    if seen.state != "Enabled":
        words = "The key is not rotated on demand while it is disabled; this follows once it is enabled."
        return Waits(Problem(Reason.KEY_DISABLED, words, stalled=False), LATER)
    if rotations is not None and rotations >= MOST:
        return Waits(Problem(Reason.LIMIT_EXCEEDED, f"The key has had its {MOST} rotations on demand, the most for its life. {WAY_OUT}"), LATER)
    is_now = seen.rotation
    if isinstance(is_now, Unobservable):
        return Waits(Problem(is_now.reason, is_now.message), LATER)
    if is_now is None and seen.multi_region_key_type == "REPLICA":
        return Waits(Problem(Reason.REPLICA_NOT_READY, NO_ROTATION_HERE), LATER)
    if is_now is None:
        words = "KMS rotates symmetric keys with material of its own only: remove spec.rotateOnDemand."
        return Waits(Problem(Reason.INVALID_SPEC, words), LATER)
    if is_now.on_demand_started is not None:
        words = "Another rotation on demand is under way: this one follows when that is done."
        return Waits(Problem(Reason.ROTATION_PENDING, words, stalled=False), SOON)
    for date in (is_now.next_date, _last_automatic(seen.rotations)):
        if date is not None and abs(date - now) <= NEAR:
            words = f"KMS rotates the key by itself at {date:%Y-%m-%dT%H:%M:%SZ}: the rotation on demand follows 20 minutes later."
            return Waits(Problem(Reason.ROTATION_PENDING, words, stalled=False), LATER)
    return None


def _last_automatic(listed: Rotations | Unobservable | None) -> datetime | None:
    """Where none on demand has come after it."""
    return listed.last if isinstance(listed, Rotations) and listed.last != listed.last_on_demand else None
