"""How many KMSKeys come to a provider, counted as they change, so that nobody has to look at all of them.

Keys are counted in groups: those of one namespace that name the same provider, or none. Which provider a group comes to changes with the
providers, and is asked when a number is wanted (`comes`).
"""

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from controller.key_objects import named_provider
from controller.objects import KubeObject, Ref
from reconcilers.awsprovider import Users
from reconcilers.key_spec import ProviderRef
from reconcilers.names import KMSKEY_FINALIZER


class Group(NamedTuple):
    """Keys that come to the same provider."""

    namespace: str
    named: Ref | None

    @property
    def ref(self) -> ProviderRef | None:
        """What their specs say."""
        return ProviderRef.model_construct(name=self.named.name, namespace=self.named.namespace) if self.named else None


class ProviderUsers:
    """All groups of the cluster that have a key."""

    def __init__(self) -> None:
        self._groups: dict[Group, Users] = {}
        self._naming: defaultdict[Ref | None, set[Group]] = defaultdict(set)

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> set[Group]:
        """What the informer of the keys tells; returns the groups that have another number now."""
        before, after = _counted(old), _counted(new)
        if before == after:
            return set()
        for counted, sign in ((before, -1), (after, 1)):
            if counted is not None:
                self._add(*counted, sign)
        return {counted[0] for counted in (before, after) if counted}

    def of(self, provider: Ref, comes: Callable[[Group], bool], *, everybodys: bool) -> Users:
        """How many come to this one. everybodys: keys of other namespaces may come to it without naming it."""
        unnamed = (group for group in self._naming.get(None, ()) if everybodys or group.namespace == provider.namespace)
        coming = [self._groups[group] for group in (*unnamed, *self._naming.get(provider, ())) if comes(group)]
        return Users(sum(users.objects for users in coming), sum(users.keys for users in coming))

    def _add(self, group: Group, users: Users, sign: int) -> None:
        known = self._groups.get(group, Users(0, 0))
        self._groups[group] = now = Users(known.objects + sign * users.objects, known.keys + sign * users.keys)
        self._naming[group.named].add(group)
        if not now.objects:
            del self._groups[group]
            self._naming[group.named].discard(group)


def _counted(obj: KubeObject | None) -> tuple[Group, Users] | None:
    return (Group(obj.namespace, named_provider(obj)), Users(1, int(KMSKEY_FINALIZER in obj.finalizers))) if obj else None
