"""Keys that an object of a random life only observes: never written to, and shown as they are.

Others have made them, or the object itself did while it managed them. What may go wrong with them is all that others do: disable, schedule the
deletion, cancel it, take the alias away. So an object that begins to manage what it has only observed may find that it cannot have it.
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
OF_DEPENDENTS = frozenset({"alias/front", "alias/back", "alias/far"})
_REASONS = {"Enabled": "Available", "Disabled": "KeyDisabled", "PendingDeletion": "KeyPendingDeletion"}


def only_looks(obj: Json) -> bool:
    """Whether the object may change nothing."""
    return bool(obj["spec"].get("managementPolicy") == "Observe")


def is_of_dependent(call: Call, key: Key) -> bool:
    """Whether a write to the key was for a KMSAlias or a KMSGrant, which have a word of their own."""
    given, alias = call.parameters.get("GrantId"), call.parameters.get("AliasName")
    names = {one["Name"] for one in key.grants if one["GrantId"] == given} | {str(call.parameters.get("Name", ""))}
    return alias in OF_DEPENDENTS or any(name.startswith("obj-") for name in names)


def unmarked(entry: Entry) -> None:
    """I25, of a change of an object that only observes: it is given nothing that would keep it, or another one's key. Raises BrokenError."""
    marks = _marks(entry.body) - _marks(entry.before or {"metadata": {}})
    hold("I25", not marks, f"{entry.ref.name} only observes, and was given {marks}")


def is_refused(world: World, obj: Json) -> bool:
    """Whether the object may not have, or does not find, the key that it names, and says so of its newest spec.

    Its deletion is scheduled by others; there is none of that name; or what the object has only observed bears that name no longer.
    """
    told, adopt, remembered = world.condition(obj["metadata"]["name"]), obj["spec"].get("adopt", {}), obj.get("status", {}).get("keyId")
    named = next((key for key in world.kms.keys if f"alias/{adopt.get('alias')}" in key.aliases), None)
    if told.get("observedGeneration") != obj["metadata"]["generation"]:
        return False
    match told["reason"]:
        case "AdoptionRefused":
            return named is not None and named.is_leaving
        case "KeyNotFound":
            return named is None and remembered is None and adopt.get("policy") != "AdoptOrCreate"
        case "KeyNotOwned":
            key = _key(world, obj)
            return key is not None and key is not named and key.tags.get(OWNER_TAG) != f"{NAMESPACE}/{obj['metadata']['name']}"
        case _:
            return False


def _marks(obj: Json) -> set[str]:
    metadata = obj["metadata"]
    return {*metadata.get("finalizers", ()), *({KEY_ID_ANNOTATION} & metadata.get("annotations", {}).keys())}


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
    """The one that the object remembers; before it has seen any, the one that it names; none while it is not known whether it has made one."""
    status, alias = obj.get("status", {}), f"alias/{obj['spec']['adopt']['alias']}"
    if "creationAttempt" in status:
        return None
    remembered = status.get("keyId")
    named = (key for key in world.kms.keys if (key.key_id == remembered if remembered else alias in key.aliases))
    return next(named, None)


def _reason(key: Key | None) -> str:
    return _REASONS[key.state] if key else "KeyNotFound"
