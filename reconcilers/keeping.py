"""A key that exists and is the object's: what differs is set right, what leaves is done in order, and then it is said how the key is.

The order: prove that the key is ours; claim it where it is a predecessor's; the writes of repairs.py; the replicas; a rotation on demand;
the export. Each comes when nothing of the former is left to do, and is found again by the next plan.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reconcilers.actions import (
    Action,
    CancelKeyDeletion,
    EnableKey,
    Plan,
    RotateKeyOnDemand,
    TagResource,
)
from reconcilers.adoption import as_it_is, left_disabled
from reconcilers.conditions import Finding, Progress, Verdict
from reconcilers.drift import Drift, find_drift, reached
from reconcilers.exports import export
from reconcilers.grants import grants_wait
from reconcilers.hindrances import hindrance
from reconcilers.lag import shows_not_yet
from reconcilers.memory import ahead, kept
from reconcilers.older_operator import never_filled
from reconcilers.on_demand import on_demand, rotation_fields, was_refused
from reconcilers.ownership import belongs, owned, owner_tags
from reconcilers.parts import parts, wished
from reconcilers.policy_findings import policy_status
from reconcilers.primaries import primary_region, rotation_out_of_sight
from reconcilers.reasons import Reason
from reconcilers.refusals import put_refusal
from reconcilers.repairs import PENDING_DELETION, UNSETTLED, repairs, rotation_waits
from reconcilers.replica_regions import Scene
from reconcilers.replicas import held_back, plan_replicas
from reconcilers.reports import available, blocked, degraded, report, seen_fields, working
from reconcilers.states import (
    KeyObject,
    ObservedKey,
    Operator,
    Problem,
    Unobservable,
    Wanted,
)
from reconcilers.stops import finalizer, immutable_conflict, stop, wait_for_kms
from reconcilers.waits import LATER

_PENDING = (
    "Somebody scheduled the key's deletion in AWS, and spec.driftPolicy or spec.ignoreDrift leaves it so: its data is lost when the window "
    "ends. Cancel the deletion in AWS, or set driftPolicy: Correct and take deletionState out of ignoreDrift."
)


def keep(key: KeyObject, wanted: Wanted, seen: ObservedKey, operator: Operator, now: datetime) -> Plan:
    """The key exists: first prove that it is ours, then set right what differs, then say how it is."""
    if shows_not_yet(key, seen, now):
        return wait_for_kms(key, operator, now)
    wanted = as_it_is(key, wanted, seen)
    problem = _not_ours(key, seen, operator) or immutable_conflict(wanted, seen)
    if problem is not None:
        return stop(key, problem, operator, now, **({} if never_filled(key.status) else seen_fields(key.status, seen)))
    drift, due, drifted = _differences(key, wanted, seen, operator, now)
    if refused := put_refusal(wanted, due):
        return stop(key, refused, operator, now, **seen_fields(key.status, seen), **drifted)
    elsewhere = plan_replicas(Scene(key, wanted, seen, operator, now), is_ours=owned(key, seen, operator.cluster_id))
    due = (*finalizer(key), *held_back(due, elsewhere))
    if due:
        return replace(_repair(key, wanted, seen, due, operator, now, **drifted), corrections=drift.corrections(due))
    fields = seen_fields(key.status, seen) | kept(key.status, wanted, seen, key.late_names) | rotation_fields(key, seen) | drifted
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
    delays = [look_again, elsewhere.look_again]
    for waits in (step, told):
        if waits and waits.problem:
            delays.append(waits.look_again)
            verdict = _waiting(verdict, waits.problem) if verdict.synced and verdict.synced.holds else verdict
    soonest = min((delay for delay in delays if delay is not None), default=None)
    return Plan((), report(key, operator, elsewhere.on(key, verdict), now, **fields), soonest)


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
    status = report(key, operator, _updating(key), now, **seen_fields(key.status, seen), **memory, **drifted)
    return Plan(due, status, write_ahead=news)


def _updating(key: KeyObject) -> Verdict:
    return degraded(key, Problem(Reason.UPDATING, "The key is being made as declared.", stalled=False))


def _rotate(key: KeyObject, rotate: RotateKeyOnDemand, fields: dict[str, Any], operator: Operator, now: datetime) -> Plan:
    """By itself, when all else is done: between the attempt that is written down and the call nothing may come in the way."""
    fields |= {"rotation_attempt": rotate.attempt}
    if was_refused(key) and key.status.observed_generation == key.generation:
        fields["conditions"] = key.status.conditions  # another try after a refusal is no news until it succeeds
    verdict = working(Reason.UPDATING, "The key is being rotated.")
    return Plan((rotate,), report(key, operator, verdict, now, **fields), write_ahead=True)


def _export(key: KeyObject, due: tuple[Action, ...], fields: dict[str, Any], operator: Operator, now: datetime) -> Plan:
    """Last, because it tells of what the other actions have made."""
    verdict = degraded(key, Problem(Reason.UPDATING, "What the key is exported to is being written.", stalled=False))
    ahead = key.status.key_id is None or fields["exported"] != key.status.exported
    return Plan(due, report(key, operator, verdict, now, **fields), write_ahead=ahead)


def _waiting(settled: Verdict, problem: Problem) -> Verdict:
    """A disabled key is as declared; what it does not take while it is disabled waits beside that."""
    if problem.reason is not Reason.KEY_DISABLED:
        return blocked(problem)
    return Verdict(settled.ready, Finding(False, problem.reason, problem.message), Progress.SETTLED)


def _verdict(key: KeyObject, wanted: Wanted, seen: ObservedKey, drift: Drift) -> tuple[Verdict, timedelta | None]:
    """The key needs no write. Is it as declared, or what does it wait for?"""
    if seen.state in PENDING_DELETION:
        return blocked(Problem(Reason.KEY_PENDING_DELETION, _PENDING)), LATER
    if (found := hindrance(wanted, seen, drift.held)) is not None:
        problem, look_again = found
        return degraded(key, problem), look_again
    if (away := rotation_out_of_sight(wanted, seen)) is not None:
        return degraded(key, away), LATER
    if (left := left_disabled(key, seen)) is not None:
        return blocked(left), None
    settled = available(wanted.enabled, primary_region(seen))
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
