"""What stands in the way of every plan alike: the plan that waits, and the problems that a key can be.

Nothing here writes. A plan that stops says why, keeps the Ready of a key that was ready for this very spec where the problem passes by
itself, and looks again: soon where it may pass, later where somebody has to act.
"""

from datetime import datetime, timedelta

from reconcilers.actions import (
    Action,
    AddFinalizer,
    Plan,
)
from reconcilers.conditions import find
from reconcilers.materials import fixed_material
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.reasons import Reason
from reconcilers.reports import degraded, report
from reconcilers.states import (
    KeyObject,
    ObservedKey,
    Operator,
    Problem,
    Wanted,
)
from reconcilers.waits import LATER, SOON

PATIENCE = timedelta(seconds=10)  # keys and their provider are often applied together, and arrive in any order


def stop(key: KeyObject, problem: Problem, operator: Operator, now: datetime, **fields: object) -> Plan:
    """Nothing is done until somebody acts; a look now and then finds out whether they did."""
    look_again = LATER if problem.stalled else PATIENCE
    return Plan((), report(key, operator, degraded(key, problem), now, **fields), look_again)


def has_lasted(key: KeyObject, reason: Reason, now: datetime) -> bool:
    """Whether this reason has been told for long enough that somebody should act."""
    synced = find("Synced", key.status.conditions)
    return synced is not None and synced.reason == reason and now - synced.last_transition_time >= PATIENCE


def finalizer(key: KeyObject) -> tuple[Action, ...]:
    """While an object has a key it has the finalizer, also after somebody took it away."""
    return () if KMSKEY_FINALIZER in key.finalizers else (AddFinalizer(),)


def wait_for_kms(key: KeyObject, operator: Operator, now: datetime) -> Plan:
    """A key that was made just now, and that KMS does not show on all of its hosts yet."""
    problem = Problem(Reason.KEY_NOT_USABLE_YET, "KMS does not show the new key everywhere yet.", stalled=False)
    return Plan((), report(key, operator, degraded(key, problem), now), look_again=SOON)


def immutable_conflict(wanted: Wanted, seen: ObservedKey) -> Problem | None:
    """What of the key is fixed for its life, and otherwise than the spec says."""
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
