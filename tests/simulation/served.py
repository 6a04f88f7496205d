"""Which versions of an object each process has been told of: what a pass may have begun with, and have gone on from.

Rules:
1. A process is shown a version by a list, by a read, by a watch, or by the answer to its own patch. None that it never had can be what it
   decides from.
2. It holds a version for sure once its watch has asked for what comes next, or once its own patch was answered. From then on it decides from
   no older one. A list is not held before its last page has come, which nobody outside can tell; so lists, and reads, are only shown.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field

from tests.simulation.etcd import Json


@dataclass
class _Known:
    """By one process of one object: (when, revision)."""

    shown: list[tuple[float, int]] = field(default_factory=list)
    held: list[tuple[float, int]] = field(default_factory=list)


class Served:
    """By all processes."""

    def __init__(self) -> None:
        self._known: defaultdict[tuple[str, str], _Known] = defaultdict(_Known)

    def show(self, replica: str, obj: Json, at: float) -> None:
        """This version was on its way to a process, and has arrived."""
        self._of(replica, obj).shown.append((at, _revision(obj)))

    def hold(self, replica: str, obj: Json, at: float) -> None:
        """The process has taken this version up."""
        self._of(replica, obj).held.append((at, _revision(obj)))

    def answer(self, replica: str, body: bytes, at: float, *, holds: bool) -> None:
        """All objects of an answer were shown; holds: it was that to a patch of the process' own."""
        decoded: Json = json.loads(body)
        for obj in decoded.get("items", [decoded]):
            self.show(replica, obj, at)
            if holds:
                self.hold(replica, obj, at)

    def between(self, replica: str, uid: str, began: float, until: float) -> list[int]:
        """The versions of an object that a pass of this process, begun then, may have decided from until then."""
        known = self._known[replica, uid]
        least = max((revision for at, revision in known.held if at < began), default=0)
        return sorted({revision for at, revision in known.shown if at <= until and revision >= least})

    def _of(self, replica: str, obj: Json) -> _Known:
        return self._known[replica, str(obj["metadata"]["uid"])]


def _revision(obj: Json) -> int:
    return int(obj["metadata"]["resourceVersion"])
