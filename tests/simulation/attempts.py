"""I20, of the calls that cannot be repeated: each one was written down before it was sent, by the process that sent it, and for it alone.

An attempt is known by all that it says. One that a process only carries along, because it was in the status already, is not its own.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconcilers.names import UID_TAG
from tests.simulation.calls import Call
from tests.simulation.checks import hold
from tests.simulation.etcd import Entry, Json

WRITTEN_AHEAD = frozenset({"CreateKey", "ReplicateKey", "RotateKeyOnDemand"})


@dataclass(frozen=True)
class Purpose:
    """What a call is for. subject: the uid of the object that shall have a key, or else the id of the key."""

    operation: str
    subject: str
    region: str = ""


@dataclass(frozen=True)
class Attempt:
    """By whom and when it was written down; `version` is the object as it was stored with it."""

    replica: str
    at: float
    told: str
    version: Json


class Attempts:
    """All that were written down, in their order, and those that were carried out."""

    def __init__(self) -> None:
        self._written: defaultdict[Purpose, list[Attempt]] = defaultdict(list)
        self._done: set[tuple[Purpose, str]] = set()

    def add(self, entry: Entry, writer: Call) -> None:
        """A version of a KMSKey, and the call of a process that made it."""
        before = dict(_attempts(entry.before or {}))
        for purpose, told in _attempts(entry.body):
            if before.get(purpose) != told:
                self._written[purpose].append(Attempt(writer.replica, entry.at, told, entry.body))

    def carry_out(self, call: Call) -> Json:
        """A call that was done, each once; returns the object for which it was written down. Raises BrokenError."""
        purpose = _purpose(call)
        own = [one for one in self._written[purpose] if one.replica == call.replica and one.at <= call.sent]
        hold("I20", bool(own), f"{call} was not written ahead by {call.replica}")
        attempt = own[-1]
        hold("I20", (purpose, attempt.told) not in self._done, f"{call} was sent a second time for {attempt.told}")
        self._done.add((purpose, attempt.told))
        return attempt.version


def look_at_attempts(entries: Iterable[Entry], calls: Iterable[Call]) -> None:
    """At all that happened in a world. Raises BrokenError."""
    attempts, done = Attempts(), list(calls)
    writers = {call.wrote: call for call in done if call.wrote}
    for entry in entries:
        if entry.plural == "kmskeys" and entry.revision in writers:
            attempts.add(entry, writers[entry.revision])
    for call in done:
        if call.name in WRITTEN_AHEAD and call.outcome == "OK":
            attempts.carry_out(call)


def _purpose(call: Call) -> Purpose:
    if call.name == "CreateKey":
        tags = {tag["TagKey"]: tag["TagValue"] for tag in call.parameters["Tags"]}
        return Purpose(call.name, tags[UID_TAG])
    return Purpose(call.name, call.subject.rpartition("/")[2], str(call.parameters.get("ReplicaRegion", "")))


def _attempts(body: Json) -> Iterator[tuple[Purpose, str]]:
    """What this version remembers to have been sent."""
    status = body.get("status", {})
    key_id = status.get("keyId", "")
    if "creationAttempt" in status:
        yield Purpose("CreateKey", body["metadata"]["uid"]), json.dumps(status["creationAttempt"])
    if "rotationAttempt" in status:
        yield Purpose("RotateKeyOnDemand", key_id), json.dumps(status["rotationAttempt"])
    for one in status.get("replicas", ()):
        if "creationAttempt" in one:
            yield Purpose("ReplicateKey", key_id, one["region"]), json.dumps(one["creationAttempt"])
