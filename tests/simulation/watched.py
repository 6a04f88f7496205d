"""Keys that an object of a random life only observes: made by others, never written to, and shown as they are.

What may go wrong with them is all that others do: disable, schedule the deletion, cancel it, take the alias away.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from reconcilers.names import KEY_ID_ANNOTATION, OWNER_TAG
from tests.simulation.calls import Call
from tests.simulation.checks import hold
from tests.simulation.etcd import Entry, Json
from tests.simulation.kms_keys import Key
from tests.simulation.kms_rotations import rotation_status
from tests.simulation.world import NAMESPACE, World

WATCHED = "watched"  # the object's name, and that of the alias by which it finds the key
ALIAS = f"alias/{WATCHED}"
_REASONS = {"Enabled": "Available", "Disabled": "KeyDisabled", "PendingDeletion": "KeyPendingDeletion"}


def only_looks(obj: Json) -> bool:
    """Whether the object may change nothing."""
    return bool(obj["spec"].get("managementPolicy") == "Observe")


def left_alone(call: Call, keys: set[str]) -> None:
    """I25, of a write to AWS that was done. keys: ARNs of those that nobody else of the cast has. Raises BrokenError."""
    parameters = call.parameters
    tags = {tag["TagKey"]: tag["TagValue"] for tag in parameters.get("Tags", ())}
    about = {call.subject, parameters.get("TargetKeyId"), parameters.get("AliasName"), tags.get(OWNER_TAG)}
    ids = {arn.rpartition("/")[2] for arn in keys}
    hold("I25", not about & {*keys, *ids, ALIAS, f"{NAMESPACE}/{WATCHED}"}, f"{call} for an object that only observes its key")


def unmarked(entry: Entry) -> None:
    """I25, of a version of an object that only observes: it bears nothing that would keep it, or another one's key. Raises BrokenError."""
    metadata = entry.body["metadata"]
    marks = [*metadata.get("finalizers", ()), *({KEY_ID_ANNOTATION} & metadata.get("annotations", {}).keys())]
    hold("I25", not marks, f"{entry.ref.name} only observes, and has {marks}")


def is_told(world: World, name: str) -> bool:
    """Whether the conditions are those of the newest spec and of the key as it is."""
    found = world.find(name)
    assert found is not None
    told = world.condition(name)
    return (told.get("reason"), told.get("observedGeneration")) == (_reason(_key(world, found)), found["metadata"]["generation"])


def shown(world: World, name: str) -> Iterator[tuple[str, Any, Any]]:
    """Fields of the status, what is so, and what is told."""
    found = world.find(name)
    assert found is not None
    key, status = _key(world, found), found.get("status", {})
    reason = _reason(key)
    for condition, holds in (("Ready", reason == "Available"), ("Synced", key is not None)):
        yield condition, str(holds), world.condition(name, condition).get("status")
    yield "reason", reason, world.condition(name).get("reason")
    if key is None:  # what was seen last stays
        return
    date = status.get("deletionDate")
    yield "keyArn", key.arn, status.get("keyArn")
    yield "keyState", key.state, status.get("keyState")
    yield "ready", key.state == "Enabled", status.get("ready")
    yield "deletionDate", key.deletion_date, date and datetime.fromisoformat(date)
    rotates = rotation_status(key, world.now().astimezone(UTC))["KeyRotationEnabled"]
    yield "rotationEnabled", rotates, status.get("rotationEnabled")


def _key(world: World, obj: Json) -> Key | None:
    """The one that the object remembers; before it has seen any, the one that it names."""
    remembered = obj.get("status", {}).get("keyId")
    named = (key for key in world.kms.keys if (key.key_id == remembered if remembered else ALIAS in key.aliases))
    return next(named, None)


def _reason(key: Key | None) -> str:
    return _REASONS[key.state] if key else "KeyNotFound"
