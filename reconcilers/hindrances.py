"""What keeps a key that needs no write from being as declared: parts that cannot be read, states that only time or somebody else ends, and
names that somebody else has. The same for a key and for its replicas."""

from collections.abc import Set as AbstractSet
from datetime import timedelta

from reconcilers.aliases import alias_conflict
from reconcilers.materials import lacks_material
from reconcilers.reasons import Reason
from reconcilers.repairs import UNSETTLED
from reconcilers.states import ObservedKey, Problem, Unobservable, Wanted
from reconcilers.waits import LATER, SOON


def hindrance(wanted: Wanted, seen: ObservedKey, held: AbstractSet[str] = frozenset()) -> tuple[Problem, timedelta] | None:
    """The first that there is, and when to look again; None for a key that is Enabled or Disabled. held: fields that drifted and stay so."""
    parts = ((seen.policy, wanted.policy is not None), (seen.rotation, wanted.rotation_enabled), (seen.aliases, True), (seen.grants, True))
    for part, needed in parts:
        if needed and isinstance(part, Unobservable):
            return Problem(part.reason, part.message), LATER
    if (state := _state(seen)) is not None:
        return state
    taken = alias_conflict(wanted, seen) if "aliases" not in held else None
    return (taken, LATER) if taken else None


def _state(seen: ObservedKey) -> tuple[Problem, timedelta] | None:
    if seen.state in UNSETTLED:
        message = f"KMS reports the key as {seen.state}; this passes within seconds."
        return Problem(Reason.KEY_NOT_USABLE_YET, message, stalled=False), SOON
    if (lacks := lacks_material(seen)) is not None:
        return lacks, LATER
    if seen.state not in ("Enabled", "Disabled"):
        message = f"KMS reports the key as {seen.state}, a state that this version does not know: see the key in AWS."
        return Problem(Reason.KEY_UNAVAILABLE, message), LATER
    return None
