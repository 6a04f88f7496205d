"""What must be so in a simulated world at any time, whatever has gone wrong: checked on all that happened since the last look.

What is about writes to AWS stands in aws_writes.py; here is what is about objects.
"""

from collections import Counter, defaultdict
from datetime import timedelta

from reconcilers.names import KMSKEY_FINALIZER, UID_TAG
from tests.simulation.aws_writes import AwsWrites
from tests.simulation.calls import Call
from tests.simulation.checks import hold
from tests.simulation.etcd import Entry, Json
from tests.simulation.histories import PASS_SECONDS, Histories, uid_of
from tests.simulation.kms_keys import Key
from tests.simulation.losses import given_up
from tests.simulation.transitions import WITH_CONDITIONS, look_at_transitions
from tests.simulation.watched import only_looks, unmarked
from tests.simulation.world import START, World


class Invariants:
    """Look at a world again and again. specs: by name, what the user has written last.

    taken_back: ARNs of keys that others have saved from their deletion after their objects had gone. watched: ARNs of keys that others have
    made for an object to observe. unprotected: uids of objects whose finalizer a user has taken away: what becomes of their keys is his will.
    """

    def __init__(self, world: World) -> None:
        self.specs: dict[str, Json] = {}
        self.taken_back: set[str] = set()
        self.watched: set[str] = set()
        self.unprotected: set[str] = set()
        self._world = world
        self._histories = Histories()
        self._writes = AwsWrites(world, self._histories)
        self._calls = 0
        self._entries = 0
        self._key_ids: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def destroyed(self) -> set[str]:
        """The ids of keys whose window has ended while their objects lived."""
        return self._writes.destroyed

    @property
    def lost_replicas(self) -> Counter[tuple[str, str]]:
        """How often a replica was lost, by the name of its object and its region."""
        return self._writes.lost_replicas

    def check(self) -> None:
        """Raises BrokenError."""
        entries = self._world.etcd.log[self._entries :]
        calls = self._world.traffic.calls[self._calls :]
        self._entries += len(entries)
        self._calls += len(calls)
        writers = {call.wrote: call for call in calls if call.wrote}
        for entry in entries:
            if entry.plural == "kmskeys":
                self._histories.add(entry)
                self._writes.remember(entry, writers.get(entry.revision))
        for entry in entries:
            self._look_at_entry(entry, writers.get(entry.revision))
        for call in calls:
            if call.target == "aws" and call.outcome == "OK" and call.name == "DescribeKey":
                self._writes.saw(call)
            if call.target == "aws" and call.writes and call.outcome == "OK" and call.name != "GetCallerIdentity":
                self._writes.look(call)
        for name in {entry.ref.name for entry in entries if entry.plural == "kmskeys"}:
            self._look_at_spec(name)

    def _look_at_entry(self, entry: Entry, writer: Call | None) -> None:
        if entry.plural in WITH_CONDITIONS:
            _look_at_observed(entry)
        if writer is not None:
            look_at_transitions(self._world, entry, writer)
        if entry.plural == "kmskeys":
            self._look_at_key(entry, writer)
        elif entry.plural in ("kmsaliases", "kmsgrants") and entry.change == "DELETED":
            left = list(self._left_by(entry))
            hold("I19", not left, f"{entry.ref.name} went, and left behind {left}")

    def _look_at_key(self, entry: Entry, writer: Call | None) -> None:
        metadata, status = entry.body["metadata"], entry.body.get("status", {})
        if "keyId" in status:
            self._look_at_key_id(entry, status["keyId"])
        if self._only_looked(entry):
            unmarked(entry)
        if only_looks(entry.body) or self._is_let_go(entry, writer):
            return
        if entry.change == "DELETED":
            hold("I19", self._dealt_with(entry), f"{entry.ref.name} went, and its key is not dealt with: {self._key_of(entry)}")
        elif status.keys() & {"creationAttempt", "keyId"} and entry.change == "MODIFIED" and not self._was_only_shown(entry):
            hold("I13", KMSKEY_FINALIZER in metadata.get("finalizers", ()), f"{entry.ref.name} has a key and no finalizer")

    def _is_let_go(self, entry: Entry, writer: Call | None) -> bool:
        """Whether the object stands, or goes, without a finalizer because a user has taken it away, and no process has put it back."""
        if uid_of(entry) not in self.unprotected:
            return False
        return writer is None or KMSKEY_FINALIZER not in (entry.before or entry.body)["metadata"].get("finalizers", ())

    def _only_looked(self, entry: Entry) -> bool:
        """Whether no pass that was under way may have known the object as one that does more."""
        return all(map(only_looks, self._histories.known(entry.ref.name, entry.at - PASS_SECONDS, entry.at)))

    def _was_only_shown(self, entry: Entry) -> bool:
        """The key of an object that has not begun to take it over, and is none's, or is lost."""
        if "creationAttempt" in entry.body.get("status", {}):
            return False
        key = self._key_of(entry)
        return self._never_held(entry) if key is None else "adopt" in entry.body["spec"] and key.tags.get(UID_TAG) != uid_of(entry)

    def _look_at_key_id(self, entry: Entry, key_id: str) -> None:
        """One that is lost, and was named so by the user before, is the only one that has a successor."""
        former, name = self._key_ids[uid_of(entry)], entry.ref.name
        former.add(key_id)
        replaced = given_up((version.body for version in self._histories.of(uid_of(entry), entry.at)), self.destroyed)
        kept = former - replaced <= {key_id} or name in self._world.forged
        hold("I11", kept, f"{name} was given another key: {former}, of which {replaced} may be replaced")

    def _dealt_with(self, entry: Entry) -> bool:
        key = self._key_of(entry)
        if key is None or self._never_held(entry):
            return True
        match entry.body["spec"].get("deletionPolicy"):
            case "Retain":
                return True
            case "DisableKey":
                return key.state != "Enabled"
            case _:
                return key.is_leaving

    def _never_held(self, entry: Entry) -> bool:
        """Whether it was deleted before it could begin to take over what it had only observed."""
        versions = [one.body for one in self._histories.of(uid_of(entry), entry.at)]
        return any(map(only_looks, versions)) and not any(KMSKEY_FINALIZER in one["metadata"].get("finalizers", ()) for one in versions)

    def _key_of(self, entry: Entry) -> Key | None:
        arn = entry.body.get("status", {}).get("keyArn")
        return self._world.kms.as_it_was(arn, START + timedelta(seconds=entry.at)) if arn else None

    def _left_by(self, entry: Entry) -> list[str]:
        """What an alias or a grant that was to be undone has left on the keys on which it remembers to have put it."""
        spec, status = entry.body["spec"], entry.body.get("status", {})
        if spec.get("deletionPolicy") == "Retain":
            return []
        moment = START + timedelta(seconds=entry.at)
        ids = {one.get("grantId") for one in status.get("grants", ())}
        arns = {*status.get("placedOn", ()), *(one["keyArn"] for one in status.get("grants", ()))}
        keys = [key for arn in arns if (key := self._world.kms.as_it_was(arn, moment)) is not None]
        aliases = [f"{alias} on {key.arn}" for key in keys for alias in key.aliases if alias == f"alias/{spec.get('aliasName')}"]
        return aliases + [f"{one['GrantId']} on {key.arn}" for key in keys for one in key.grants if one["GrantId"] in ids]

    def _look_at_spec(self, name: str) -> None:
        found, wrote = self._world.find(name), self.specs.get(name)
        if found is not None and wrote is not None:
            hold("I10", found["spec"] == wrote, f"the spec of {name} is {found['spec']}, and the user wrote {wrote}")


def _look_at_observed(entry: Entry) -> None:
    generation, observed = entry.body["metadata"]["generation"], entry.body.get("status", {}).get("observedGeneration", 0)
    hold("I12", observed <= generation, f"{entry.ref.name} observed generation {observed} of {generation}")
