"""plan_kmskey: what to do for one KMSKey, from what was seen. The heart of the operator, and pure.

How it is used: observe, plan, apply the actions in order, fold each answer into the observation (`after`), plan again; when no action is
left, report the status. A pass may die between any two awaits: the next one plans from what it then sees, and does the rest.

Rules:
1. How an object comes to its key stands in creation.py, how the key is kept in keeping.py.
2. A key id, once remembered, is never replaced. AWS saying that the key is missing makes the object KeyLost, and nothing is made anew
   unless the user asks for it by the key's id (recreation.py).
3. No write goes to a key whose owner tags do not name this object, or its predecessor of the same name (ownership.py).
4. A spec that is refused changes nothing; what it costs the key nevertheless: refused.py.
5. Whoever reads this to find out what happens to an object that is being deleted: deletion.py.

It does not promise that KMS shows at once what was written: KMS is eventually consistent. A late read costs a repeated write, no more, and
echoes.py keeps most of them away.
"""

from datetime import datetime

from reconcilers.actions import (
    Plan,
)
from reconcilers.creation import adopt, make, resolve
from reconcilers.deletion import plan_deletion, plan_deletion_unseen, plan_retained
from reconcilers.holds import plan_held
from reconcilers.keeping import keep
from reconcilers.lag import shows_not_yet
from reconcilers.observing import plan_observed
from reconcilers.recreation import left_elsewhere, lost
from reconcilers.refusals import refusal
from reconcilers.refused import may_be_seen, plan_refused
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
from reconcilers.stops import has_lasted, stop, wait_for_kms
from reconcilers.wanted import wanted_key


def plan_kmskey(key: KeyObject, account: Account | Unobservable, seen: Seen, operator: Operator, now: datetime) -> Plan:
    """What to do for this object. account: where its provider leads, or why it leads nowhere. now: aware."""
    if (held := plan_held(key, operator, now)) is not None:
        return held
    if key.deleting:
        return plan_deletion(key, account, seen, operator, now)
    wanted = _wanted(key, account, operator, now)
    if isinstance(wanted, Problem):
        return plan_refused(key, account, seen, wanted, operator, now)
    if key.spec.observes:
        return plan_observed(key, seen, operator, now)
    match seen:
        case Offered():
            return adopt(key, wanted, seen, operator, now)
        case NotCreated():
            return make(key, wanted, seen.earlier, operator, now)
        case Candidates():
            return resolve(key, wanted, seen, operator, now)
        case Missing():
            return _missing(key, seen, operator, now)
        case Unobservable():
            return stop(key, Problem(seen.reason, seen.message), operator, now)
        case ObservedKey():
            return keep(key, wanted, seen, operator, now)


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
    return stop(key, wanted, operator, now) if isinstance(wanted, Problem) and not may_be_seen(key, account) else None


def _wanted(key: KeyObject, account: Account | Unobservable, operator: Operator, now: datetime) -> Wanted | Problem:
    if isinstance(account, Unobservable):
        return Problem(account.reason, account.message, stalled=has_lasted(key, account.reason, now))
    wanted = wanted_key(key, account, operator)
    return refusal(key, account, wanted, operator) or wanted


def _missing(key: KeyObject, seen: Missing, operator: Operator, now: datetime) -> Plan:
    if shows_not_yet(key, seen, now):
        return wait_for_kms(key, operator, now)
    return stop(key, lost(key, left_elsewhere(key, seen, operator.cluster_id)), operator, now, ready=False, key_state=None)
