"""Where the API server's model keeps its objects: every write has a version of its own, and is remembered until a compaction."""

import asyncio
import bisect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from controller.objects import Ref
from controller.selectors import Selector

Json = dict[str, Any]
Change = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True)
class Entry:
    """One write. `at` is when it happened, in seconds of the loop; `body` is the object as it was then, or was before it went.

    `before` is the object as it was before this write.
    """

    revision: int
    at: float
    change: Change
    plural: str
    ref: Ref
    body: Json
    before: Json | None

    def told(self, selector: Selector | None) -> tuple[Change, Json] | None:
        """To a watch with this selector. What stops matching is DELETED: as it was before, at the version of the change."""
        if selector is None:
            return self.change, self.body
        was = self.before is not None and _matches(selector, self.before)
        if self.change != "DELETED" and _matches(selector, self.body):
            return ("MODIFIED" if was else "ADDED"), self.body
        if not was or self.before is None:
            return None
        version = self.body["metadata"]["resourceVersion"]
        return "DELETED", {**self.before, "metadata": {**self.before["metadata"], "resourceVersion": version}}


class Etcd:
    """Objects by plural and Ref. They are not to be changed in place."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.revision = 1000
        self.compacted = 0
        self.log: list[Entry] = []
        self.news = asyncio.Event()
        self._clock = clock
        self._objects: dict[str, dict[Ref, Json]] = {}

    @property
    def now(self) -> float:
        """In seconds of the loop."""
        return self._clock()

    def get(self, plural: str, ref: Ref) -> Json | None:
        return self._objects.get(plural, {}).get(ref)

    def all(self, plural: str, namespace: str | None = None, selector: Selector | None = None) -> list[Json]:
        """In the order of their names, as the server lists them."""
        held = self._objects.get(plural, {})
        chosen = [held[ref] for ref in sorted(held) if namespace in (None, ref.namespace)]
        return [obj for obj in chosen if selector is None or _matches(selector, obj)]

    def put(self, plural: str, ref: Ref, body: Json) -> Json:
        """Store as a new version; returns what was stored."""
        held = self._objects.setdefault(plural, {})
        change: Change = "MODIFIED" if ref in held else "ADDED"
        before = held.get(ref)
        held[ref] = stored = self._versioned(body)
        self._note(change, plural, ref, stored, before)
        return stored

    def delete(self, plural: str, ref: Ref) -> Json:
        """Returns the last state, with the version of the deletion."""
        before = self._objects[plural].pop(ref)
        gone = self._versioned(before)
        self._note("DELETED", plural, ref, gone, before)
        return gone

    def compact(self) -> None:
        """Forget all history: no older version can be watched from any more."""
        self.compacted = self.revision

    def as_it_was(self, moment: float) -> "Etcd":
        """A copy of what was held then."""
        past = Etcd(self._clock)
        past.log = self.log[: bisect.bisect_right(self.log, moment, key=lambda entry: entry.at)]
        for entry in past.log:
            past._take(entry)
        past.compacted = min(self.compacted, past.revision)
        return past

    def at(self, revision: int) -> Entry:
        """The write that made this version."""
        return self.log[bisect.bisect_left(self.log, revision, key=lambda entry: entry.revision)]

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

    def _take(self, entry: Entry) -> None:
        self.revision = entry.revision
        held = self._objects.setdefault(entry.plural, {})
        if entry.change == "DELETED":
            del held[entry.ref]
        else:
            held[entry.ref] = entry.body

    def _versioned(self, body: Json) -> Json:
        self.revision += 1
        return {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.revision)}}

    def _note(self, change: Change, plural: str, ref: Ref, body: Json, before: Json | None) -> None:
        self.log.append(Entry(self.revision, self._clock(), change, plural, ref, body, before))
        self.wake()


def _matches(selector: Selector, body: Json) -> bool:
    return selector.matches(body["metadata"].get("labels") or {})
