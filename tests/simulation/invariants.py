"""What must be so in a simulated world at any time, whatever has gone wrong: checked on all that happened since the last look.

The numbers are those of the list of promises in docs/reliability.md. How often each was checked is counted in CHECKED.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from controller.leases import LEASE_NAME
from reconcilers.names import CLUSTER_TAG, KMSKEY_FINALIZER, OWNER_TAG, UID_TAG
from tests.simulation.calls import Call
from tests.simulation.etcd import Entry, Json
from tests.simulation.kms_keys import Key
from tests.simulation.world import NAMESPACE, START, World

CHECKED: Counter[str] = Counter()

# A pass may act on what the object was when it began; this is the longest that one may take.
PASS_SECONDS = 60.0
LEASE_SECONDS = 15.0
WRITE_SECONDS = 7.5  # the longest that a call may take under such a lease
SCHEDULES = (None, "ScheduleKeyDeletion", "Delete", "ForceDelete")
TICK = timedelta(microseconds=1)


class BrokenError(AssertionError):
    """An invariant does not hold."""


class Invariants:
    """Look at a world again and again. specs: by name, what the user has written last."""

    def __init__(self, world: World) -> None:
        self.specs: dict[str, Json] = {}
        self._world = world
        self._calls = 0
        self._entries = 0
        self._versions: defaultdict[str, list[Entry]] = defaultdict(list)  # of each uid
        self._key_ids: defaultdict[str, set[str]] = defaultdict(set)

    def check(self) -> None:
        """Raises BrokenError."""
        entries = self._world.etcd.log[self._entries :]
        calls = self._world.traffic.calls[self._calls :]
        self._entries += len(entries)
        self._calls += len(calls)
        for entry in entries:
            if entry.plural == "kmskeys":
                self._versions[_uid(entry)].append(entry)
        for entry in entries:
            if entry.plural == "kmskeys":
                self._look_at_entry(entry)
        for call in calls:
            if call.target == "aws" and call.writes and call.outcome == "OK" and call.name != "GetCallerIdentity":
                self._look_at_write(call)
        self._look_at_objects()

    # -- what was written to AWS

    def _look_at_write(self, call: Call) -> None:
        self._led(call)
        _hold("I9", not call.parameters.get("BypassPolicyLockoutSafetyCheck"), f"{call} bypasses KMS's safety check")
        if call.name == "CreateKey":
            self._made(call)
            return
        key = self._key_before(call)
        if key is None:
            return
        is_ours = key.tags.get(CLUSTER_TAG) is not None and key.tags.get(OWNER_TAG, "").startswith(f"{NAMESPACE}/")
        _hold("I6", is_ours, f"{call} changed a key that is not ours: {dict(key.tags)}")
        if call.name == "ScheduleKeyDeletion":
            self._scheduled(call, key)
        if call.name in ("EnableKey", "CancelKeyDeletion"):
            self._enabled(call, key)

    def _led(self, call: Call) -> None:
        """Only for replicas with a lease."""
        renewals = [e for e in self._world.etcd.log if e.plural == "leases" and e.ref.name == LEASE_NAME and e.at <= call.at]
        if not renewals:
            return
        holder, age = renewals[-1].body["spec"].get("holderIdentity", ""), call.at - renewals[-1].at
        _hold("I7", holder == call.replica, f"{call}, while the lease was {holder}'s")
        _hold("I7", age <= LEASE_SECONDS - WRITE_SECONDS + 0.1, f"{call}, {age:.1f} s after the last renewal")

    def _made(self, call: Call) -> None:
        tags = {tag["TagKey"]: tag["TagValue"] for tag in call.parameters.get("Tags", ())}
        uid = tags.get(UID_TAG, "")
        owners = Counter(
            (key.tags.get(CLUSTER_TAG), key.tags.get(UID_TAG)) for key in self._world.kms.made if UID_TAG in key.tags
        )
        _hold("I1", max(owners.values()) == 1, f"{call} made a second key of {uid}")
        ahead = [e for e in self._versions[uid] if e.at <= call.at and "creationAttempt" in e.body.get("status", {})]
        _hold(
            "I2",
            any(KMSKEY_FINALIZER in e.body["metadata"].get("finalizers", ()) for e in ahead),
            f"{call} was not written ahead",
        )

    def _scheduled(self, call: Call, key: Key) -> None:
        versions = self._recent(key, call)
        dying = [v for v in versions if "deletionTimestamp" in v["metadata"] and v["spec"].get("deletionPolicy") in SCHEDULES]
        _hold("I4", bool(dying), f"{call}, and no object of the key asked for it")
        days = call.parameters["PendingWindowInDays"]
        windows = {
            7 if v["spec"].get("deletionPolicy") == "ForceDelete" else v["spec"].get("pendingWindowInDays", 30) for v in dying
        }
        _hold("I4", days in windows, f"{call} for {days} days, and the spec says {windows}")

    def _enabled(self, call: Call, key: Key) -> None:
        wishes = [v for v in self._recent(key, call) if "deletionTimestamp" not in v["metadata"]]
        wanted = any(call.name == "CancelKeyDeletion" or v["spec"].get("enabled", True) for v in wishes)
        _hold("I5", wanted, f"{call}, and no spec asked for it")

    def _key_before(self, call: Call) -> Key | None:
        """The key that the call is about, as it was just before."""
        moment = START + timedelta(seconds=call.at) - TICK
        named = call.subject or str(call.parameters.get("TargetKeyId", ""))
        return self._world.kms.as_it_was(named, moment) if named else None

    def _recent(self, key: Key, call: Call) -> list[Json]:
        """The versions of the key's object that a pass under way at that time may have seen."""
        owner = key.tags.get(OWNER_TAG, "").removeprefix(f"{NAMESPACE}/")
        found = []
        for versions in self._versions.values():
            ours = [e for e in versions if e.ref.name == owner and e.at <= call.at]
            found += [e.body for e in ours[-1:]] + [e.body for e in ours[:-1] if e.at >= call.at - PASS_SECONDS]
        return found

    # -- what was written to Kubernetes

    def _look_at_entry(self, entry: Entry) -> None:
        metadata, status = entry.body["metadata"], entry.body.get("status", {})
        uid = metadata["uid"]
        if "keyId" in status:
            self._key_ids[uid].add(status["keyId"])
        kept = len(self._key_ids[uid]) <= 1 or entry.ref.name in self._world.forged
        _hold("I11", kept, f"{entry.ref.name} was given another key: {self._key_ids[uid]}")
        observed = status.get("observedGeneration", 0)
        _hold(
            "I12",
            observed <= metadata["generation"],
            f"{entry.ref.name} observed generation {observed} of {metadata['generation']}",
        )
        if entry.change == "DELETED":
            _hold("I19", self._dealt_with(entry), f"{entry.ref.name} went, and its key is not dealt with: {self._key_of(entry)}")
        elif status.keys() & {"creationAttempt", "keyId"} and entry.change == "MODIFIED":
            _hold("I13", KMSKEY_FINALIZER in metadata.get("finalizers", ()), f"{entry.ref.name} has a key and no finalizer")

    def _dealt_with(self, entry: Entry) -> bool:
        key = self._key_of(entry)
        if key is None:
            return True
        match entry.body["spec"].get("deletionPolicy"):
            case "Retain":
                return True
            case "DisableKey":
                return key.state != "Enabled"
            case _:
                return key.state == "PendingDeletion"

    def _key_of(self, entry: Entry) -> Key | None:
        key_id = entry.body.get("status", {}).get("keyId")
        return self._world.kms.as_it_was(key_id, START + timedelta(seconds=entry.at)) if key_id else None

    # -- how it is now

    def _look_at_objects(self) -> None:
        for name, spec in self.specs.items():
            found = self._world.find(name)
            if found is not None:
                _hold("I10", found["spec"] == spec, f"the spec of {name} is {found['spec']}, and the user wrote {spec}")


def wrong_at_rest(world: World, names: Iterator[str] | list[str]) -> Iterator[str]:
    """How the keys of living objects differ from their specs, once nothing goes wrong any more."""
    for name in names:
        found = world.find(name)
        if found is None:
            continue
        CHECKED["I16"] += 1
        key = world.key(name)
        for field, wish, has in _compared(found["spec"], key):
            if wish != has:
                yield f"{name}: {field} is {has}, and {wish} is wanted"


def leaked(world: World) -> list[Key]:
    """Keys that nobody would ever find: of no living object, not on their way out, and not left behind on purpose."""
    CHECKED["I24"] += 1
    living = {obj["metadata"]["uid"] for obj in world.etcd.all("kmskeys")}
    kept = {
        _uid(e)
        for e in world.etcd.log
        if e.change == "DELETED" and e.body["spec"].get("deletionPolicy") in ("Retain", "DisableKey")
    }
    return [key for key in world.kms.keys if key.tags.get(UID_TAG, "") not in living | kept | {""} and key.deletion_date is None]


def _compared(spec: Json, key: Key) -> Iterator[tuple[str, Any, Any]]:
    yield "description", spec.get("description", ""), key.description
    yield "state", "Enabled" if spec.get("enabled", True) else "Disabled", key.state
    enabled = spec.get("enabled", True)
    if enabled and key.can_rotate:  # a disabled key takes neither
        yield "rotation", bool(spec.get("enableKeyRotation")), key.rotation_days is not None
        if spec.get("rotationPeriodInDays"):
            yield "period", spec["rotationPeriodInDays"], key.rotation_days
    if enabled:
        yield "grants", {one["name"] for one in spec.get("grants", ())}, {one["Name"] for one in key.grants}
    yield "tags", spec.get("tags", {}), {name: value for name, value in key.tags.items() if "/" not in name and name != "theirs"}
    wanted = {alias if alias.startswith("alias/") else f"alias/{alias}" for alias in spec.get("aliases", ())}
    yield "aliases", wanted, {alias for alias in key.aliases if not alias.endswith("theirs")}


def _hold(number: str, so: bool, otherwise: str) -> None:
    CHECKED[number] += 1
    if not so:
        raise BrokenError(f"{number}: {otherwise}")


def _uid(entry: Entry) -> str:
    return str(entry.body["metadata"]["uid"])
