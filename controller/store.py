"""The newest known version of each object of one kind.

Rules:
1. Only informers write it; everybody else reads. It may be fed by several, one for each watched namespace, and each of them
   replaces nothing but its own namespace.
2. It is synced once every informer that it waits for has delivered a full list. Until then, "not here" means nothing.
3. It holds what the server said, with no memory of what is gone.

Not promised: that it is up to date. Our own writes show up here later, so what must be certain is read from the server.
"""

from collections.abc import Iterator
from typing import NamedTuple

from controller.objects import KubeObject, Ref


class Change(NamedTuple):
    """One object as it was and as it is; None for not there."""

    ref: Ref
    old: KubeObject | None
    new: KubeObject | None


class Store:
    """Objects by name. Iteration is over the objects as they are now, and must not be interleaved with awaits."""

    def __init__(self) -> None:
        self._objects: dict[Ref, KubeObject] = {}
        self._by_namespace: dict[str, list[KubeObject]] | None = None  # made when it is asked for, until the next change
        self._is_fed = False
        self._awaited: set[str | None] = set()

    @property
    def synced(self) -> bool:
        """Whether each informer has delivered its first list."""
        return self._is_fed and not self._awaited

    def get(self, ref: Ref) -> KubeObject | None:
        """The object of that name, if there is one."""
        return self._objects.get(ref)

    def has(self, obj: KubeObject) -> bool:
        """Whether this very object is there, in whatever version."""
        found = self._objects.get(obj.ref)
        return found is not None and found.uid == obj.uid

    def of(self, namespace: str) -> list[KubeObject]:
        """The objects of one namespace, for stores that change seldom and are asked often."""
        if self._by_namespace is None:
            self._by_namespace = {}
            for obj in self:
                self._by_namespace.setdefault(obj.namespace, []).append(obj)
        return self._by_namespace.get(namespace, [])

    def __iter__(self) -> Iterator[KubeObject]:
        return iter(self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)

    def expect(self, namespace: str | None) -> None:
        """An informer announces itself; None is the one of all namespaces."""
        self._is_fed = True
        self._awaited.add(namespace)

    def replace(self, namespace: str | None, listed: dict[Ref, KubeObject]) -> Iterator[list[Change]]:
        """Put a full list of that namespace in place of what was there, at once. Tells of one object after the other what differs, deletions
        first: whoever has many of them may take turns with others meanwhile, and what was put in place is not to be touched until the end."""
        before = self._objects
        if namespace is None:
            self._objects = listed
        else:
            self._objects = {ref: known for ref, known in before.items() if ref.namespace != namespace} | listed
        self._by_namespace = None
        self._awaited.discard(namespace)
        return _differences(namespace, before, listed)

    def put(self, new: KubeObject) -> list[Change]:
        """Remember an object. Returns what differs."""
        old = self._objects.get(new.ref)
        self._objects[new.ref] = new
        self._by_namespace = None
        return differences(old, new)

    def remove(self, gone: KubeObject) -> list[Change]:
        """Forget an object, unless another one has taken its name since. Returns what differs."""
        old = self._objects.get(gone.ref)
        if old is None or old.uid != gone.uid:
            return []
        del self._objects[gone.ref]
        self._by_namespace = None
        return [Change(gone.ref, old, None)]


def _differences(namespace: str | None, before: dict[Ref, KubeObject], listed: dict[Ref, KubeObject]) -> Iterator[list[Change]]:
    for ref, old in before.items():
        if namespace in {None, ref.namespace}:
            yield [] if ref in listed else [Change(ref, old, None)]
    for ref, new in listed.items():
        yield differences(before.get(ref), new)


def differences(old: KubeObject | None, new: KubeObject) -> list[Change]:
    """Nothing for the same version. Another uid means that the old object was deleted, and a new one took its name."""
    if old is None:
        return [Change(new.ref, None, new)]
    if old.uid != new.uid:
        return [Change(old.ref, old, None), Change(new.ref, None, new)]
    return [] if old.is_same_version(new) else [Change(new.ref, old, new)]
