"""What happens to the key when its object is deleted, and when the object may go.

Rules:
1. Retain makes no AWS call: it works with no provider left.
2. The object goes as soon as the key is dealt with: scheduled, disabled or gone. It never waits for KMS's window.
3. The finalizer is removed only when what was seen proves that nothing is left to do; a planned call is no proof. That a new key does not show
   is none for twice as long as elsewhere: our clock may be ahead of KMS's, by which the key's age is told.
4. A key that is not provably this object's is left alone, and the object stays until somebody decides.
5. Our aliases are freed before the key goes, also one that somebody else has scheduled already. DisableKey and Retain leave them.
   ForceDelete also revokes our grants; else they end with the key, which nobody can use meanwhile. Imported material it deletes at once.
6. Replicas go before the key: leaving.py. Where the key itself is gone, what is left of it elsewhere holds the object, and nothing is written
   to it, not even to its aliases: the plan has no key there to begin from.
7. A creation whose result is unknown is searched for first: a key made by it must not be left behind unseen.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from reconcilers.actions import Action, DeleteAlias, DisableKey, Plan, RecordKey, RemoveFinalizer, ScheduleKeyDeletion
from reconcilers.aliases import hidden, ours_by_spec
from reconcilers.arns import id_of, region_of
from reconcilers.disposal import disposal, seems_disposed_of
from reconcilers.fields import DeletionPolicy
from reconcilers.grants import to_revoke
from reconcilers.lag import SKEW, shows_not_yet
from reconcilers.leaving import Leaving, leaving
from reconcilers.materials import to_destroy
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.ownership import claimable, owned
from reconcilers.reasons import Reason
from reconcilers.refusals import elsewhere, leads_elsewhere
from reconcilers.repairs import UNSETTLED
from reconcilers.reports import blocked, report, seen_fields, working
from reconcilers.searches import first_unreadable, grace_is_over, not_proved, nothing_was_made, proves_none, search_delay
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
)
from reconcilers.waits import AGAIN, LATER, SOON
from reconcilers.wanted import deletion_policy, window_in_days

_BY_HAND: Mapping[type[Action], str] = {ScheduleKeyDeletion: "schedule-key-deletion", DisableKey: "disable-key"}
LET_GO = "Or set spec.deletionPolicy: Retain to let go of the key as it is."


def plan_deletion(key: KeyObject, account: Account | Unobservable, seen: Seen, operator: Operator, now: datetime) -> Plan:
    """The plan for an object with a deletion timestamp."""
    if (early := plan_deletion_unseen(key, account, operator, now)) is not None:
        return early
    match seen:
        case NotCreated():
            return _release(key, "it never had a key")
        case Offered():
            return plan_deletion(key, account, seen.otherwise, operator, now)
        case Candidates():
            return _find(key, seen, operator, now)
        case Missing() | ObservedKey() if shows_not_yet(key, seen, now - SKEW if isinstance(seen, Missing) else now):
            message = "KMS does not show the new key everywhere yet."
            return Plan((), report(key, operator, working(Reason.DELETING, message), now), look_again=SOON)
        case Missing():
            return _leave_lost(key, seen, operator, now)
        case Unobservable():
            return _block(key, f"The key cannot be seen: {seen.message}", operator, now)
        case ObservedKey():
            return _dispose(key, seen, operator, now)


def plan_retained(key: KeyObject, operator: Operator) -> Plan | None:
    """The plan for an object that goes without a look at provider or AWS; None for any other."""
    if KMSKEY_FINALIZER not in key.finalizers:
        return Plan((), key.status)
    if deletion_policy(key, operator) is DeletionPolicy.RETAIN:
        return _release(key, "its key is retained")
    return None


def plan_deletion_unseen(key: KeyObject, account: Account | Unobservable, operator: Operator, now: datetime) -> Plan | None:
    """The plan where AWS need not, or cannot, be asked; None when the key is to be observed first."""
    if (retained := plan_retained(key, operator)) is not None:
        return retained
    if key.status.key_id is None and nothing_was_made(key):
        return _release(key, "it never had a key")
    if isinstance(account, Unobservable):
        return _block(key, f"The key cannot be reached: {account.message}", operator, now)
    if leads_elsewhere(key, account):
        return _block(key, elsewhere(key, account), operator, now)
    return None


def _find(key: KeyObject, seen: Candidates, operator: Operator, now: datetime) -> Plan:
    ours = tuple(candidate for candidate in seen.keys if owned(key, candidate, operator.cluster_id))
    if len(ours) == 1:
        verdict = working(Reason.DELETING, f"The key {ours[0].key_id} was found by its owner tags.")
        return Plan((RecordKey(ours[0]),), report(key, operator, verdict, now))
    if ours:
        names = ", ".join(sorted(k.key_id for k in ours))
        return _block(
            key, f"Several keys carry this object's owner tags: {names}. Remove them from those that shall stay.", operator, now
        )
    if unreadable := first_unreadable(seen):
        return _block(key, unreadable.message, operator, now)
    if proves_none(key, seen, operator):
        return _release(key, "it has no key")
    message = "CreateKey was sent and its answer lost: looking for the key before the object goes."
    if grace_is_over(key, operator):
        why = not_proved(key, seen)
        if why.stalled:
            return _block(key, why.message, operator, now)
        message = why.message
    return Plan((), report(key, operator, working(Reason.CREATION_UNKNOWN, message), now), look_again=search_delay(key, operator))


def _dispose(key: KeyObject, seen: ObservedKey, operator: Operator, now: datetime) -> Plan:
    if isinstance(seen.tags, Unobservable):
        return _block(key, seen.tags.message, operator, now)
    if not (owned(key, seen, operator.cluster_id) or claimable(key, seen, operator.cluster_id)):
        message = f"The owner tags of the key {seen.key_id} do not name this object, so it is not touched."
        return _block(key, message, operator, now)
    if seen.state in UNSETTLED:
        message = f"KMS reports the key as {seen.state}; this passes within seconds."
        return Plan((), report(key, operator, working(Reason.DELETING, message), now, **seen_fields(key.status, seen)), look_again=SOON)
    policy = deletion_policy(key, operator)
    if isinstance(seen.aliases, Unobservable) and policy is not DeletionPolicy.DISABLE_KEY:
        return _block(key, f"Its aliases cannot be seen, so they cannot be freed: {seen.aliases.message}", operator, now)
    if policy is not DeletionPolicy.DISABLE_KEY and (late := hidden(key, seen, ours_by_spec(key))):
        message = f"KMS does not show {', '.join(late)} everywhere yet, which is to be freed with the key."
        return Plan((), report(key, operator, working(Reason.DELETING, message), now, **seen_fields(key.status, seen)), look_again=SOON)
    replicas = leaving(key, seen, policy, operator, now)
    due = _in_order(key, seen, policy, replicas.due)
    if due:
        return _act(key, seen, due, operator, now)
    disabled = policy is DeletionPolicy.DISABLE_KEY
    why = f"its key is {seen.state}" if disabled else "its key's deletion is scheduled"
    return _held_up(key, replicas, operator, now) or _release(key, why)


def _leave_lost(key: KeyObject, seen: Missing, operator: Operator, now: datetime) -> Plan:
    """A key that is gone may have been a replica, since somebody moved the primary: that would cost a dollar a month for ever."""
    policy = deletion_policy(key, operator)
    left = leaving(key, seen, policy, operator, now)
    gone = {one.arn for one in seen.replicas.values() if isinstance(one, ObservedKey) and seems_disposed_of(one, policy)}
    there = [(action, _BY_HAND[type(action)]) for action in left.due if type(action) in _BY_HAND and action.key not in gone]
    if there:
        commands = "; ".join(f"aws kms {verb} --region {region_of(action.key)} --key-id {id_of(action.key)}" for action, verb in there)
        regions = ", ".join(region_of(action.key) for action, _ in there)
        message = f"The key is gone, but not from {regions}. What the deletion policy says is to be done there: {commands}."
        return _block(key, message, operator, now)
    return _held_up(key, left, operator, now) or _release(key, "its key is gone")


def _held_up(key: KeyObject, replicas: Leaving, operator: Operator, now: datetime) -> Plan | None:
    """By replicas that cannot be dealt with now."""
    if replicas.blocked:
        return _block(key, " ".join(replicas.blocked), operator, now)
    if told := " ".join((*replicas.waits, *replicas.unseen)):
        return Plan((), report(key, operator, working(Reason.DELETING, told), now), look_again=AGAIN if replicas.unseen else SOON)
    return None


def _in_order(key: KeyObject, seen: ObservedKey, policy: DeletionPolicy, of_replicas: Iterable[Action]) -> tuple[Action, ...]:
    """Aliases, grants, the replicas, and the key itself last."""
    own = disposal(seen, policy, ours_by_spec(key), window_in_days(key, policy))
    free = [action for action in own if isinstance(action, DeleteAlias)]
    force: list[Action] = []
    if policy is DeletionPolicy.FORCE_DELETE:
        force = [*to_revoke(seen, key.status.grants), *to_destroy(seen)]
    return (*free, *of_replicas, *force, *own[len(free) :])


def _act(key: KeyObject, seen: ObservedKey, due: Iterable[Action], operator: Operator, now: datetime) -> Plan:
    """A key that was only just found is remembered before it is touched."""
    status = report(key, operator, working(Reason.DELETING, "The deletion policy is being applied."), now, **seen_fields(key.status, seen))
    return Plan(tuple(due), status, write_ahead=key.status.key_id != seen.key_id)


def _release(key: KeyObject, why: str) -> Plan:
    return Plan((RemoveFinalizer(why),), key.status)


def _block(key: KeyObject, message: str, operator: Operator, now: datetime) -> Plan:
    problem = Problem(Reason.DELETION_BLOCKED, f"{message} {LET_GO}")
    return Plan((), report(key, operator, blocked(problem), now), look_again=LATER)
