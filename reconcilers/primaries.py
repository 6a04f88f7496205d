"""Where the primary of a multi-Region key is, and what only a primary can do: somebody may have moved it with UpdatePrimaryRegion.

Rules:
1. The key stays the object's, in the region of its provider, whichever of its like is the primary. Nothing is ever moved by the operator:
   whoever moved the primary, in an outage maybe, had a reason.
2. KMS keeps the automatic rotation with the primary. It is kept as the spec says it for the key, in the region where the primary is seen.
3. What the primary would have to do and nobody can see to is told with the way out.
"""

from dataclasses import replace

from reconcilers.reasons import Reason
from reconcilers.repairs import rotation_differs
from reconcilers.states import ObservedKey, Problem, Unobservable, Wanted

BACK = "move the primary back with `aws kms update-primary-region`"
NO_REPLICATION = f"Another region has the primary key now, and KMS replicates from there only: {BACK}, or make this replica from there."
NO_ROTATION_HERE = f"Another region has the primary key now, and KMS rotates on demand there only: {BACK}, or rotate it there."
NO_END = (
    f"The primary key is here now, and KMS deletes a primary only after its replicas, this object's key among them: {BACK}, or name the region "
    "in spec.replicas again."
)
OUT_OF_SIGHT = Problem(
    Reason.REPLICA_NOT_READY,
    "The key's rotation is kept with its primary, which somebody has moved to a region that spec.replicas does not name: name that region "
    f"there, or {BACK}.",
    stalled=False,
)


def primary_region(seen: ObservedKey) -> str | None:
    """Where the primary of a key that is a replica was seen."""
    if seen.multi_region_key_type != "REPLICA":
        return None
    return next((region for region, there in seen.replicas.items() if is_primary(there)), None)


def is_primary(there: object) -> bool:
    """Whether the key in another region is the primary."""
    return isinstance(there, ObservedKey) and there.multi_region_key_type == "PRIMARY"


def as_primary(wish: Wanted, of_key: Wanted, there: ObservedKey) -> Wanted:
    """What is wished for the key in another region, with the rotation of the key itself where that is the primary."""
    if not is_primary(there):
        return wish
    return replace(wish, rotation_enabled=of_key.rotation_enabled, rotation_period_in_days=of_key.rotation_period_in_days)


def rotation_out_of_sight(wanted: Wanted, seen: ObservedKey) -> Problem | None:
    """A rotation is declared, the key is a replica, and its primary is where it is not kept: in no region that the spec names."""
    if seen.multi_region_key_type != "REPLICA" or not wanted.rotation_enabled:
        return None
    region = primary_region(seen)
    if region is None:  # it may be where nobody can look now, and that is told for itself
        return None if any(isinstance(there, Unobservable) for there in seen.replicas.values()) else OUT_OF_SIGHT
    there = seen.replicas[region]
    as_wanted = isinstance(there, ObservedKey) and not rotation_differs(wanted, there)
    return None if as_wanted or region in wanted.replicas else OUT_OF_SIGHT
