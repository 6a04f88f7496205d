"""plan_kmsalias: what to do for one KMSAlias, from where its name leads and what its target is like.

Rules:
1. An alias has no tags, so only the status can tell that it is ours: the keys on which this object puts it are written down ahead (placedOn).
   Ours is an alias that leads to one of these. No other is ever moved or deleted.
2. An alias that leads to a key on which this object never put it is an AliasConflict. One that leads to the target already, without our
   doing, is as declared, and is left where it is when the object goes. One that another object has made, or names in its spec, is that
   object's: the later of the two is told so.
3. A move keeps the name leading somewhere at all times (UpdateAlias) where KMS can do that: between keys of the same type and usage. Else
   the name is freed and made anew; both keys are written down before, so a crash in between loses neither the name nor the claim to it.
4. Nothing is put on a key that is to be deleted, and nothing keeps a deleted object but its own alias.

Not promised: that an alias is deleted whose object lost its status; and that nobody moves it between our look and our DeleteAlias.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reconcilers.actions import CreateAlias, DeleteAlias, DependentAction, UpdateAlias
from reconcilers.alias_fields import MAX_PLACES, KMSAliasSpec, KMSAliasStatus
from reconcilers.aliases import alias_names
from reconcilers.dependents import (
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
from reconcilers.names import KMSALIAS_FINALIZER
from reconcilers.reasons import Reason
from reconcilers.reports import working
from reconcilers.states import KeyObject, Missing, ObservedKey, Problem, Unobservable
from reconcilers.targets import Way, unusable
from reconcilers.waits import SOON

NEVER_TAKEN = "It is never taken from another key: choose another aliasName, or delete that alias."

AliasObject = DependentObject[KMSAliasSpec, KMSAliasStatus]
AliasPlan = DependentPlan[KMSAliasStatus]


@dataclass(frozen=True, slots=True)
class AliasSight:
    """holder: the key that the alias leads to, None where there is no such alias. target: None where it was not asked for."""

    holder: ObservedKey | Unobservable | None
    target: ObservedKey | Missing | None = None
    rivals: tuple[str, ...] = ()  # other objects, in words, that have made this alias or name it
    freed: bool = False  # the alias was deleted just now


@dataclass(frozen=True, slots=True)
class AliasUser:
    """As much of another object as tells whether it has an alias. place: account and region."""

    told: str
    place: tuple[str | None, str | None]
    aliases: frozenset[str]  # whole names


def alias_of(spec: KMSAliasSpec) -> str:
    """The whole name."""
    (alias,) = alias_names([spec.alias_name])
    return alias


def rivals(alias: str, way: Way, users: Iterable[AliasUser]) -> tuple[str, ...]:
    """Those of the users that have this alias in the account and region that the way leads to."""
    here = (way.account.account_id, way.account.region)
    return tuple(sorted(user.told for user in users if user.place == here and alias in user.aliases))


def unclaimed(key: KeyObject) -> frozenset[str]:
    """The aliases that a KMSKey names in its spec and has not made, as far as it remembers."""
    return alias_names(key.spec.aliases or ()) - alias_names(key.status.aliases)


def claimed(seen: ObservedKey, wishes: frozenset[str], claims: Mapping[str, str]) -> ObservedKey:
    """The key of a KMSKey whose wishes lead to it by a KMSAlias's doing: they lead elsewhere, as far as the KMSKey is concerned.

    claims: who has put which alias there, in words.
    """
    if not isinstance(seen.aliases, Mapping):
        return seen
    taken = {alias for alias in wishes & claims.keys() if seen.aliases.get(alias) == seen.arn}
    others = {alias: f"this key, where {claims[alias]} has put it" for alias in taken}
    return replace(seen, aliases={**seen.aliases, **others}) if taken else seen


def is_own(obj: AliasObject, seen: AliasSight) -> bool:
    """Whether the alias, or the place where it was, is this object's by its own memory: then it has no rivals."""
    placed_on = obj.status.placed_on
    return bool(placed_on) if seen.holder is None else isinstance(seen.holder, ObservedKey) and seen.holder.arn in placed_on


def plan_kmsalias(obj: AliasObject, way: Way, seen: AliasSight, cluster_id: str, now: datetime) -> AliasPlan:
    """What to do for this object, whose target can be reached."""
    elsewhere = moved_away(obj, way) if obj.status.placed_on else None
    if obj.deleting:
        return plan_unled(obj, elsewhere, now) if elsewhere else _free(obj, seen, now)
    assert seen.target is not None
    problem = elsewhere or unusable(seen.target, way, cluster_id, now)
    if problem is not None or isinstance(seen.target, Missing):
        return stop(obj, problem or Problem(Reason.TARGET_GONE, ""), now)
    return _keep(obj, way, seen, seen.target, now)


def after_alias(seen: AliasSight, action: CreateAlias | UpdateAlias | DeleteAlias) -> AliasSight:
    """What is known once KMS has answered."""
    if isinstance(action, DeleteAlias):
        return replace(seen, holder=None, freed=True)
    assert isinstance(seen.target, ObservedKey)
    return replace(seen, holder=seen.target)


def _keep(obj: AliasObject, way: Way, seen: AliasSight, target: ObservedKey, now: datetime) -> AliasPlan:
    if (conflict := _conflict(obj, seen, target)) is not None:
        return stop(obj, conflict, now)
    alias, where = alias_of(obj.spec), place(way, target.key_id)
    if due := _changes(alias, seen, target):
        ahead = {"placed_on": _placed(obj.status.placed_on, seen, target), **where}
        return change(obj, (*protect(obj, KMSALIAS_FINALIZER), *due), now, ahead)
    where |= {"alias_arn": f"{target.arn.rpartition(':')[0]}:{alias}"}
    if target.arn not in obj.status.placed_on:
        message = f"{alias} leads to {target.key_id} without this object's doing, and stays when this object goes."
        return settled(obj, message, now, **where)
    where |= {"placed_on": _placed(obj.status.placed_on, seen, target)}
    if protection := protect(obj, KMSALIAS_FINALIZER):
        return change(obj, protection, now, where)
    return settled(obj, f"{alias} leads to {target.key_id}.", now, **where)


def _conflict(obj: AliasObject, seen: AliasSight, target: ObservedKey) -> Problem | None:
    holder = seen.holder
    if isinstance(holder, Unobservable):
        return Problem(holder.reason, f"{holder.message}. {NEVER_TAKEN}")
    if holder is not None and holder.arn not in (*obj.status.placed_on, target.arn):
        return Problem(Reason.ALIAS_CONFLICT, f"{alias_of(obj.spec)} leads to {holder.arn}. {NEVER_TAKEN}")
    if seen.rivals and not is_own(obj, seen):
        who = " and ".join(seen.rivals)
        return Problem(Reason.ALIAS_CONFLICT, f"{alias_of(obj.spec)} belongs to {who}. Choose another aliasName, or remove it there.")
    return None


def _changes(alias: str, seen: AliasSight, target: ObservedKey) -> tuple[DependentAction, ...]:
    holder = seen.holder
    if not isinstance(holder, ObservedKey):
        return (CreateAlias(target.arn, alias),)
    if holder.arn == target.arn:
        return ()
    if _type(holder) == _type(target):
        return (UpdateAlias(target.arn, alias, holder.arn),)
    return (DeleteAlias(holder.arn, alias), CreateAlias(target.arn, alias))


def _type(key: ObservedKey) -> tuple[str, str]:
    """UpdateAlias: "The current and new KMS key must be the same type (both symmetric or both asymmetric or both HMAC)", and the same usage."""
    if key.key_spec == "SYMMETRIC_DEFAULT":
        return "symmetric", key.key_usage
    return "HMAC" if key.key_spec.startswith("HMAC_") else "asymmetric", key.key_usage


def _placed(before: tuple[str, ...], seen: AliasSight, target: ObservedKey) -> tuple[str, ...]:
    """The target last, and before it the key that the alias leads to now."""
    now_on = (seen.holder.arn,) if isinstance(seen.holder, ObservedKey) and seen.holder.arn != target.arn else ()
    earlier = (arn for arn in before if arn not in (*now_on, target.arn))
    return (*earlier, *now_on, target.arn)[-MAX_PLACES:]


def _free(obj: AliasObject, seen: AliasSight, now: datetime) -> AliasPlan:
    holder = seen.holder
    if isinstance(holder, Unobservable):
        return plan_unled(obj, Problem(holder.reason, f"{holder.message}."), now)
    if holder is None and not seen.freed and changed_lately(obj, now):
        message = "The alias does not show; it may be too new to be seen everywhere."
        return DependentPlan((), report(obj, working(Reason.DELETING, message), now), SOON)
    if holder is None:
        return release(obj, "its alias is gone")
    if holder.arn not in obj.status.placed_on:
        return release(obj, "its alias leads to a key on which this object did not put it")
    return undo(obj, (DeleteAlias(holder.arn, alias_of(obj.spec)),))
