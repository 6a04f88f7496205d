"""One replica of a multi-Region key: whether its region has one, what differs there, and what is shown of it.

Rules:
1. Each region is judged by itself. One that cannot be read, or refuses something, stops neither the key nor the other regions.
2. A replica is kept as declared by the rules for the key itself (repairs.py), if it is ours (replica_records.py).
3. A replica that left the spec goes the way that the deletion policy names, if the status remembers it as one that was kept; then it is let
   go of. What stays on it of ours is remembered, so that it goes if the spec asks for that region again without it. What is nobody's, or
   another object's, is shown and never touched.

Not promised: that a replica which KMS does not list comes back as it was. It is made anew, with the same key material.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reconcilers.actions import Action, CancelKeyDeletion, ForgetReplica, ReplicateKey, TagResource
from reconcilers.disposal import disposal
from reconcilers.drift import Drift, find_drift, reached
from reconcilers.fields import DeletionPolicy
from reconcilers.hindrances import hindrance
from reconcilers.key_status import CreationAttempt, KMSKeyStatus, ReplicaStatus
from reconcilers.memory import ahead, kept
from reconcilers.ownership import claimable, owner_tags
from reconcilers.parts import parts, wished
from reconcilers.primaries import NO_END, NO_REPLICATION, as_primary, is_primary
from reconcilers.reasons import Reason
from reconcilers.refusals import put_refusal
from reconcilers.repairs import PENDING_DELETION, UNSETTLED, repairs
from reconcilers.replica_records import is_new, is_ours, passes, sent_since, shown, shows_no_tags_yet, unresolved
from reconcilers.reports import managed
from reconcilers.searches import delay_after
from reconcilers.states import FailureKind, KeyObject, Missing, ObservedKey, Operator, Problem, Unobservable, Wanted
from reconcilers.waits import AGAIN, LATER, SOON
from reconcilers.wanted import deletion_policy, window_in_days

SHOWN_ONLY = "The spec does not ask for this replica: the operator leaves it alone."

_LET_GO: dict[str, Any] = {"managed": False, "creation_attempt": None, "reached": {}, "message": SHOWN_ONLY}
_NOTHING_OURS: dict[str, Any] = _LET_GO | {"managed_tag_keys": (), "aliases": ()}


@dataclass(frozen=True, slots=True)
class Scene:
    """What every region is judged by."""

    key: KeyObject
    wanted: Wanted
    seen: ObservedKey
    operator: Operator
    now: datetime


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """One region: what is remembered and shown of it (None: nothing any more), what is due, and what it waits for."""

    record: ReplicaStatus | None
    due: tuple[Action, ...] = ()
    problem: Problem | None = None
    look_again: timedelta | None = None
    needs_enabled_key: bool = False  # the replica is being made, or will be soon
    drift: Drift = field(default_factory=Drift)


def judge(scene: Scene, record: ReplicaStatus) -> RegionPlan:
    """What to do in the region of this record."""
    wish = scene.wanted.replicas.get(record.region)
    seen = scene.seen.replicas.get(record.region, Missing(scene.seen.key_id))
    match seen:
        case Unobservable():
            return _unseen(scene, record, seen)
        case Missing():
            return _absent(scene, record, wish)
        case ObservedKey() if wish is None:
            return _surplus(scene, record, seen)
        case ObservedKey():
            return _present(scene, record, wish, seen)


def _unseen(scene: Scene, record: ReplicaStatus, why: Unobservable) -> RegionPlan:
    """It could not be read, or has just refused something: so it stays as it was, but for an attempt of which we know now."""
    failure = why.failure
    was_replicating = failure is not None and failure.operation == "ReplicateKey"
    was_refused = was_replicating and failure is not None and failure.kind is not FailureKind.UNKNOWN_RESULT
    attempt = None if was_refused else record.creation_attempt
    shown = record.model_copy(update={"creation_attempt": attempt, "ready": None, "message": why.message})
    if record.region not in scene.wanted.replicas and not record.managed:
        return RegionPlan(shown)
    delay = delay_after(sent_since(scene.key, record), scene.operator) if attempt else AGAIN
    problem = Problem(why.reason, why.message, stalled=not passes(why))
    is_to_be_made = record.region in scene.wanted.replicas and not record.managed
    return RegionPlan(shown, (), problem, delay if passes(why) else LATER, needs_enabled_key=is_to_be_made and passes(why))


def _absent(scene: Scene, record: ReplicaStatus, wish: Wanted | None) -> RegionPlan:
    if unresolved(scene.key, record, scene.operator):
        message = "ReplicateKey was sent and its answer lost: the operator looks for the replica before it tries again."
        waits = _waits(record, Reason.CREATION_UNKNOWN, message, delay_after(sent_since(scene.key, record), scene.operator))
        return replace(waits, needs_enabled_key=wish is not None)
    if is_new(record, scene.now):
        return _waits(record, Reason.KEY_NOT_USABLE_YET, "KMS does not show the new replica everywhere yet.", SOON)
    if wish is None:
        return RegionPlan(None)
    if scene.seen.multi_region_key_type != "PRIMARY":
        problem = Problem(Reason.REPLICA_NOT_READY, NO_REPLICATION)
        return RegionPlan(_with(record, problem), (), problem, LATER)
    if scene.seen.state != "Enabled":
        message = f"The key is {scene.seen.state}, and KMS replicates only enabled keys; this follows once it is enabled."
        problem = Problem(Reason.KEY_DISABLED, message)
        return RegionPlan(_with(record, problem), (), problem, LATER)
    return _replicate(scene, record, wish)


def _replicate(scene: Scene, record: ReplicaStatus, wish: Wanted) -> RegionPlan:
    count = record.creation_attempt.count + 1 if record.creation_attempt else 1
    attempt = CreationAttempt(id=f"{scene.key.uid}.{count}", time=scene.now, count=count)
    action = ReplicateKey(
        key=scene.seen.arn,
        region=wish.region,
        attempt=attempt,
        description=wish.description,
        policy=wish.policy,
        bypass_policy_lockout_safety_check=wish.bypass_policy_lockout_safety_check,
        tags=wish.tags,
    )
    fresh = ReplicaStatus(region=record.region, creation_attempt=attempt, managed_tag_keys=managed(wish.tags), message=record.message)
    return RegionPlan(fresh, (action,), needs_enabled_key=True)


def _present(scene: Scene, record: ReplicaStatus, wish: Wanted, seen: ObservedKey) -> RegionPlan:
    wish = as_primary(wish, scene.wanted, seen)
    record = record.model_copy(update=shown(seen))
    if isinstance(seen.tags, Unobservable):
        return RegionPlan(_with(record, _from(seen.tags)), (), _from(seen.tags), LATER)
    ours = is_ours(scene.key, seen, record, scene.operator.cluster_id)
    if not ours and shows_no_tags_yet(scene.key, record, seen):
        return _waits(record, Reason.KEY_NOT_USABLE_YET, "KMS does not show the tags of the new replica yet.", SOON)
    if not ours and not claimable(scene.key, seen, scene.operator.cluster_id):
        return _foreign(record, seen)
    record = record.model_copy(update={"managed": True, "creation_attempt": None})
    if not ours:
        return RegionPlan(record, _claim(scene, seen))
    memory = KMSKeyStatus(managed_tag_keys=record.managed_tag_keys, aliases=record.aliases, reached=record.reached)
    wishes = wished(wish, seen)
    found = parts(wish, seen, memory, wishes)
    drift = find_drift(scene.key.spec, memory, found)
    due = drift.without_held(repairs(wish, seen, memory))
    record = record.model_copy(update={"reached": reached(memory, wishes, found)})
    if refused := put_refusal(wish, due):
        return RegionPlan(_with(record, refused), (), refused, LATER)
    if due:
        return RegionPlan(_remember(record, ahead(memory, wish, seen)), due, drift=drift)
    problem, look_again = hindrance(wish, seen, drift.held) or (None, None)
    return RegionPlan(_with(_remember(record, kept(memory, wish, seen, scene.key.late_names)), problem), (), problem, look_again, drift=drift)


def _claim(scene: Scene, seen: ObservedKey) -> tuple[Action, ...]:
    """As of the key itself: the tags first, and before them what keeps KMS from taking tags."""
    if seen.state in UNSETTLED:
        return ()
    if seen.state in PENDING_DELETION:
        return (CancelKeyDeletion(seen.arn),)
    return (TagResource(seen.arn, owner_tags(scene.key, scene.operator.cluster_id)),)


def _foreign(record: ReplicaStatus, seen: ObservedKey) -> RegionPlan:
    problem = Problem(
        Reason.KEY_NOT_OWNED,
        f"The owner tags of {seen.arn} do not name this object, so nothing is changed on it: remove the region from spec.replicas, or delete "
        "that replica.",
    )
    return RegionPlan(_with(record.model_copy(update=_NOTHING_OURS), problem), (), problem, LATER)


def _surplus(scene: Scene, record: ReplicaStatus, seen: ObservedKey) -> RegionPlan:
    """It is there and not in the spec."""
    record = record.model_copy(update=shown(seen))
    is_due = record.managed or record.creation_attempt is not None
    if is_due and isinstance(seen.tags, Unobservable):
        return RegionPlan(_with(record, _from(seen.tags)), (), _from(seen.tags), LATER)
    ours = is_ours(scene.key, seen, record, scene.operator.cluster_id)
    if is_due and not ours and shows_no_tags_yet(scene.key, record, seen):
        return _waits(record, Reason.KEY_NOT_USABLE_YET, "KMS does not show the tags of the new replica yet.", SOON)
    if not is_due or not ours:
        may_be_ours = ours or isinstance(seen.tags, Unobservable)
        return RegionPlan(record.model_copy(update=_LET_GO if may_be_ours else _NOTHING_OURS))
    record = record.model_copy(update={"managed": True, "creation_attempt": None})
    return _dispose(scene, record, seen)


def _dispose(scene: Scene, record: ReplicaStatus, seen: ObservedKey) -> RegionPlan:
    policy = deletion_policy(scene.key, scene.operator)
    stays = policy in (DeletionPolicy.RETAIN, DeletionPolicy.DISABLE_KEY)  # with its aliases
    if is_primary(seen) and not stays:
        problem = Problem(Reason.REPLICA_NOT_READY, NO_END)
        return RegionPlan(_with(record, problem), (), problem, LATER)
    if seen.state in UNSETTLED and policy is not DeletionPolicy.RETAIN:
        return _waits(record, Reason.KEY_NOT_USABLE_YET, f"KMS reports the replica as {seen.state}; this passes within seconds.", SOON)
    if isinstance(seen.aliases, Unobservable) and not stays:
        return RegionPlan(_with(record, _from(seen.aliases)), (), _from(seen.aliases), LATER)
    due = disposal(seen, policy, record.aliases, window_in_days(scene.key, policy))
    if due:
        return RegionPlan(record, due)
    why = f"it is not in the spec any more, and is {seen.state} in AWS"
    freed = {} if stays else {"aliases": ()}
    return RegionPlan(record.model_copy(update=_LET_GO | freed), (ForgetReplica(seen.arn, seen.region, why),))


def _waits(record: ReplicaStatus, reason: Reason, message: str, look_again: timedelta) -> RegionPlan:
    problem = Problem(reason, message, stalled=False)
    return RegionPlan(_with(record, problem), (), problem, look_again)


def _from(part: Unobservable) -> Problem:
    return Problem(part.reason, part.message)


def _with(record: ReplicaStatus, problem: Problem | None) -> ReplicaStatus:
    return record.model_copy(update={"message": problem.message if problem else None})


def _remember(record: ReplicaStatus, memory: Mapping[str, Any]) -> ReplicaStatus:
    return record.model_copy(update={name: memory[name] for name in ("managed_tag_keys", "aliases")})
