"""Read your own writes: a store, and on top of it what the server answered to our patches until the store has caught up.

A watch is late by design. A pass that begins before the store shows the last one's patch would plan from the past: harmless, because every
write that matters carries a precondition, but wasted. Resource versions of one resource can be compared as numbers (KEP-5504).
"""

from collections.abc import Iterator

from controller.objects import KubeObject, Ref
from controller.partition import WHOLE, HandedOverError, Partition
from controller.patches import Operation
from controller.store import Store


class OwnWrites:
    """The newest version of each object that this process knows. partition: which of them are this process's."""

    def __init__(self, store: Store, partition: Partition = WHOLE) -> None:
        self.partition = partition
        self._store = store
        self._written: dict[Ref, KubeObject] = {}

    def get(self, ref: Ref) -> KubeObject | None:
        """The stored object, or our own later write to it. An object that is gone from the store is gone."""
        stored, written = self._store.get(ref), self._written.get(ref)
        if stored is None or written is None or stored.uid != written.uid or _version(stored) >= _version(written):
            self.forget(ref)
            return stored
        return written

    def guard(self, obj: KubeObject) -> list[Operation]:
        """Asked before each write for an object: what a patch of it has to test. Raises HandedOverError where it has left this process."""
        if self.partition.whole:
            return []
        now = self.get(obj.ref)
        if now is None or now.uid != obj.uid or not self.partition.holds(now):
            raise HandedOverError(f"{obj.ref} is another process's by now")
        return self.partition.tests()

    def all(self) -> Iterator[KubeObject]:
        """Every object, each in its newest version."""
        return (found for stored in list(self._store) if (found := self.get(stored.ref)) is not None)

    def put(self, written: KubeObject) -> None:
        """Remember the server's answer to a write, unless the object has left the store: nobody would forget it then."""
        if self._store.get(written.ref) is not None:
            self._written[written.ref] = written

    def forget(self, ref: Ref) -> None:
        """The object is gone, or the store is as new."""
        self._written.pop(ref, None)


def _version(obj: KubeObject) -> int:
    return int(obj.resource_version)
