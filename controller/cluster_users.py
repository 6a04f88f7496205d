"""Who uses the providers, where several processes divide the objects: counted over all objects of the cluster, as the server has them.

Rules:
1. One count serves all providers, for COUNT_SECONDS: a status tells its number that much late.
2. A provider that is being deleted goes by a count that began SETTLE_SECONDS after its deletion was seen here. Before another process gives its
   object a finalizer, it reads the provider anew, and stops if that is being deleted; its patch follows at once, and is given up sooner than
   that. So whoever came before the deletion is in the count.
3. A provider that lives keeps its finalizer, whether it has users or not.

Not promised: that a request which its sender gave up is not carried out later than all timeouts. Its object then waits for its provider to be
made again, as one does whose provider's finalizer was taken off by hand.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from controller.key_objects import KMSKEYS
from controller.kube import TIMEOUT_SECONDS
from controller.objects import KubeObject, Ref, Resource
from controller.partition import Others
from controller.provider_users import ProviderUsers
from controller.ties import Ties

COUNT_SECONDS = 30.0  # between two looks at a provider
SETTLE_SECONDS = TIMEOUT_SECONDS + 5.0


@dataclass(frozen=True, slots=True)
class Count:
    """began: loop time. keys: the KMSKeys; ties: how many other objects need a provider."""

    began: float
    keys: ProviderUsers
    ties: tuple[Ties, ...]


class ClusterUsers:
    """`tied`: the kinds, beside the KMSKeys, whose objects need providers, and by which finalizer."""

    def __init__(self, others: Others, clock: Callable[[], float] | None = None) -> None:
        self.tied: list[tuple[Resource, str]] = []
        self._others = others
        self._clock = clock or asyncio.get_running_loop().time
        self._count: Count | None = None
        self._counting = asyncio.Lock()
        self._leaving: dict[str, float] = {}  # by uid: since when a provider has been seen to be deleted

    async def users(self, provider: KubeObject) -> Count:
        """A count that is new enough for this provider. Raises KubeError."""
        recent, leaves = self._clock() - COUNT_SECONDS, self._leaves(provider)
        return await self._since(recent if leaves is None else max(recent, leaves))

    def may_go(self, provider: KubeObject) -> bool:
        """Whether the count decides that: rules 2 and 3."""
        return self._leaves(provider) is not None

    def _leaves(self, provider: KubeObject) -> float | None:
        """From when on a count shows everybody who holds it up; None while that is to come."""
        if provider.deletion_timestamp is None:
            return None
        now = self._clock()
        settled = self._leaving.setdefault(provider.uid, now) + SETTLE_SECONDS
        return settled if now >= settled else None

    def gone(self, provider: KubeObject) -> None:
        """The provider is away."""
        self._leaving.pop(provider.uid, None)

    async def _since(self, moment: float) -> Count:
        """A count that began then or later. Whoever comes while another counts may take that one's."""
        async with self._counting:
            if self._count is None or self._count.began < moment:
                self._count = await self._anew()
            return self._count

    async def _anew(self) -> Count:
        count = Count(self._clock(), ProviderUsers(), tuple(Ties(finalizer) for _, finalizer in self.tied))
        for key in await self._others.all(KMSKEYS):
            count.keys.changed(None, key)
        for ties, (kind, _) in zip(count.ties, self.tied, strict=True):
            for obj in await self._others.all(kind):
                ties.changed(None, obj)
        return count


def tied_to(provider: Ref, count: Count) -> int:
    """How many objects beside the KMSKeys need it."""
    return sum(ties.of(provider) for ties in count.ties)
