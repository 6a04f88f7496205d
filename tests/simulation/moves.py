"""Multi-Region keys whose primary others have moved: what an object says of it, and of what only a primary could do.

The object keeps its key, in the region of its provider; nobody but others moves the primary back.
"""

from collections.abc import Iterator
from typing import Any

from reconcilers.names import OWNER_TAG
from reconcilers.primaries import NO_END, NO_REPLICATION, NO_ROTATION_HERE, OUT_OF_SIGHT
from tests.simulation.etcd import Json
from tests.simulation.kms_keys import Key
from tests.simulation.world import NAMESPACE, REGION, World

WAYS_OUT = (NO_REPLICATION, NO_ROTATION_HERE, NO_END, OUT_OF_SIGHT.message)


def primary_of(key: Key, world: World) -> Key | None:
    """It may be gone for good, or be this very key."""
    return next((one for one in world.kms.keys if one.key_id == key.key_id and not one.is_replica), None)


def is_away(key: Key, world: World) -> bool:
    """Whether the primary is in another region."""
    return key.multi_region and key.is_replica and primary_of(key, world) is not None


def waits_for_the_primary(world: World, name: str) -> bool:
    """Whether the object tells, of the newest spec, what it could only do with the primary here."""
    found = world.find(name)
    if found is None or "keyId" not in found.get("status", {}) or not is_away(world.key(name), world):
        return False
    told = [world.condition(name, kind) for kind in ("Ready", "Synced")]
    is_new = all(one.get("observedGeneration") == found["metadata"]["generation"] for one in told)
    return is_new and any(one["reason"] == "ReplicaNotReady" and any(way in one["message"] for way in WAYS_OUT) for one in told)


def has_left_its_key(world: World, name: str) -> bool:
    """Whether the object was made again while the primary of its earlier key is where the spec names no replica: so it has another key.

    Only such a key is not looked for: any other replica that carries the owner tags is not the object's key, but belongs to it.
    """
    found, synced = world.find(name), world.condition(name, "Synced")
    if found is None or (synced.get("reason"), synced.get("observedGeneration")) != ("AliasConflict", found["metadata"]["generation"]):
        return False
    named = {one["region"] for one in found["spec"].get("replicas", ())}
    earlier = [key for key in world.kms.keys if key.tags.get(OWNER_TAG) == f"{NAMESPACE}/{name}" and key.arn != found["status"].get("keyArn")]
    away = [(key, primary_of(key, world)) for key in earlier if key.region == REGION and is_away(key, world)]
    return any(key.key_id in synced["message"] for key, primary in away if primary and primary.region not in named)


def told_of(obj: Json, region: str) -> str | None:
    """What the status says of that region; None: it does not know of a replica there."""
    records = (one for one in obj.get("status", {}).get("replicas", ()) if one["region"] == region)
    return next((str(one.get("message", "")) for one in records), None)


def compared_with_primary(obj: Json, key: Key, world: World) -> Iterator[tuple[str, Any, Any]]:
    """What is told of the primary, and the rotation that has gone with it."""
    primary = primary_of(key, world)
    if primary is None:
        return
    ready, synced = (_condition(obj, kind) for kind in ("Ready", "Synced"))
    yield "multiRegionKeyType", "REPLICA" if is_away(key, world) else "PRIMARY", obj["status"].get("multiRegionKeyType")
    if (ready["status"], synced["status"]) == ("True", "True"):
        words = f"Its primary is in {primary.region} now."
        yield "words on the primary", words in ready["message"], is_away(key, world)
    if not is_away(key, world):
        told = ready["message"] + synced["message"]
        yield "what is told of the primary", [], [way for way in WAYS_OUT if way in told]
        return
    wanted, rotates = bool(obj["spec"].get("enableKeyRotation")), primary.rotation_days is not None
    is_kept = any(one["region"] == primary.region for one in obj["spec"].get("replicas", ()))
    if is_kept and primary.state == "Enabled":
        yield f"rotation in {primary.region}", wanted, rotates
    elif wanted and not rotates:
        yield "rotation out of sight", OUT_OF_SIGHT.message, synced["message"]


def _condition(obj: Json, kind: str) -> Json:
    return next(one for one in obj["status"]["conditions"] if one["type"] == kind)
