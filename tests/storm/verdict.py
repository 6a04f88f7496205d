"""What is wrong after a storm: objects against keys, field by field. Pure: it is given what there is.

Rules:
1. Each living object has one key in its region, which is the one that its status names, and it is as the spec says.
2. A deleted object's key is as its deletion policy says, unless an object of the same name took it back.
3. No uid has had two keys, ever.
4. Every other key is one that nobody can account for.
5. A key that came back to an object of the same name may carry more than the spec says: what an earlier object has left is not the new one's.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.cluster.tenant import OWNER_TAGS, is_settled
from tests.storm.crowd import REPLICA_REGION

Object = Mapping[str, Any]
UID = OWNER_TAGS[2]
HOME = "us-east-1"
PENDING = ("PendingDeletion", "PendingReplicaDeletion")
AFTER = {"ScheduleKeyDeletion": PENDING, "Retain": ("Enabled", "Disabled"), "DisableKey": ("Disabled",)}


def judge(
    living: Mapping[str, Object],
    ended: Mapping[str, tuple[str, str]],
    objects: Mapping[str, Object],
    keys: Sequence[Object],
    made: Sequence[Object],
) -> list[str]:
    """A line for each thing that is not so. living: specs by name; ended: name and policy by uid; made: each key as it was when it was made."""
    again = {name for name, _ in ended.values()}
    by_uid: defaultdict[str, list[Object]] = defaultdict(list)
    for key in keys:
        by_uid[key["tags"].get(UID, "")].append(key)
    return [
        *_twice(made),
        *(f"{name} is not gone" for name in sorted(objects.keys() - living.keys())),
        *(line for name, spec in sorted(living.items()) for line in _of_object(name, spec, objects.get(name), by_uid, again=name in again)),
        *(line for uid, (name, policy) in ended.items() for line in _of_ended(name, policy, by_uid.get(uid, []))),
        *_nobodys(keys, {obj["metadata"]["uid"] for obj in objects.values()} | ended.keys()),
    ]


def _twice(made: Iterable[Object]) -> Iterator[str]:
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for key in made:
        ids[key["tags"].get(UID, "")].add(key["key_id"])
    yield from (f"{len(found)} keys were made for uid {uid}: {sorted(found)}" for uid, found in ids.items() if len(found) > 1)


def _of_object(
    name: str, spec: Object, obj: Object | None, by_uid: Mapping[str, list[Object]], *, again: bool
) -> Iterator[str]:
    if obj is None:
        yield f"{name} is not there"
        return
    if not is_settled(dict(obj)):
        told = [f"{one['type']}={one['status']} {one['reason']}: {one['message']}" for one in obj.get("status", {}).get("conditions", [])]
        yield f"{name} is not settled: {told}"
    mine = by_uid.get(obj["metadata"]["uid"], [])
    home = [key for key in mine if key["region"] == HOME]
    named = {key["key_id"] for keys in by_uid.values() for key in keys if key["tags"].get(OWNER_TAGS[1], "").endswith(f"/{name}")}
    if len(named) > 1:
        yield f"{name} has come back to another key than it had: {sorted(named)}"
    if [key["key_id"] for key in home] != [obj.get("status", {}).get("keyId")]:
        yield f"{name} has the keys {[key['key_id'] for key in home]}, and its status names {obj.get('status', {}).get('keyId')}"
    wanted_elsewhere = [REPLICA_REGION] if spec.get("replicas") else []
    elsewhere = [key["region"] for key in mine if key["region"] != HOME]
    if elsewhere != wanted_elsewhere:
        yield f"{name} has replicas in {elsewhere}, and not in {wanted_elsewhere}"
    for key in mine:
        yield from (f"{name} in {key['region']}: {line}" for line in _differences(spec, key, again=again))


def _differences(spec: Object, key: Object, *, again: bool) -> Iterator[str]:
    is_home = key["region"] == HOME
    rotates = is_home and spec.get("enableKeyRotation", False)
    wanted = {
        "state": "Enabled" if spec.get("enabled", True) else "Disabled",
        "description": spec.get("description", ""),
        "rotation_days": spec.get("rotationPeriodInDays", 365) if rotates else None,
        "spec": spec.get("keySpec", "SYMMETRIC_DEFAULT"),
    }
    yield from (f"{name} is {key[name]!r}, and not {value!r}" for name, value in wanted.items() if key[name] != value)
    sets = {
        "tags": (set(spec.get("tags", {}).items()), {(tag, value) for tag, value in key["tags"].items() if tag not in OWNER_TAGS}),
        "aliases": (set(spec.get("aliases", [])), set(key["aliases"])),
        "grants": ({grant["name"] for grant in spec.get("grants", []) if is_home}, {grant["Name"] for grant in key["grants"]}),
    }
    for name, (wish, actual) in sets.items():
        if not (wish <= actual if again else wish == actual):
            yield f"{name} are {sorted(actual)}, and not {sorted(wish)}"


def _of_ended(name: str, policy: str, keys: Iterable[Object]) -> Iterator[str]:
    for key in keys:
        if key["state"] not in AFTER[policy]:
            yield f"the key {key['key_id']} of the deleted {name} is {key['state']} in {key['region']}, after {policy}"


def _nobodys(keys: Iterable[Object], uids: set[str]) -> Iterator[str]:
    for key in keys:
        if key["tags"].get(UID) not in uids:
            yield f"nobody has the key {key['key_id']} ({key['state']}), with the tags {dict(key['tags'])}"
