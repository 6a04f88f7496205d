"""plan_kmsgrant: what to do for one KMSGrant, from the grants on its target and on the keys on which it made grants before.

Rules:
1. KMS cannot change a grant. One that is wanted otherwise, or on another key, is made anew first, and the old one revoked then.
2. Ours is a grant that the status remembers: by its id, or, where the answer to CreateGrant was lost, by key, name and the hash of what it
   says, which are written down before the call. KMS answers the repetition of that call with the grant that there is. No other is revoked.
3. A grant that says the same under the same name, and that was there before we asked for ours, is as declared; it stays when the object goes.
4. An id that is no longer wanted is revoked also where it was not seen: a late list must not leave a right behind. A grant that was asked
   for and is never seen is waited for during `create_grace` before it is forgotten.
5. A key that is disabled takes no grants: the new one waits, and the old one with it.

The name of a grant without one is made of the uid alone, not of what the grant says: so the old and the new one have it in common.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from reconcilers.actions import CreateGrant, DependentAction, GrantChange, RevokeGrant
from reconcilers.after import after
from reconcilers.dependents import (
    PATIENCE,
    DependentObject,
    DependentPlan,
    change,
    changed_lately,
    moved_away,
    place,
    plan_unled,
    protect,
    release,
    report,
    settled,
    stop,
    undo,
)
from reconcilers.grant_operations import unsupported
from reconcilers.grants import TAKES_GRANTS, digest, found_grants, named_grant
from reconcilers.kmsgrant_fields import KMSGrantSpec, KMSGrantStatus, MadeGrant
from reconcilers.names import KMSGRANT_FINALIZER
from reconcilers.reasons import Reason
from reconcilers.reports import working
from reconcilers.states import Grant, Missing, ObservedKey, Operator, Problem, Unobservable
from reconcilers.targets import Way, unusable

NOT_OURS = "The grant was there before this object, and stays when this object goes."

GrantObject = DependentObject[KMSGrantSpec, KMSGrantStatus]
GrantPlan = DependentPlan[KMSGrantStatus]
Made = tuple[MadeGrant, ...]


@dataclass(frozen=True, slots=True)
class GrantSight:
    """target: None where it was not asked for. keys: by ARN, those on which the object made grants, and the target."""

    target: ObservedKey | Missing | None
    keys: Mapping[str, ObservedKey | Missing]


def keys_of(status: KMSGrantStatus) -> frozenset[str]:
    """The ARNs of the keys on which the object may have grants."""
    return frozenset(made.key_arn for made in status.grants)


def after_grant(seen: GrantSight, action: GrantChange, answer: Mapping[str, str]) -> GrantSight:
    """What is known once KMS has answered."""
    key = seen.keys[action.key]
    assert isinstance(key, ObservedKey)  # nothing is done to a key that was not seen
    return GrantSight(seen.target, {**seen.keys, action.key: after(key, action, answer)})


def plan_kmsgrant(obj: GrantObject, way: Way, seen: GrantSight, operator: Operator, now: datetime) -> GrantPlan:
    """What to do for this object, whose target can be reached."""
    elsewhere = moved_away(obj, way) if obj.status.grants else None
    problem = elsewhere or _unreadable(seen)
    if obj.deleting:
        return plan_unled(obj, problem, now) if problem else _undo(obj, seen, operator, now)
    assert seen.target is not None
    problem = problem or unusable(seen.target, way, operator.cluster_id, now)
    if problem is not None or isinstance(seen.target, Missing):
        return stop(obj, problem or Problem(Reason.TARGET_GONE, ""), now)
    target = seen.keys[seen.target.arn]
    assert isinstance(target, ObservedKey)
    return _keep(obj, way, seen, target, operator, now)


def _keep(obj: GrantObject, way: Way, seen: GrantSight, target: ObservedKey, operator: Operator, now: datetime) -> GrantPlan:
    wanted = named_grant(obj.spec.name or f"kmsgrant-{obj.uid}", obj.spec)
    if (strange := _unsupported(wanted, target)) is not None:
        return stop(obj, strange, now)
    wish, made = MadeGrant(name=wanted.name, hash=digest(wanted), key_arn=target.arn), _identified(obj.status.grants, seen)
    there = _there(wish, wanted, target, made)
    where = place(way, target.key_id)
    if there is None and target.state not in TAKES_GRANTS:
        message = f"The key is {target.state}, and takes no grants: this follows once it is enabled."
        return stop(obj, Problem(Reason.KEY_DISABLED, message), now)
    due: list[DependentAction] = [] if there else [CreateGrant(target.arn, wanted)]
    due += _stale(made, wish, there, seen)
    if due:
        is_new = there is None and not _asked_for(wish, made)
        ahead = (*made, wish.model_copy(update={"asked_at": now})) if is_new else made
        return change(obj, (*protect(obj, KMSGRANT_FINALIZER), *due), now, {"grants": ahead, **where})
    ours = (wish.model_copy(update={"grant_id": there}),) if _asked_for(wish, made) else ()
    awaited = _awaited(obj, made, wish, seen, operator, now)
    known = {**where, "grants": (*awaited, *ours), "grant_id": there}
    plan = _done(obj, known, now) if ours else settled(obj, NOT_OURS, now, **known)
    return replace(plan, look_again=PATIENCE) if awaited else plan


def _done(obj: GrantObject, known: dict[str, Any], now: datetime) -> GrantPlan:
    """The grant is there, and ours."""
    protection = protect(obj, KMSGRANT_FINALIZER)
    return change(obj, protection, now, known) if protection else settled(obj, "The grant is as declared.", now, **known)


def _undo(obj: GrantObject, seen: GrantSight, operator: Operator, now: datetime) -> GrantPlan:
    made = _identified(obj.status.grants, seen)
    if due := tuple(_stale(made, None, None, seen)):
        return undo(obj, due, {"grants": made})
    if _awaited(obj, obj.status.grants, None, seen, operator, now):
        message = "KMS does not show a grant that was asked for, or its key, everywhere yet: waiting for it before the object goes."
        return DependentPlan((), report(obj, working(Reason.DELETING, message), now), PATIENCE)
    return release(obj, "its grants are revoked")


def _unsupported(wanted: Grant, target: ObservedKey) -> Problem | None:
    in_context = bool(wanted.context_equals or wanted.context_subset)
    strange = unsupported(wanted.operations, target.key_spec, target.key_usage, in_context=in_context)
    if strange is None:
        return None
    return Problem(Reason.UNSUPPORTED_OPERATIONS, f"{strange} Correct the spec, or give it another target.")


def _identified(made: Made, seen: GrantSight) -> Made:
    """With the ids of those that were only asked for and have shown since."""
    shown = ((one, next(iter(_ids(one, seen.keys.get(one.key_arn))), one.grant_id)) for one in made)
    return tuple(one if one.grant_id else one.model_copy(update={"grant_id": grant_id}) for one, grant_id in shown)


def _unreadable(seen: GrantSight) -> Problem | None:
    hidden = (key.grants for key in seen.keys.values() if isinstance(key, ObservedKey) and isinstance(key.grants, Unobservable))
    return next((Problem(grants.reason, grants.message) for grants in hidden), None)


def _there(wish: MadeGrant, wanted: Grant, target: ObservedKey, made: Made) -> str | None:
    """The id of the grant that says what is wanted. By memory first: AWS may show a principal under another name than it was given."""
    found = found_grants(target)
    known = (one.grant_id for one in made if _same(one, wish))
    alike = (grant_id for grant_id, grant in sorted(found.items()) if grant == wanted)
    return next((grant_id for grant_id in (*known, *alike) if grant_id is not None and found.get(grant_id) is not None), None)


def _stale(made: Made, wish: MadeGrant | None, there: str | None, seen: GrantSight) -> list[RevokeGrant]:
    """The grants of ours that are not wanted and not known to be gone. Of those that say what is wanted, one is enough."""
    ids = {
        (one.key_arn, grant_id): one.name
        for one in made
        for grant_id in _ids(one, seen.keys.get(one.key_arn))
        if wish is None or not _same(one, wish) or (there not in (None, grant_id) and _is_seen(grant_id, seen.keys[one.key_arn]))
    }
    return [RevokeGrant(key_arn, grant_id, name) for (key_arn, grant_id), name in sorted(ids.items())]


def _is_seen(grant_id: str, key: ObservedKey | Missing) -> bool:
    return isinstance(key, ObservedKey) and found_grants(key).get(grant_id) is not None


def _ids(one: MadeGrant, key: ObservedKey | Missing | None) -> list[str]:
    """The ids that are meant. A grant that is found as None is known to be revoked, and one on a key that is gone is gone with it."""
    if not isinstance(key, ObservedKey):
        return []
    found = found_grants(key)
    if one.grant_id is not None:
        return [] if one.grant_id in found and found[one.grant_id] is None else [one.grant_id]
    there = ((grant_id, grant) for grant_id, grant in found.items() if grant is not None)
    return [grant_id for grant_id, grant in there if (grant.name, digest(grant)) == (one.name, one.hash)]


def _awaited(
    obj: GrantObject, made: Made, wish: MadeGrant | None, seen: GrantSight, operator: Operator, now: datetime
) -> Made:
    """What was made or asked for, was not seen and is not wanted, and may still show: itself, or the key that it is on."""
    unwanted = [one for one in made if wish is None or not _same(one, wish)]
    on_late_keys = [one for one in unwanted if isinstance(seen.keys.get(one.key_arn), Missing) and changed_lately(obj, now)]
    asked_for = [
        one
        for one in unwanted
        if one.grant_id is None and isinstance(seen.keys.get(one.key_arn), ObservedKey)
        if one.asked_at is not None and now - one.asked_at < operator.create_grace
    ]
    return (*on_late_keys, *asked_for)


def _asked_for(wish: MadeGrant, made: Made) -> bool:
    return any(_same(one, wish) for one in made)


def _same(one: MadeGrant, other: MadeGrant) -> bool:
    return (one.key_arn, one.name, one.hash) == (other.key_arn, other.name, other.hash)
