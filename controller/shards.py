"""How many shards of a ring live, so that they divide among them what AWS gives to all: by their Leases, looked at every few seconds.

Rules:
1. A shard lives whose Lease names it as its holder and was renewed within its duration. What counts is how long we have seen the same
   version of the Lease, by our own clock: clocks of different machines disagree.
2. A Lease that is seen for the first time counts as living. So the number is too high rather than too low, and each takes too little
   for a while rather than too much.
3. What cannot be read changes nothing. We ourselves always count.

Not promised: the right number at once. A new shard is known to the others after POLL_SECONDS, a lost one after its lease.
"""

import asyncio
from collections.abc import Callable
from typing import Never

import msgspec
import structlog

from controller import metrics
from controller.kube import Kube, KubeError
from controller.lease import LEASES
from controller.lease_rules import LeaseObject
from controller.leases import RING_LABEL

# The retry period of a lease: its holder writes as often.
POLL_SECONDS = 2.0
# Of the API server's own default; a Lease that does not say is the sharder's business.
DURATION_SECONDS = 15.0

log = structlog.get_logger()


class _Leases(msgspec.Struct, frozen=True):
    items: list[LeaseObject]


class Shards:
    """`told` gets the number of living shards each time that it changes. Make it inside the event loop."""

    def __init__(self, kube: Kube, namespace: str, ring: str, told: Callable[[int], None]) -> None:
        self._kube = kube
        self._path = LEASES.path(namespace)
        self._query = {"labelSelector": f"{RING_LABEL}={ring}"}
        self._told = told
        self._clock = asyncio.get_running_loop().time
        self._seen: dict[str, tuple[object, float]] = {}  # by name: the version, and since when
        self._number = 0

    async def run(self) -> Never:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> None:
        """Once."""
        try:
            answer = await self._kube.get(self._path, self._query)
            leases = msgspec.json.decode(answer, type=_Leases).items
        except (KubeError, ValueError) as error:
            log.warning("shards_not_read", error=str(error))
            return
        self._tell(self._living(leases))

    def _living(self, leases: list[LeaseObject]) -> int:
        now, before = self._clock(), self._seen
        self._seen = {}
        number = 0
        for lease in leases:
            name, version = str(lease.metadata["name"]), lease.resource_version
            known = before.get(name)
            since = known[1] if known is not None and known[0] == version else now
            self._seen[name] = (version, since)
            duration = lease.spec.lease_duration_seconds or DURATION_SECONDS
            number += lease.spec.holder_identity == name and now < since + duration
        return max(number, 1)

    def _tell(self, number: int) -> None:
        metrics.CONTROLLER_RING_SHARDS.set(number)
        if number != self._number:
            log.info("shards", living=number, before=self._number)
            self._number = number
            self._told(number)
