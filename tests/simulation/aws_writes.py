"""What must be so for each write to AWS, whatever has gone wrong: who may make it, on which key, for which version of which object."""

from collections import Counter
from datetime import timedelta

from controller.leases import LEASE_NAME
from reconcilers.names import CLUSTER_TAG, KMSKEY_FINALIZER, OWNER_TAG, UID_TAG
from tests.simulation.attempts import WRITTEN_AHEAD, Attempts
from tests.simulation.calls import Call
from tests.simulation.checks import hold
from tests.simulation.etcd import Entry, Json
from tests.simulation.histories import PASS_SECONDS, Histories
from tests.simulation.identities import ACCOUNT_ID, OTHER_ACCOUNT_ID
from tests.simulation.kms_keys import Key
from tests.simulation.losses import given_up
from tests.simulation.watched import is_of_dependent, only_looks
from tests.simulation.world import NAMESPACE, REGION, START, World

LEASE_SECONDS = 15.0
WRITE_SECONDS = 7.5  # the longest that a call may take under such a lease
SCHEDULES = (None, "ScheduleKeyDeletion", "Delete", "ForceDelete")
TICK = timedelta(microseconds=1)
ONCE_FOR_EACH = ("ReplicateKey", "RotateKeyOnDemand")


class AwsWrites:
    """Look at one after the other, in their order. destroyed: ids of keys that are lost; lost_replicas: how often, by owner and region."""

    def __init__(self, world: World, histories: Histories) -> None:
        self.destroyed: set[str] = set()
        self.lost_replicas: Counter[tuple[str, str]] = Counter()
        self._world = world
        self._histories = histories
        self._attempts = Attempts()
        self._seen_as: dict[tuple[str, str], str] = {}  # by process and ARN: primary or replica, as it was told last
        self._once: Counter[tuple[str, str, str]] = Counter()  # operation, owner, region

    def remember(self, entry: Entry, writer: Call | None) -> None:
        """A version of a KMSKey, and the call of a process that made it. Those that came before a call are to be known when it is looked at."""
        if writer is not None:
            self._attempts.add(entry, writer)

    def saw(self, call: Call) -> None:
        """A DescribeKey was answered."""
        told = call.told["KeyMetadata"]
        self._seen_as[call.replica, told["Arn"]] = told.get("MultiRegionConfiguration", {}).get("MultiRegionKeyType", "")

    def look(self, call: Call) -> None:
        """At one that was done. Raises BrokenError."""
        self._led(call)
        if call.name in WRITTEN_AHEAD:
            version = self._attempts.carry_out(call)
            hold("I3", _asks_for(version, call), f"{call} with {call.parameters} was written ahead for {version}")
            if call.name == "CreateKey":
                self._made(call, version)
                self._managed(call, _owner(_tags(call)))
                self._checked_by_kms(call, _owner(_tags(call)))
                return
        key = self._key_before(call)
        if key is None:
            return
        if is_of_dependent(call, key):
            hold("I6", self._histories.knew(key.arn), f"{call} hung something on a key that no object has, nor observes")
            self._belongs(call, _owner(key.tags))
            return
        adopts = call.name == "TagResource" and OWNER_TAG in _tags(call) and CLUSTER_TAG not in key.tags
        is_ours = key.tags.get(CLUSTER_TAG) is not None and key.tags.get(OWNER_TAG, "").startswith(f"{NAMESPACE}/")
        hold("I6", is_ours or adopts, f"{call} changed a key that is not ours: {dict(key.tags)}")
        owner = _owner(_tags(call) if adopts else key.tags)
        self._belongs(call, owner)
        self._managed(call, owner)
        self._checked_by_kms(call, owner)
        if call.name == "ScheduleKeyDeletion":
            self._scheduled(call, key)
        if call.name in ("EnableKey", "CancelKeyDeletion"):
            self._enabled(call, key)
        if call.name in ONCE_FOR_EACH:
            self._asked_for(call, _owner(key.tags))

    def _led(self, call: Call) -> None:
        """Only for replicas with a lease. What is under way when the whole machine stands still arrives later, and was sent in time."""
        renewals = [e for e in self._world.etcd.log if e.plural == "leases" and e.ref.name == LEASE_NAME and e.at <= call.sent]
        if not renewals:
            return
        holder, age = renewals[-1].body["spec"].get("holderIdentity", ""), call.sent - renewals[-1].at
        hold("I7", holder == call.replica, f"{call}, while the lease was {holder}'s")
        hold("I7", age <= LEASE_SECONDS - WRITE_SECONDS + 0.1, f"{call}, {age:.1f} s after the last renewal")

    def _belongs(self, call: Call, owner: str) -> None:
        """No object changes its account."""
        for version in self._histories.recent(owner, call.at):
            account = OTHER_ACCOUNT_ID if version["spec"].get("providerRef") else ACCOUNT_ID
            hold("I14", call.account == account, f"{call} with credentials of {call.account}, and {owner} is of {account}")

    def _managed(self, call: Call, owner: str) -> None:
        """I25: by an object that does more than observe its key, as far as the pass that made the call may know."""
        versions = self._histories.known(owner, call.at - PASS_SECONDS, call.at)
        hold("I25", not all(map(only_looks, versions)), f"{call}, and {owner} only observes its key")

    def _checked_by_kms(self, call: Call, owner: str) -> None:
        """Whether a policy locks its writer out, unless the object says otherwise. What would, and does not say so, KMS refuses."""
        bypasses = bool(call.parameters.get("BypassPolicyLockoutSafetyCheck"))
        versions = self._histories.known(owner, call.at - PASS_SECONDS, call.at)
        asked = any(version["spec"].get("bypassPolicyLockoutSafetyCheck") is True for version in versions)
        hold("I9", asked or not bypasses, f"{call} bypasses KMS's safety check, and {owner} does not ask for it")

    def _made(self, call: Call, version: Json) -> None:
        """For an object that was stored in this version before."""
        tags = _tags(call)
        self._is_only(call, tags.get(UID_TAG, ""))
        hold("I2", KMSKEY_FINALIZER in version["metadata"].get("finalizers", ()), f"{call}, and the object had no finalizer")
        self._belongs(call, _owner(tags))

    def _is_only(self, call: Call, uid: str) -> None:
        """But for those that are lost, and were named so by the user before."""
        replaced = given_up((entry.body for entry in self._histories.of(uid, call.at)), self.destroyed)
        keys = [key for key in self._world.kms.made if key.tags.get(UID_TAG) == uid and not key.is_replica]
        left = {key.key_id for key in keys} - replaced
        hold("I1", len(left) == 1, f"{call} made a second key of {uid} beside {left}")

    def _scheduled(self, call: Call, key: Key) -> None:
        versions = self._histories.recent(_owner(key.tags), call.at)
        willing = [v for v in versions if v["spec"].get("deletionPolicy") in SCHEDULES]
        # Others may have made a primary of it since.
        was_replica = key.region != REGION and self._seen_as.get((call.replica, key.arn)) == "REPLICA"
        asked = [v for v in willing if "deletionTimestamp" in v["metadata"] or (was_replica and not _wants(v, key.region))]
        hold("I4", bool(asked), f"{call}, and no object of the key asked for it")
        days = call.parameters["PendingWindowInDays"]
        windows = {_window(v) for v in asked}
        hold("I4", days in windows, f"{call} for {days} days, and the spec says {windows}")

    def _enabled(self, call: Call, key: Key) -> None:
        wishes = [v for v in self._histories.recent(_owner(key.tags), call.at) if "deletionTimestamp" not in v["metadata"]]
        wanted = any(call.name == "CancelKeyDeletion" or v["spec"].get("enabled", True) for v in wishes)
        hold("I5", wanted, f"{call}, and no spec asked for it")

    def _asked_for(self, call: Call, owner: str) -> None:
        """What is done once is done at most as often as users have asked for it, whatever went wrong; a replica that is lost once more."""
        region = str(call.parameters.get("ReplicaRegion", ""))
        self._once[call.name, owner, region] += 1

        def asks(before: Json | None, after: Json) -> bool:
            if region:
                return _wants(after, region) and not (before and _wants(before, region))
            token = after["spec"].get("rotateOnDemand")
            return token is not None and (before is None or before["spec"].get("rotateOnDemand") != token)

        asked, done = self._histories.times(owner, asks) + self.lost_replicas[owner, region], self._once[call.name, owner, region]
        hold("I20", done <= asked, f"{call} was done {done} times, and asked for {asked} times")

    def _key_before(self, call: Call) -> Key | None:
        """The key that the call is about, as it was just before."""
        before = START + timedelta(seconds=call.at) - TICK
        named = call.subject or str(call.parameters.get("TargetKeyId", ""))
        if not named:
            there = (self._world.kms.as_it_was(key.arn, before) for key in self._world.kms.keys)
            return next((key for key in there if key is not None and _bears(key, call)), None)
        if not named.startswith("arn:"):
            named = f"arn:aws:kms:{call.region}:{call.account}:key/{named}"
        return self._world.kms.as_it_was(named, before)


def _bears(key: Key, call: Call) -> bool:
    """Whether the alias that is taken away leads to the key."""
    return call.parameters.get("AliasName") in key.aliases and (key.region, key.account_id) == (call.region, call.account)


def _tags(call: Call) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValue"] for tag in call.parameters.get("Tags", ())}


def _owner(tags: object) -> str:
    """The name of the object in the owner tags."""
    assert hasattr(tags, "get")
    return str(tags.get(OWNER_TAG, "")).removeprefix(f"{NAMESPACE}/")


def _asks_for(version: Json, call: Call) -> bool:
    """Whether that call, which cannot be repeated, is what this version of the object says."""
    if "deletionTimestamp" in version["metadata"]:
        return False
    match call.name:
        case "ReplicateKey":
            return _wants(version, call.parameters["ReplicaRegion"])
        case "RotateKeyOnDemand":
            return bool(version["spec"].get("rotateOnDemand") == version["status"]["rotationAttempt"]["token"])
        case _:
            return _describes(version["spec"], call)


def _describes(spec: Json, call: Call) -> bool:
    """Whether that CreateKey is what the spec says."""
    given = call.parameters
    told = {
        "Description": spec.get("description", ""),
        "KeySpec": spec.get("keySpec", "SYMMETRIC_DEFAULT"),
        "MultiRegion": spec.get("multiRegion", False),
    }
    said = {"Description": given.get("Description", ""), "KeySpec": given.get("KeySpec", "SYMMETRIC_DEFAULT")}
    return told == said | {"MultiRegion": given.get("MultiRegion", False)}


def _wants(version: Json, region: str) -> bool:
    return any(replica["region"] == region for replica in version["spec"].get("replicas", ()))


def _window(version: Json) -> int:
    spec = version["spec"]
    return 7 if spec.get("deletionPolicy") == "ForceDelete" else int(spec.get("pendingWindowInDays", 30))
