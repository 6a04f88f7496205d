"""Where the API server's model keeps its objects: every write has a version of its own, and is remembered until a compaction."""

import asyncio
import bisect
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from controller.objects import Ref

Json = dict[str, Any]
Change = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True)
class Entry:
    """One write. `at` is when it happened, in seconds of the loop; `body` is the object as it was then, or was before it went."""

    revision: int
    at: float
    change: Change
    plural: str
    ref: Ref
    body: Json

    @property
    def line(self) -> bytes:
        """As a watch tells it."""
        return json.dumps({"type": self.change, "object": self.body}).encode() + b"\n"


class Etcd:
    """Objects by plural and Ref. They are not to be changed in place."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.revision = 1000
        self.compacted = 0
        self.log: list[Entry] = []
        self.news = asyncio.Event()
        self._clock = clock
        self._objects: dict[str, dict[Ref, Json]] = {}

    def get(self, plural: str, ref: Ref) -> Json | None:
        return self._objects.get(plural, {}).get(ref)

    def all(self, plural: str, namespace: str | None = None) -> list[Json]:
        """In the order of their names, as the server lists them."""
        held = self._objects.get(plural, {})
        return [held[ref] for ref in sorted(held) if namespace in (None, ref.namespace)]

    def put(self, plural: str, ref: Ref, body: Json) -> Json:
        """Store as a new version; returns what was stored."""
        held = self._objects.setdefault(plural, {})
        change: Change = "MODIFIED" if ref in held else "ADDED"
        held[ref] = stored = self._versioned(body)
        self._note(change, plural, ref, stored)
        return stored

    def delete(self, plural: str, ref: Ref) -> Json:
        """Returns the last state, with the version of the deletion."""
        gone = self._versioned(self._objects[plural].pop(ref))
        self._note("DELETED", plural, ref, gone)
        return gone

    def compact(self) -> None:
        """Forget all history: no older version can be watched from any more."""
        self.compacted = self.revision

    def since(self, revision: int, plural: str, namespace: str | None) -> Iterator[Entry]:
        """What was written after that version."""
        first = bisect.bisect_right(self.log, revision, key=lambda entry: entry.revision)
        for entry in itertools.islice(self.log, first, None):
            if entry.plural == plural and namespace in (None, entry.ref.namespace):
                yield entry

    def wake(self) -> None:
        """Let all watches look around."""
        self.news.set()
        self.news = asyncio.Event()

    def _versioned(self, body: Json) -> Json:
        self.revision += 1
        return {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.revision)}}

    def _note(self, change: Change, plural: str, ref: Ref, body: Json) -> None:
        self.log.append(Entry(self.revision, self._clock(), change, plural, ref, body))
        self.wake()
