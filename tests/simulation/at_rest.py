"""What must be so once nothing goes wrong any more: every object is as declared, or says why it cannot be; and nothing is left behind."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from reconcilers.names import UID_TAG
from reconcilers.primaries import NO_REPLICATION
from tests.simulation.checks import CHECKED
from tests.simulation.dependents import Thing, alias, grant
from tests.simulation.etcd import Json
from tests.simulation.histories import uid_of
from tests.simulation.invariants import Invariants
from tests.simulation.kms_keys import Key
from tests.simulation.losses import has_lost, names
from tests.simulation.machine_specs import WRONG, is_wrong
from tests.simulation.moves import compared_with_primary, has_left_its_key, is_away, told_of, waits_for_the_primary
from tests.simulation.watched import ALIAS, OF_DEPENDENTS, is_refused, is_told, only_looks, shown
from tests.simulation.world import REGION, START, World

NOT_YET = "KMS does not show the new replica everywhere yet."


def is_at_rest(world: World, names: Mapping[str, Json]) -> bool:
    """Whether no object has anything to wait for."""
    dependents = all(_is_settled(thing) for thing in _dependents(world))
    return all(_is_done(world, name) for name in names) and dependents and all(map(_is_reached, world.etcd.all("awsproviders")))


def is_held_up(world: World, name: str) -> bool:
    """Whether what others change on its key is seen later than at the next resync, because it waits for somebody."""
    found = world.find(name)
    return found is not None and not (world.is_ready(name) or is_refused(world, found) or only_looks(found) or is_wrong(found["spec"]))


def wrong_at_rest(world: World, promises: Invariants) -> Iterator[str]:
    """How the keys of living objects differ from their specs, and what nobody would ever find."""
    for name in promises.specs:
        found = world.find(name)
        if found is None or is_never_claimed(world, found):
            continue
        CHECKED["I16"] += 1
        if is_wrong(found["spec"]):
            yield from _not_refused(world, name, found["spec"])
        elif has_lost(world, found) and not only_looks(found):
            yield from _not_told_lost(world, name, found)
        elif not (is_refused(world, found) or has_left_its_key(world, name)):
            compared = shown(world, name) if only_looks(found) else _compared(found, world.key(name), world)
            for field, wish, has in compared:
                if wish != has:
                    yield f"{name}: {field} is {has}, and {wish} is wanted"
    for thing in _dependents(world):
        CHECKED["I16"] += 1
        if thing.is_ready() and not _is_there(thing):
            yield f"{thing.name}: {thing.resource.kind} is ready, and not on {_key_of_target(thing)}"
    yield from (f"nobody knows of {key}" for key in leaked(world, promises))


def leaked(world: World, promises: Invariants) -> list[Key]:
    """Keys that nobody would ever find: of no living object, not on their way out, and not left behind on purpose."""
    CHECKED["I24"] += 1
    living = {obj["metadata"]["uid"]: obj for obj in world.etcd.all("kmskeys")}
    versions = [e for e in world.etcd.log if e.plural == "kmskeys"]
    kept = {uid_of(e) for e in versions if e.body["spec"].get("deletionPolicy") in ("Retain", "DisableKey")}
    kept |= {uid_of(e) for e in versions if e.change == "DELETED" and (only_looks(e.body) or uid_of(e) in promises.unprotected)}
    return [
        key
        for key in world.kms.keys
        if key.tags.get(UID_TAG, "") not in kept | {""}
        and not key.is_leaving
        and key.arn not in promises.taken_back
        and not _is_wanted(key, living.get(key.tags[UID_TAG]))
    ]


def _is_wanted(key: Key, obj: Json | None) -> bool:
    """Under a spec that is refused nothing is done, and so no replica goes either; nor does one that has become the primary."""
    if obj is None or is_wrong(obj["spec"]) or obj.get("status", {}).get("keyArn") == key.arn:
        return obj is not None
    known = key.region == REGION or (not key.is_replica and told_of(obj, key.region) is not None)
    return known or any(one["region"] == key.region for one in obj["spec"].get("replicas", ()))


def is_never_claimed(world: World, found: Json) -> bool:
    """Whether an object is kept by the key that it was about to adopt when it was deleted: nobody's key, with which somebody has to decide."""
    if "deletionTimestamp" not in found["metadata"] or "adopt" not in found["spec"] or has_lost(world, found):
        return False
    name = found["metadata"]["name"]
    is_kept = world.condition(name).get("reason") == "DeletionBlocked"
    return is_kept and UID_TAG not in world.key(name).tags


def _is_reached(provider: Json) -> bool:
    """Once its credentials are good."""
    conditions = provider.get("status", {}).get("conditions", ())
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


# -- KMSKeys


def _is_done(world: World, name: str) -> bool:
    found = world.find(name)
    if found is None:
        return True
    if "deletionTimestamp" in found["metadata"]:
        return is_never_claimed(world, found)
    if is_wrong(found["spec"]):
        return bool(world.condition(name).get("observedGeneration") == found["metadata"]["generation"])
    if only_looks(found):
        return is_told(world, name)
    if has_lost(world, found):
        told = world.condition(name)
        return (told.get("reason"), told.get("observedGeneration")) == ("KeyLost", found["metadata"]["generation"])
    if any(NOT_YET in one.get("message", "") for one in found.get("status", {}).get("replicas", ())):  # one that was lost when it was new
        return False
    synced = world.condition(name, "Synced")
    reasons = ("KeyDisabled", "ReplicaNotReady") if found["spec"].get("enabled") is False else ("KeyDisabled",)
    waits = synced.get("reason") in reasons and synced.get("observedGeneration") == found["metadata"]["generation"]
    if synced.get("reason") == "ReplicaNotReady" and world.condition(name, "Stalled").get("status") != "True":
        waits = False  # what passes by itself is not over
    excused = is_refused(world, found) or waits_for_the_primary(world, name) or has_left_its_key(world, name)
    return waits or world.is_ready(name) or excused


def _not_refused(world: World, name: str, spec: Json) -> Iterator[str]:
    reasons = [reason for reason, wrong in WRONG.items() if wrong.items() <= spec.items()]
    told = world.condition(name)
    if (told.get("status"), [told.get("reason")]) != ("False", reasons):
        yield f"{name}: {told} is told, and {reasons} is so"


def _not_told_lost(world: World, name: str, obj: Json) -> Iterator[str]:
    """Nor replaced, where that was asked for."""
    if names(obj) == obj["status"]["keyId"]:
        yield f"{name}: {obj['status']['keyId']} is lost, and was not replaced"
    for kind in ("Ready", "Synced"):
        told = world.condition(name, kind)
        if (told.get("status"), told.get("reason")) != ("False", "KeyLost"):
            yield f"{name}: {told} is told, and its key is lost"


def _compared(obj: Json, key: Key, world: World) -> Iterator[tuple[str, Any, Any]]:
    spec = obj["spec"]
    adopts, enabled = "adopt" in spec, spec.get("enabled", True)
    if adopts and "enabled" not in spec:
        enabled = key.state == "Enabled"
    if not adopts or "description" in spec:
        yield "description", spec.get("description", ""), key.description
    yield "state", "Enabled" if enabled else "Disabled", key.state
    if enabled and key.can_rotate and (not adopts or "enableKeyRotation" in spec):  # a disabled key cannot be changed in this
        yield "rotation", bool(spec.get("enableKeyRotation")), key.rotation_days is not None
    if "keyPolicy" in spec:
        yield "policy", json.loads(spec["keyPolicy"].replace("${AWS_ACCOUNT_ID}", key.account_id)), json.loads(key.policy)
    # What an earlier object of a key has left on it is not provably this one's: it stays, as on a key that is adopted.
    # Nor is what an object has forgotten.
    name = obj["metadata"]["name"]
    older = adopts or name in world.forged or key.created < _made_at(world, obj)
    yield "tags", *_sets(set(spec.get("tags", {}).items()), _tags(key), only_added=older)
    if enabled:
        yield "grants", *_sets({one["name"] for one in spec.get("grants", ())}, _grants(key), only_added=older)
    yield "aliases", *_sets(_names(spec.get("aliases", ())), _aliases(key), only_added=older)
    for wish in spec.get("replicas", ()) if enabled else ():
        replica = _replica(key, wish["region"], world)
        if replica is None and is_away(key, world):
            yield f"replica in {wish['region']}", NO_REPLICATION, told_of(obj, wish["region"])
        else:
            yield from _compared_there(spec, wish, replica, only_added=older)
    if key.multi_region and enabled:
        yield from compared_with_primary(obj, key, world)


def _made_at(world: World, obj: Json) -> datetime:
    """When the object was applied; its creationTimestamp is that to the second, in which another of its name may have come and gone."""
    return START + timedelta(seconds=min(entry.at for entry in world.etcd.log if uid_of(entry) == obj["metadata"]["uid"]))


def _compared_there(spec: Json, wish: Json, replica: Key | None, *, only_added: bool) -> Iterator[tuple[str, Any, Any]]:
    """In another region; what is unset there is as it is for the key itself."""
    region = wish["region"]
    if replica is None:
        yield f"replica in {region}", "there", "missing"
        return
    yield f"state in {region}", "Enabled", replica.state
    yield f"description in {region}", spec.get("description", ""), replica.description
    yield f"tags in {region}", *_sets(set(spec.get("tags", {}).items()), _tags(replica), only_added=only_added)
    aliases = _names(wish.get("aliases", spec.get("aliases", ())))
    yield f"aliases in {region}", *_sets(aliases, _aliases(replica), only_added=only_added)


def _replica(key: Key, region: str, world: World) -> Key | None:
    return next((one for one in world.kms.keys if one.key_id == key.key_id and one.region == region), None)


def _sets(wanted: set[Any], has: set[Any], *, only_added: bool) -> tuple[set[Any], set[Any]]:
    return (wanted, has & wanted) if only_added else (wanted, has)


def _names(aliases: Any) -> set[str]:
    return {alias if alias.startswith("alias/") else f"alias/{alias}" for alias in aliases}


def _aliases(key: Key) -> set[str]:
    return {alias for alias in key.aliases - OF_DEPENDENTS if not alias.endswith(("theirs", ALIAS))}


def _grants(key: Key) -> set[str]:
    return {one["Name"] for one in key.grants if not one["Name"].startswith("obj-")}


def _tags(key: Key) -> set[tuple[str, str]]:
    return {(name, value) for name, value in key.tags.items() if "/" not in name and name != "theirs"}


# -- KMSAliases and KMSGrants


def _dependents(world: World) -> list[Thing]:
    return [
        kind(world, obj["metadata"]["name"])
        for kind, plural in ((alias, "kmsaliases"), (grant, "kmsgrants"))
        for obj in world.etcd.all(plural)
    ]


def _is_settled(thing: Thing) -> bool:
    """Ready, or with a reason that is so."""
    found = thing.find()
    if found is None or "deletionTimestamp" in found["metadata"]:
        return found is None
    told = thing.condition()
    if told.get("observedGeneration") != found["metadata"]["generation"]:
        return False
    behind = thing.condition("Synced") if told["status"] == "True" else told  # it may be ready, and its target not be known at present
    return thing.is_ready() or behind.get("reason") in set(_excuses(thing, found))


def _excuses(thing: Thing, found: Json) -> Iterator[str]:
    """Why it cannot be, at present."""
    target, key = thing.world.find(found["spec"]["targetRef"]["name"]), _key_of_target(thing)
    if target is None:
        yield from ("TargetNotFound", "TargetGone")  # it never was there, or is no more
    elif key is None:
        yield "TargetGone" if has_lost(thing.world, target) else "TargetNotReady"
    elif key.is_leaving or is_never_claimed(thing.world, target):
        yield "TargetPendingDeletion"
    elif key.state == "Disabled":
        yield "KeyDisabled"
    name = f"alias/{found['spec'].get('aliasName')}"
    if any(name in other.aliases and key is not None and other.arn != key.arn for other in thing.world.kms.keys):
        yield "AliasConflict"


def _key_of_target(thing: Thing) -> Key | None:
    found = thing.find()
    assert found is not None
    target = thing.world.find(found["spec"]["targetRef"]["name"]) or {}
    arn = target.get("status", {}).get("keyArn")
    return next((key for key in thing.world.kms.keys if key.arn == arn), None)


def _is_there(thing: Thing) -> bool:
    found, key = thing.find(), _key_of_target(thing)
    if found is None or key is None:
        return False
    spec = found["spec"]
    if "aliasName" in spec:
        return f"alias/{spec['aliasName']}" in key.aliases
    return any((one["Name"], set(one["Operations"])) == (spec["name"], set(spec["operations"])) for one in key.grants)
