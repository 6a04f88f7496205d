"""The objects of a simulation in all their versions: what a pass that was under way at some time may have known of them."""

from collections import defaultdict
from collections.abc import Callable

from tests.simulation.etcd import Entry, Json

# A pass may act on what the object was when it began; this is the longest that one may take.
PASS_SECONDS = 60.0


class Histories:
    """Of all KMSKeys."""

    def __init__(self) -> None:
        self._versions: defaultdict[str, list[Entry]] = defaultdict(list)  # of each uid
        self._keys: set[str] = set()

    def add(self, entry: Entry) -> None:
        self._versions[uid_of(entry)].append(entry)
        self._keys.add(entry.body.get("status", {}).get("keyArn", ""))

    def knew(self, arn: str) -> bool:
        """Whether an object has ever told of that key."""
        return arn in self._keys

    def of(self, uid: str, until: float) -> list[Entry]:
        """All versions of one object."""
        return [entry for entry in self._versions[uid] if entry.at <= until]

    def recent(self, name: str, at: float) -> list[Json]:
        """The versions of the objects of this name that a pass under way at that time may have seen."""
        found = []
        for versions in self._versions.values():
            ours = [e for e in versions if e.ref.name == name and e.at <= at]
            found += [e.body for e in ours[-1:]] + [e.body for e in ours[:-1] if e.at >= at - PASS_SECONDS]
        return found

    def known(self, name: str, since: float, until: float) -> list[Json]:
        """What the objects of this name were at any moment of that time, on their way out included."""
        found = []
        for versions in self._versions.values():
            ours = [e for e in versions if e.ref.name == name and e.at <= until]
            ends = [*(later.at for later in ours[1:]), until]
            found += [entry.body for entry, end in zip(ours, ends, strict=False) if end >= since]
        return found

    def times(self, name: str, happened: Callable[[Json | None, Json], bool]) -> int:
        """How often an object of this name was changed like this, its making included."""
        entries = [e for versions in self._versions.values() for e in versions if e.ref.name == name and e.change != "DELETED"]
        return sum(happened(entry.before, entry.body) for entry in entries)


def uid_of(entry: Entry) -> str:
    return str(entry.body["metadata"]["uid"])
