"""Keys that are gone for good while their objects live: what is told of them, and when an object may have another one.

A user asks for a successor by naming the lost key in an annotation of the object; whatever else an annotation names, it asks for nothing.
"""

from collections.abc import Iterable

from reconcilers.names import RECREATE_ANNOTATION
from tests.simulation.etcd import Json
from tests.simulation.world import World


def has_lost(world: World, obj: Json) -> bool:
    """Whether the key that the object remembers is gone."""
    remembered = obj.get("status", {}).get("keyArn")
    return remembered is not None and all(key.arn != remembered for key in world.kms.keys)


def names(obj: Json) -> str | None:
    """The key that a user says the object has lost."""
    named = obj["metadata"].get("annotations", {}).get(RECREATE_ANNOTATION)
    return None if named is None else str(named)


def given_up(versions: Iterable[Json], destroyed: set[str]) -> set[str]:
    """Which keys are lost, and were named so in any of these versions of one object."""
    return {named for version in versions if (named := names(version)) in destroyed}
