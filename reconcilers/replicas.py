"""The replicas of a multi-Region key: where the key has to be made, what differs there, and what is shown of it.

Rules:
1. Each region is judged by itself. One that cannot be read, or refuses something, stops neither the key nor the other regions.
2. ReplicateKey is written ahead and sent once, one region at a time. KMS makes one replica for each region and gives all the same id, so an
   unanswered call is resolved by a look at that id in that region: while it does not show, nothing is sent until `create_grace` is over.
3. A replica is kept as declared by the rules for the key itself (repairs.py). It is ours if its owner tags say so, or if they are all missing
   and KMS has answered our own ReplicateKey for it: some backends drop the tags of that call.
4. A replica that left the spec goes the way that the deletion policy names, if the status remembers it as one that was kept; then it is let
   go of. What we put on it is remembered, so that nothing stays on it unasked if the spec asks for that region again. What is nobody's, or
   another object's, is shown and never touched.
5. The key itself must be enabled to be replicated, so it is disabled after that.
6. The primary may have been moved to one of the regions: primaries.py.

Not promised: that a replica which KMS does not list comes back as it was. It is made anew, with the same key material.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reconcilers.actions import Action, CancelKeyDeletion, DisableKey, ForgetReplica, Plan, ReplicateKey, TagResource
from reconcilers.arns import in_region
from reconcilers.conditions import Finding, Verdict
from reconcilers.disposal import disposal
from reconcilers.drift import Drift, find_drift, reached
from reconcilers.fields import DeletionPolicy
from reconcilers.hindrances import hindrance
from reconcilers.key_status import CreationAttempt, KMSKeyStatus, ReplicaStatus
from reconcilers.lag import LAG
from reconcilers.memory import ahead, kept
from reconcilers.names import OWNER_TAGS
from reconcilers.ownership import claimable, owned, owner_tags
from reconcilers.parts import parts, wished
from reconcilers.primaries import NO_END, NO_REPLICATION, as_primary, is_primary
from reconcilers.reasons import Reason
from reconcilers.refusals import put_refusal
from reconcilers.repairs import PENDING_DELETION, UNSETTLED, repairs
from reconcilers.reports import blocked, degraded, managed
from reconcilers.searches import delay_after
from reconcilers.states import FailureKind, KeyObject, Missing, ObservedKey, Operator, Problem, Unobservable, Wanted
from reconcilers.waits import AGAIN, LATER, SOON
from reconcilers.wanted import deletion_policy, window_in_days

IS_THERE = "AlreadyExistsException"
PASSING = (Reason.THROTTLED, Reason.AWS_UNAVAILABLE, Reason.KEY_NOT_USABLE_YET)
SHOWN_ONLY = "The spec does not ask for this replica: the operator leaves it alone."

# What the status has to hold before a write: the rest of a record is what was seen.
_MEMORY = ("managed", "creation_attempt", "managed_tag_keys", "aliases")
_LET_GO: dict[str, Any] = {"managed": False, "creation_attempt": None, "reached": {}, "message": SHOWN_ONLY}
_NOTHING_OURS: dict[str, Any] = _LET_GO | {"managed_tag_keys": (), "aliases": ()}

Records = tuple[ReplicaStatus, ...]


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


@dataclass(frozen=True, slots=True)
class ReplicasPlan:
    """All regions. due: the next ReplicateKey, else all other writes. before: the records as the status has them now."""

    before: Records
    records: Records = ()
    due: tuple[Action, ...] = ()
    problems: Mapping[str, Problem] = field(default_factory=dict)
    look_again: timedelta | None = None
    needs_enabled_key: bool = False
    corrections: tuple[Action, ...] = ()
    reported: tuple[str, ...] = ()  # what was changed outside and stays so, in words

    @property
    def is_news(self) -> bool:
        """Whether the status lacks a memory without which the writes must not start."""
        return _memories(self.before) != _memories(self.records)

    @property
    def problem(self) -> Problem | None:
        """What keeps the replicas from being as declared, by region."""
        if not self.problems:
            return None
        told = " ".join(f"{region}: {problem.message}" for region, problem in sorted(self.problems.items()))
        throttled = all(problem.reason is Reason.THROTTLED for problem in self.problems.values())
        reason = Reason.THROTTLED if throttled else Reason.REPLICA_NOT_READY
        return Problem(reason, told, stalled=any(problem.stalled for problem in self.problems.values()))

    def on(self, key: KeyObject, verdict: Verdict) -> Verdict:
        """The verdict on the key, once its replicas are judged too. What the key itself lacks is told first."""
        if not verdict.ready.holds:
            return verdict
        if self.problem is not None:  # what passes is no news for a key that was ready; a region that lacks its replica is
            passes = all(problem.reason in PASSING for problem in self.problems.values())
            return degraded(key, self.problem) if passes else blocked(self.problem)
        if self.reported and verdict.synced and verdict.synced.holds:
            message = f"Changed outside the operator, and left so because spec.driftPolicy is Report: {'; '.join(self.reported)}."
            return replace(verdict, synced=Finding(False, Reason.DRIFT_DETECTED, message))
        return verdict


def plan_replicas(scene: Scene, *, is_ours: bool) -> ReplicasPlan:
    """What to do about the replicas of a key; nothing until that key is this object's."""
    if not is_ours:
        return ReplicasPlan(scene.key.status.replicas, scene.key.status.replicas)
    records = records_of(scene.key, scene.seen)
    regions = sorted({*scene.wanted.replicas, *scene.seen.replicas, *records})
    plans = {region: _judge(scene, records.get(region, ReplicaStatus(region=region))) for region in regions}
    first = next((region for region, plan in plans.items() if any(isinstance(action, ReplicateKey) for action in plan.due)), None)
    waits = [plan.look_again for plan in plans.values() if plan.look_again is not None]
    return ReplicasPlan(
        before=scene.key.status.replicas,
        # An attempt is written down for the region only that is next: the others are not sent yet.
        records=_sorted(
            records.get(region) if first is not None and region != first else plan.record for region, plan in plans.items()
        ),
        due=plans[first].due if first is not None else tuple(action for plan in plans.values() for action in plan.due),
        problems={region: plan.problem for region, plan in plans.items() if plan.problem is not None},
        look_again=min(waits, default=None),
        needs_enabled_key=any(plan.needs_enabled_key for plan in plans.values()),
        corrections=tuple(action for plan in plans.values() for action in plan.drift.corrections(plan.due)),
        reported=tuple(f"{part.field} in {region}" for region, plan in plans.items() for part in plan.drift.reported),
    )


def records_of(key: KeyObject, seen: ObservedKey) -> dict[str, ReplicaStatus]:
    """What the status remembers of the replicas of this very key, by region: the key that it took the place of may have had others."""
    return {one.region: one for one in key.status.replicas if one.arn in (None, in_region(seen.arn, one.region))}


def held_back(due: Iterable[Action], replicas: ReplicasPlan) -> tuple[Action, ...]:
    """What is due for the key itself, without what would stand in the way of its replication (rule 5)."""
    return tuple(action for action in due if not (replicas.needs_enabled_key and isinstance(action, DisableKey)))


def replicated(before: Records, made: ObservedKey, tags: Mapping[str, str]) -> Records:
    """The records once KMS has answered a ReplicateKey."""
    record = _record(before, made.region).model_copy(
        update=_shown(made) | {"managed": True, "creation_attempt": None, "managed_tag_keys": managed(tags), "message": None}
    )
    return _sorted((*(other for other in before if other.region != made.region), record))


def not_sent(before: Records, region: str) -> Records:
    """The records when it is known that an attempt came to nothing."""
    return tuple(one.model_copy(update={"creation_attempt": None}) if one.region == region else one for one in before)


def unsent(plan: Plan) -> KMSKeyStatus:
    """The status of a plan of which nothing is carried out now: an attempt in it would be taken for a call without an answer."""
    regions = [action.region for action in plan.actions if isinstance(action, ReplicateKey)]
    records = plan.status.replicas
    for region in regions:
        records = not_sent(records, region)
    return plan.status.model_copy(update={"replicas": records}) if regions else plan.status


def is_ours(key: KeyObject, seen: ObservedKey, record: ReplicaStatus, cluster_id: str) -> bool:
    """Rule 3."""
    tagless = not isinstance(seen.tags, Unobservable) and not set(OWNER_TAGS) & set(seen.tags)
    return owned(key, seen, cluster_id) or (record.managed is True and tagless)


def unresolved(record: ReplicaStatus, operator: Operator, now: datetime) -> bool:
    """Whether a ReplicateKey was sent whose replica may still show."""
    return record.creation_attempt is not None and now - record.creation_attempt.time < operator.create_grace


def _judge(scene: Scene, record: ReplicaStatus) -> RegionPlan:
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
    passes = why.reason is Reason.KEY_NOT_USABLE_YET or (
        failure is not None
        and (failure.kind in (FailureKind.RETRY, FailureKind.UNKNOWN_RESULT) or failure.code == IS_THERE)
    )
    delay = delay_after(attempt, scene.now) if attempt else AGAIN
    problem = Problem(why.reason, why.message, stalled=not passes)
    return RegionPlan(shown, (), problem, delay if passes else LATER, needs_enabled_key=was_replicating and passes)


def _absent(scene: Scene, record: ReplicaStatus, wish: Wanted | None) -> RegionPlan:
    if unresolved(record, scene.operator, scene.now):
        message = "ReplicateKey was sent and its answer lost: the operator looks for the replica before it tries again."
        waits = _waits(record, Reason.CREATION_UNKNOWN, message, delay_after(record.creation_attempt, scene.now))
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
    record = record.model_copy(update=_shown(seen))
    if isinstance(seen.tags, Unobservable):
        return RegionPlan(_with(record, _from(seen.tags)), (), _from(seen.tags), LATER)
    ours = is_ours(scene.key, seen, record, scene.operator.cluster_id)
    if not ours and shows_no_tags_yet(record, seen, scene.now):
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
    return RegionPlan(_with(_remember(record, kept(memory, wish, seen)), problem), (), problem, look_again, drift=drift)


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
    record = record.model_copy(update=_shown(seen))
    is_due = record.managed or record.creation_attempt is not None
    if is_due and isinstance(seen.tags, Unobservable):
        return RegionPlan(_with(record, _from(seen.tags)), (), _from(seen.tags), LATER)
    ours = is_ours(scene.key, seen, record, scene.operator.cluster_id)
    if is_due and not ours and shows_no_tags_yet(record, seen, scene.now):
        return _waits(record, Reason.KEY_NOT_USABLE_YET, "KMS does not show the tags of the new replica yet.", SOON)
    if not is_due or not ours:
        may_be_ours = ours or isinstance(seen.tags, Unobservable)
        return RegionPlan(record.model_copy(update=_LET_GO if may_be_ours else _NOTHING_OURS))
    record = record.model_copy(update={"managed": True, "creation_attempt": None})
    return _dispose(scene, record, seen)


def _dispose(scene: Scene, record: ReplicaStatus, seen: ObservedKey) -> RegionPlan:
    policy = deletion_policy(scene.key, scene.operator)
    if is_primary(seen) and policy not in (DeletionPolicy.RETAIN, DeletionPolicy.DISABLE_KEY):
        problem = Problem(Reason.REPLICA_NOT_READY, NO_END)
        return RegionPlan(_with(record, problem), (), problem, LATER)
    if seen.state in UNSETTLED and policy is not DeletionPolicy.RETAIN:
        return _waits(record, Reason.KEY_NOT_USABLE_YET, f"KMS reports the replica as {seen.state}; this passes within seconds.", SOON)
    if isinstance(seen.aliases, Unobservable) and policy not in (DeletionPolicy.RETAIN, DeletionPolicy.DISABLE_KEY):
        return RegionPlan(_with(record, _from(seen.aliases)), (), _from(seen.aliases), LATER)
    due = disposal(seen, policy, record.aliases, window_in_days(scene.key, policy))
    if due:
        return RegionPlan(record, due)
    why = f"it is not in the spec any more, and is {seen.state} in AWS"
    return RegionPlan(record.model_copy(update=_LET_GO), (ForgetReplica(seen.arn, seen.region, why),))


def _waits(record: ReplicaStatus, reason: Reason, message: str, look_again: timedelta) -> RegionPlan:
    problem = Problem(reason, message, stalled=False)
    return RegionPlan(_with(record, problem), (), problem, look_again)


def _from(part: Unobservable) -> Problem:
    return Problem(part.reason, part.message)


def _with(record: ReplicaStatus, problem: Problem | None) -> ReplicaStatus:
    return record.model_copy(update={"message": problem.message if problem else None})


def _remember(record: ReplicaStatus, memory: Mapping[str, Any]) -> ReplicaStatus:
    return record.model_copy(update={name: memory[name] for name in ("managed_tag_keys", "aliases")})


def _shown(seen: ObservedKey) -> dict[str, Any]:
    return {
        "arn": seen.arn,
        "key_state": seen.state,
        "ready": seen.state == "Enabled",
        "creation_date": seen.creation_date,
    }


def is_new(record: ReplicaStatus, now: datetime) -> bool:
    """Whether KMS answered for this replica so lately that it may not show it everywhere."""
    return bool(record.managed) and record.creation_date is not None and now - record.creation_date < LAG


def shows_no_tags_yet(record: ReplicaStatus, seen: ObservedKey, now: datetime) -> bool:
    """A replica of our own attempt, without the tags that it was made with."""
    tagless = isinstance(seen.tags, Mapping) and not set(OWNER_TAGS) & set(seen.tags)
    return tagless and record.creation_attempt is not None and now - record.creation_attempt.time < LAG


def _record(records: Records, region: str) -> ReplicaStatus:
    return next((record for record in records if record.region == region), ReplicaStatus(region=region))


def _sorted(records: Iterable[ReplicaStatus | None]) -> Records:
    return tuple(sorted((record for record in records if record is not None), key=lambda record: record.region))


def _memories(records: Records) -> list[Any]:
    return [(record.region, *(getattr(record, name) for name in _MEMORY)) for record in records]
