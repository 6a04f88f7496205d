"""plan_kmskey: what to do for one KMSKey, from what was seen. The heart of the operator, and pure.

How it is used: observe, plan, apply the actions in order, fold each answer into the observation (`after`), plan again; when no action is
left, report the status. A pass may die between any two awaits: the next one plans from what it then sees, and does the rest.

Rules:
1. A key is created only for an object that was never touched (NotCreated), or when no key with its owner tags can be found. An attempt is
   written into the status before CreateKey is sent. An attempt whose result is unknown is searched for until `create_grace` is over, and
   a new one is made only after a thorough search.
2. A key id, once remembered, is never replaced. AWS saying that the key is missing makes the object KeyLost, and nothing is made anew
   unless the user asks for it by the key's id (recreation.py).
3. No write goes to a key whose owner tags do not name this object, or its predecessor of the same name (ownership.py).
4. Whoever reads this to find out what happens to an object that is being deleted: deletion.py.

It does not promise that KMS shows at once what was written: KMS is eventually consistent. A late read costs a repeated write, no more, and
echoes.py keeps most of them away.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reconcilers.actions import (
    Action,
    AddFinalizer,
    CancelKeyDeletion,
    CreateKey,
    EnableKey,
    Plan,
    RecordKey,
    RotateKeyOnDemand,
    TagResource,
)
from reconcilers.adoption import as_it_is, has_waited, left_disabled, objection
from reconcilers.conditions import Finding, Progress, Verdict, find
from reconcilers.deletion import plan_deletion, plan_deletion_unseen, plan_retained
from reconcilers.drift import Drift, find_drift, reached
from reconcilers.exports import export
from reconcilers.grants import grants_wait
from reconcilers.hindrances import hindrance
from reconcilers.holds import plan_held
from reconcilers.key_status import CreationAttempt
from reconcilers.lag import shows_not_yet
from reconcilers.materials import fixed_material
from reconcilers.memory import ahead, kept
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.observing import plan_observed
from reconcilers.older_operator import never_filled
from reconcilers.on_demand import on_demand, rotation_fields, was_refused
from reconcilers.ownership import belongs, claimable, owned, owner_tags
from reconcilers.parts import parts, wished
from reconcilers.policy_findings import policy_status
from reconcilers.reasons import Reason
from reconcilers.recreation import lost, may_be_replaced, shown_again
from reconcilers.refusals import put_refusal, refusal
from reconcilers.repairs import PENDING_DELETION, UNSETTLED, repairs, rotation_waits
from reconcilers.replicas import Scene, held_back, plan_replicas
from reconcilers.reports import available, blocked, degraded, managed, report, seen_fields, working
from reconcilers.searches import NOT_THOROUGH, first_unreadable, grace_is_over, nothing_was_made, proves_none, search_delay
from reconcilers.states import (
    Account,
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
    Wanted,
)
from reconcilers.waits import LATER, SOON
from reconcilers.wanted import wanted_key

_PENDING = (
    "Somebody scheduled the key's deletion in AWS, and spec.driftPolicy or spec.ignoreDrift leaves it so: its data is lost when the window "
    "ends. Cancel the deletion in AWS, or set driftPolicy: Correct and take deletionState out of ignoreDrift."
)
PATIENCE = timedelta(seconds=10)  # keys and their provider are often applied together, and arrive in any order


def plan_kmskey(key: KeyObject, account: Account | Unobservable, seen: Seen, operator: Operator, now: datetime) -> Plan:
    """What to do for this object. account: where its provider leads, or why it leads nowhere. now: aware."""
    if (held := plan_held(key, operator, now)) is not None:
        return held
    if key.deleting:
        return plan_deletion(key, account, seen, operator, now)
    wanted = _wanted(key, account, operator, now)
    if isinstance(wanted, Problem):
        return _stop(key, wanted, operator, now)
    if key.spec.observes:
        return plan_observed(key, seen, operator, now)
    match seen:
        case Offered():
            return _adopt(key, wanted, seen, operator, now)
        case NotCreated():
            return _make(key, wanted, seen.earlier, operator, now)
        case Candidates():
            return _resolve(key, wanted, seen, operator, now)
        case Missing():
            return _missing(key, seen, operator, now)
        case Unobservable():
            return _stop(key, Problem(seen.reason, seen.message), operator, now)
        case ObservedKey():
            return _keep(key, wanted, seen, operator, now)


def plan_unasked(key: KeyObject, operator: Operator, now: datetime) -> Plan | None:
    """The plan for an object for which neither its provider nor AWS matters; None for all others."""
    return plan_held(key, operator, now) or (plan_retained(key, operator) if key.deleting else None)


def plan_unseen(key: KeyObject, account: Account | Unobservable, operator: Operator, now: datetime) -> Plan | None:
    """The plan for an object for which AWS need not, or must not, be asked; None when it is to be observed."""
    if (held := plan_held(key, operator, now)) is not None:
        return held
    if key.deleting:
        return plan_deletion_unseen(key, account, operator, now)
    wanted = _wanted(key, account, operator, now)
    return _stop(key, wanted, operator, now) if isinstance(wanted, Problem) else None


def _wanted(key: KeyObject, account: Account | Unobservable, operator: Operator, now: datetime) -> Wanted | Problem:
    if isinstance(account, Unobservable):
        return Problem(account.reason, account.message, stalled=_has_lasted(key, account.reason, now))
    wanted = wanted_key(key, account, operator)
    return refusal(key, account, wanted, operator) or wanted


def _has_lasted(key: KeyObject, reason: Reason, now: datetime) -> bool:
    synced = find("Synced", key.status.conditions)
    return synced is not None and synced.reason == reason and now - synced.last_transition_time >= PATIENCE


def _make(key: KeyObject, wanted: Wanted, earlier: tuple[ObservedKey, ...], operator: Operator, now: datetime) -> Plan:
    """The object has no key: the one of its predecessor comes back, else a new one is made."""
    ours = tuple(candidate for candidate in earlier if claimable(key, candidate, operator.cluster_id))
    if len(ours) > 1:
        return _stop(key, _ambiguous(ours), operator, now)
    return _take_over(key, wanted, ours[0], operator, now) if ours else _create(key, wanted, operator, now)


def _adopt(key: KeyObject, wanted: Wanted, seen: Offered, operator: Operator, now: datetime) -> Plan:
    """Take over the key that was there before the object, if it may be: remember it, claim it, and see then what differs."""
    found = seen.found
    if found is None:
        return _adopt_none(key, wanted, seen.otherwise, operator, now)
    problem = objection(key, found, seen, operator.cluster_id) or _immutable_conflict(as_it_is(key, wanted, found), found)
    if problem is not None:
        return _stop(key, problem, operator, now)
    if belongs(key, found, operator.cluster_id):
        return _take_over(key, wanted, found, operator, now)
    verdict = working(Reason.ADOPTING, f"The key {found.key_id} is being taken over.")
    claim = TagResource(found.arn, owner_tags(key, operator.cluster_id))
    why, memory = "which spec.adopt names", seen_fields(found)
    if key.spec.adopt is None:  # until the key is claimed, its status has to stay recognizable
        why, memory = "which an older operator made for this object", {"taken_over": True}
    return Plan((*_finalizer(key), RecordKey(found, why), claim), report(key, operator, verdict, now, **memory), write_ahead=True)


def _adopt_none(key: KeyObject, wanted: Wanted, seen: NotCreated | Candidates, operator: Operator, now: datetime) -> Plan:
    """There is no key of the name in spec.adopt: wait for it, or make one once that is certain."""
    name = key.spec.adopt.told if key.spec.adopt else ""
    missing = f"There is no key {name} in account {wanted.account_id}, region {wanted.region}"
    if key.spec.adopt is None or not key.spec.adopt.or_create:
        message = f"{missing}: correct spec.adopt, or set its policy to AdoptOrCreate."
        problem = Problem(Reason.KEY_NOT_FOUND, message, stalled=_has_lasted(key, Reason.KEY_NOT_FOUND, now))
        return _stop(key, problem, operator, now)
    made = _make(key, wanted, seen.earlier, operator, now) if isinstance(seen, NotCreated) else _resolve(key, wanted, seen, operator, now)
    if has_waited(key, operator, now) or not any(isinstance(action, CreateKey) for action in made.actions):
        return made
    verdict = working(Reason.ADOPTING, f"{missing}. It is looked for once more before one is made.")
    return Plan((), report(key, operator, verdict, now), look_again=PATIENCE)


def _create(key: KeyObject, wanted: Wanted, operator: Operator, now: datetime) -> Plan:
    before = key.status.creation_attempt
    count = before.count + 1 if before else 1
    attempt = CreationAttempt(id=f"{key.uid}.{count}", time=now, count=count)
    create = CreateKey(
        attempt=attempt,
        key_spec=wanted.key_spec,
        key_usage=wanted.key_usage,
        multi_region=wanted.multi_region,
        description=wanted.description,
        policy=wanted.policy,
        bypass_policy_lockout_safety_check=wanted.bypass_policy_lockout_safety_check,
        tags=wanted.tags,
        material=wanted.material,
    )
    actions = (*_finalizer(key), create)
    verdict = working(Reason.CREATING, "The key is being created.")
    fields: dict[str, Any] = {"creation_attempt": attempt, "managed_tag_keys": managed(wanted.tags)}
    fields |= {"account_id": wanted.account_id, "region": wanted.region, "reached": {}, "drift": ()}
    fields["policy"] = policy_status(None, wanted, None)
    if nothing_was_made(key) and key.status.observed_generation == key.generation:
        fields["conditions"] = key.status.conditions  # another try after a refusal is no news until it succeeds
    return Plan(actions, report(key, operator, verdict, now, **fields), write_ahead=True)


def _resolve(key: KeyObject, wanted: Wanted, seen: Candidates, operator: Operator, now: datetime) -> Plan:
    """No id is remembered, but a key may have been made: by an attempt without an answer, or before a status was lost."""
    others = (candidate for candidate in seen.keys if candidate.key_id != key.status.key_id)
    ours = tuple(candidate for candidate in others if owned(key, candidate, operator.cluster_id))
    if len(ours) > 1:
        return _stop(key, _ambiguous(ours), operator, now)
    if ours:
        return _take_over(key, wanted, ours[0], operator, now)
    if unreadable := first_unreadable(seen):
        return _stop(key, Problem(unreadable.reason, unreadable.message), operator, now)
    if proves_none(key, seen, operator, now):
        return _replace(key, wanted, seen, operator, now) if key.status.key_id else _make(key, wanted, seen.earlier, operator, now)
    if grace_is_over(key, operator, now):
        return _stop(key, Problem(Reason.CREATION_UNKNOWN, NOT_THOROUGH), operator, now)
    message = "CreateKey was sent and its answer lost: looking for the key by its owner tags before trying again."
    status = report(key, operator, working(Reason.CREATION_UNKNOWN, message), now)
    return Plan((), status, look_again=search_delay(key, now))


def _replace(key: KeyObject, wanted: Wanted, seen: Candidates, operator: Operator, now: datetime) -> Plan:
    """The object has no key but the one that it remembers, which is lost or shows again."""
    if (found := shown_again(key, seen, operator.cluster_id)) is not None:
        return _take_over(key, wanted, found, operator, now)
    if may_be_replaced(key):
        return _create(key, wanted, operator, now)
    return _stop(key, lost(key), operator, now, creation_attempt=None)


def _take_over(key: KeyObject, wanted: Wanted, found: ObservedKey, operator: Operator, now: datetime) -> Plan:
    conflict = _immutable_conflict(as_it_is(key, wanted, found), found)
    if conflict is not None:
        return _stop(key, conflict, operator, now)
    verdict = working(Reason.CREATING, f"The key {found.key_id} was found by its owner tags.")
    return Plan((*_finalizer(key), RecordKey(found)), report(key, operator, verdict, now))


def _missing(key: KeyObject, seen: Missing, operator: Operator, now: datetime) -> Plan:
    if shows_not_yet(key, seen, now):
        return _wait_for_kms(key, operator, now)
    return _stop(key, lost(key), operator, now, ready=False, key_state=None)


def _wait_for_kms(key: KeyObject, operator: Operator, now: datetime) -> Plan:
    problem = Problem(Reason.KEY_NOT_USABLE_YET, "KMS does not show the new key everywhere yet.", stalled=False)
    return Plan((), report(key, operator, degraded(key, problem), now), look_again=SOON)


def _keep(key: KeyObject, wanted: Wanted, seen: ObservedKey, operator: Operator, now: datetime) -> Plan:
    """The key exists: first prove that it is ours, then set right what differs, then say how it is."""
    if shows_not_yet(key, seen, now):
        return _wait_for_kms(key, operator, now)
    wanted = as_it_is(key, wanted, seen)
    problem = _not_ours(key, seen, operator) or _immutable_conflict(wanted, seen)
    if problem is not None:
        return _stop(key, problem, operator, now, **({} if never_filled(key.status) else seen_fields(seen)))
    drift, due, drifted = _differences(key, wanted, seen, operator, now)
    if refused := put_refusal(wanted, due):
        return _stop(key, refused, operator, now, **seen_fields(seen), **drifted)
    elsewhere = plan_replicas(Scene(key, wanted, seen, operator, now), is_ours=owned(key, seen, operator.cluster_id))
    due = (*_finalizer(key), *held_back(due, elsewhere))
    if due:
        return replace(_repair(key, wanted, seen, due, operator, now, **drifted), corrections=drift.corrections(due))
    fields = seen_fields(seen) | kept(key.status, wanted, seen) | rotation_fields(key.status, key.spec, seen, now) | drifted
    fields["replicas"] = elsewhere.records
    if elsewhere.due:
        status = report(key, operator, _updating(key), now, **fields)
        return Plan(elsewhere.due, status, write_ahead=elsewhere.is_news, corrections=elsewhere.corrections)
    step = on_demand(key, seen, now)
    if isinstance(step, RotateKeyOnDemand):
        return _rotate(key, step, fields, operator, now)
    told = export(key, seen, fields["aliases"])
    fields["exported"] = told.exported
    if told.actions:
        return _export(key, told.actions, fields, operator, now)
    verdict, look_again = _verdict(key, wanted, seen, drift)
    for waits in (step, told):
        if waits and waits.problem and verdict.synced and verdict.synced.holds:
            verdict, look_again = _waiting(verdict, waits.problem), waits.look_again
    return Plan((), report(key, operator, elsewhere.on(key, verdict), now, **fields), look_again or elsewhere.look_again)


def _waiting(settled: Verdict, problem: Problem) -> Verdict:
    """A disabled key is as declared; what it does not take while it is disabled waits beside that."""
    if problem.reason is not Reason.KEY_DISABLED:
        return blocked(problem)
    return Verdict(settled.ready, Finding(False, problem.reason, problem.message), Progress.SETTLED)


def _rotate(key: KeyObject, rotate: RotateKeyOnDemand, fields: dict[str, Any], operator: Operator, now: datetime) -> Plan:
    """By itself, when all else is done: between the attempt that is written down and the call nothing may come in the way."""
    fields |= {"rotation_attempt": rotate.attempt}
    if was_refused(key) and key.status.observed_generation == key.generation:
        fields["conditions"] = key.status.conditions  # another try after a refusal is no news until it succeeds
    verdict = working(Reason.UPDATING, "The key is being rotated.")
    return Plan((rotate,), report(key, operator, verdict, now, **fields), write_ahead=True)


def _differences(
    key: KeyObject, wanted: Wanted, seen: ObservedKey, operator: Operator, now: datetime
) -> tuple[Drift, tuple[Action, ...], dict[str, Any]]:
    """What has drifted, the writes that are due, and what the status says of both."""
    policy = policy_status(key.status.policy, wanted, seen)
    if not owned(key, seen, operator.cluster_id):  # whatever an earlier object has reached, all is set right on a key that comes back
        return Drift(), _claim(key, seen, operator), {"drift": (), "reached": {}, "policy": policy}
    wishes = wished(wanted, seen)
    found = parts(wanted, seen, key.status, wishes)
    drift = find_drift(key.spec, key.status, found)
    told = {"drift": drift.entries(key.status.drift, now), "reached": reached(key.status, wishes, found), "policy": policy}
    return drift, drift.without_held(repairs(wanted, seen, key.status)), told


def _export(key: KeyObject, due: tuple[Action, ...], fields: dict[str, Any], operator: Operator, now: datetime) -> Plan:
    """Last, because it tells of what the other actions have made."""
    verdict = degraded(key, Problem(Reason.UPDATING, "What the key is exported to is being written.", stalled=False))
    ahead = key.status.key_id is None or fields["exported"] != key.status.exported
    return Plan(due, report(key, operator, verdict, now, **fields), write_ahead=ahead)


def _finalizer(key: KeyObject) -> tuple[Action, ...]:
    """While an object has a key it has the finalizer, also after somebody took it away."""
    return () if KMSKEY_FINALIZER in key.finalizers else (AddFinalizer(),)


def _claim(key: KeyObject, seen: ObservedKey, operator: Operator) -> tuple[Action, ...]:
    """Make the predecessor's key this object's, before anything else is changed on it. A pending key takes no tags."""
    if seen.state in UNSETTLED:
        return ()
    if seen.state in PENDING_DELETION:
        return (CancelKeyDeletion(seen.arn),)
    claim = TagResource(seen.arn, owner_tags(key, operator.cluster_id))
    # What comes back is usable again, also where the spec leaves it open: later, nobody would know that it was we who disabled it.
    return (EnableKey(seen.arn), claim) if left_disabled(key, seen) else (claim,)


def _repair(
    key: KeyObject, wanted: Wanted, seen: ObservedKey, due: tuple[Action, ...], operator: Operator, now: datetime, **drifted: Any
) -> Plan:
    """Repairing a drift leaves the Ready of a key alone that was ready for this spec."""
    memory = ahead(key.status, wanted, seen)
    forgets = bool(key.status.reached) and not drifted["reached"]
    news = forgets or key.status.key_id != seen.key_id or any(getattr(key.status, name) != value for name, value in memory.items())
    status = report(key, operator, _updating(key), now, **seen_fields(seen), **memory, **drifted)
    return Plan(due, status, write_ahead=news)


def _updating(key: KeyObject) -> Verdict:
    return degraded(key, Problem(Reason.UPDATING, "The key is being made as declared.", stalled=False))


def _verdict(key: KeyObject, wanted: Wanted, seen: ObservedKey, drift: Drift) -> tuple[Verdict, timedelta | None]:
    """The key needs no write. Is it as declared, or what does it wait for?"""
    if seen.state in PENDING_DELETION:
        return blocked(Problem(Reason.KEY_PENDING_DELETION, _PENDING)), LATER
    if (found := hindrance(wanted, seen, drift.held)) is not None:
        problem, look_again = found
        return blocked(problem), look_again
    if (left := left_disabled(key, seen)) is not None:
        return blocked(left), None
    settled = available(wanted.enabled)
    waiting = {
        "Rotation cannot be changed": "rotation" not in drift.held and rotation_waits(wanted, seen),
        "Grants cannot be made": "grants" not in drift.held and grants_wait(wanted, seen, key.status.grants),
    }
    if any(waiting.values()):
        what = " and ".join(words for words, waits in waiting.items() if waits)
        waits = Finding(False, Reason.KEY_DISABLED, f"{what} while the key is disabled; this follows once it is enabled.")
        return drift.on(Verdict(settled.ready, waits, Progress.SETTLED)), None
    return drift.on(settled), None


def _not_ours(key: KeyObject, seen: ObservedKey, operator: Operator) -> Problem | None:
    if isinstance(seen.tags, Unobservable):
        return Problem(seen.tags.reason, seen.tags.message)
    if belongs(key, seen, operator.cluster_id):
        return None
    return Problem(
        Reason.KEY_NOT_OWNED,
        f"The owner tags of the key {seen.key_id} do not name this object, so nothing is changed on it. If the key is this object's, put "
        f"back the tags that were removed: {operator.cluster_id} as cluster-id and {key.uid} as uid, under aws-infra-operator.runner.codes/.",
    )


def _immutable_conflict(wanted: Wanted, seen: ObservedKey) -> Problem | None:
    pairs = {
        "keySpec": (wanted.key_spec, seen.key_spec),
        "keyUsage": (wanted.key_usage, seen.key_usage),
        "multiRegion": (wanted.multi_region, seen.multi_region),
        **fixed_material(wanted.material, seen),
    }
    different = [f"{name} is {is_now} in AWS and {wish} in the spec" for name, (wish, is_now) in pairs.items() if wish != is_now]
    if not different:
        return None
    return Problem(
        Reason.IMMUTABLE_FIELD_CONFLICT,
        f"The key {seen.key_id} cannot become what the spec asks for: {'; '.join(different)}. Set the spec back, or make a new KMSKey.",
    )


def _ambiguous(keys: tuple[ObservedKey, ...]) -> Problem:
    names = ", ".join(sorted(k.key_id for k in keys))
    return Problem(
        Reason.AMBIGUOUS_KEY,
        f"Several keys carry this object's owner tags: {names}. Remove the tags from those that shall not be this object's key.",
    )


def _stop(key: KeyObject, problem: Problem, operator: Operator, now: datetime, **fields: object) -> Plan:
    """Nothing is done until somebody acts; a look now and then finds out whether they did."""
    look_again = LATER if problem.stalled else PATIENCE
    return Plan((), report(key, operator, degraded(key, problem), now, **fields), look_again)
