"""A key that lives under a spec that is refused: nothing of the spec is carried out, and yet the key is not lost over it.

Rules:
1. The key is looked at, so that its state in AWS is told while the spec waits for somebody.
2. A deletion that somebody scheduled is cancelled, and the key enabled again, unless the drift policy says that others may do so. Nothing
   else is written: what else differs may be what is wrong with the spec.

Not promised: any of this for a key in another account or region than its provider leads to, nor for a spec that cannot be read at all.
"""

from dataclasses import replace
from datetime import datetime

from reconcilers.actions import CancelKeyDeletion, EnableKey, Plan
from reconcilers.adoption import as_it_is
from reconcilers.drift import find_drift
from reconcilers.ownership import owned
from reconcilers.parts import parts, wished
from reconcilers.refusals import leads_elsewhere
from reconcilers.repairs import repairs
from reconcilers.reports import degraded, report, seen_fields
from reconcilers.states import Account, KeyObject, ObservedKey, Operator, Problem, Seen, Unobservable
from reconcilers.stops import stop
from reconcilers.wanted import wanted_key


def may_be_seen(key: KeyObject, account: Account | Unobservable) -> bool:
    """Whether the object remembers a key where its provider leads."""
    return isinstance(account, Account) and key.status.key_id is not None and not leads_elsewhere(key, account)


def plan_refused(
    key: KeyObject, account: Account | Unobservable, seen: Seen, problem: Problem, operator: Operator, now: datetime
) -> Plan:
    """problem: why the spec is not carried out."""
    if not isinstance(seen, ObservedKey) or isinstance(account, Unobservable) or not owned(key, seen, operator.cluster_id):
        return stop(key, problem, operator, now)
    fields = seen_fields(key.status, seen)
    due = () if key.spec.observes else _rescue(key, account, seen, operator)
    if not due:
        return stop(key, problem, operator, now, **fields)
    return Plan(due, report(key, operator, degraded(key, problem), now, **fields), corrections=due)


def _rescue(key: KeyObject, account: Account, seen: ObservedKey, operator: Operator) -> tuple[CancelKeyDeletion | EnableKey, ...]:
    wanted = as_it_is(key, replace(wanted_key(key, account, operator), policy=None), seen)
    drift = find_drift(key.spec, key.status, parts(wanted, seen, key.status, wished(wanted, seen)))
    due = drift.without_held(repairs(wanted, seen, key.status))
    return tuple(action for action in due if isinstance(action, CancelKeyDeletion | EnableKey))
