"""How many objects need each provider, and so hold it up.

Rules:
1. A process that has all keys counts them as they change. Where several divide them, it counts all objects of the cluster (cluster_users.py).
2. A key counts where it is led (provider_ways.py), an object of another kind until it has undone what it made through the provider.
"""

from collections.abc import Callable, Iterator

from controller.cluster_users import ClusterUsers, tied_to
from controller.objects import KubeObject, Ref
from controller.provider_users import ProviderUsers
from controller.provider_ways import ProviderWays
from reconcilers.awsprovider import Users
from reconcilers.states import Problem


class ProviderCounts:
    """`tied` are asked how many objects of other kinds need a provider; `cluster` counts over all processes."""

    def __init__(self, ways: ProviderWays) -> None:
        self.tied: list[Callable[[Ref], int]] = []
        self.cluster = ClusterUsers(ways.others)
        self._ways = ways
        self._keys = ProviderUsers()

    def key_changed(self, old: KubeObject | None, new: KubeObject | None) -> Iterator[Ref]:
        """What the informer of the keys tells; the providers that have another number now."""
        for group in self._keys.changed(old, new):
            provider = self._ways.resolve(group.namespace, group.ref)
            if not isinstance(provider, Problem):
                yield provider

    async def of(self, provider: KubeObject) -> Users:
        """All that there are. Raises KubeError."""
        if not self._ways.others.there:
            return self.here(provider)
        count = await self.cluster.users(provider)
        return self._sum(provider, count.keys, tied_to(provider.ref, count))

    def here(self, provider: KubeObject) -> Users:
        """Those among the objects of this process."""
        return self._sum(provider, self._keys, sum(count(provider.ref) for count in self.tied))

    def _sum(self, provider: KubeObject, users: ProviderUsers, tied: int) -> Users:
        everybodys = self._ways.is_everybodys(provider.ref)
        keys = users.of(provider.ref, lambda group: self._ways.may_lead(group.namespace, group.ref, provider), everybodys=everybodys)
        return Users(keys.objects + tied, keys.keys + tied)
