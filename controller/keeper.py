"""Who looks after what is not divided, where several processes divide the objects: one of them, by a Lease beside its own.

Rules:
1. The Lease is the one that a single leader would hold, under its usual name: so there is one of it, whatever the partition.
2. To lose it ends nothing but the keeping: the process goes on with its own objects, and contends again.
3. keeps() asks the Lease itself, at each time.

Not promised: that a write which was sent in time does not arrive after the next keeper's first. What a keeper writes is harmless when repeated.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Never

import structlog

from controller.lease import Lease

PAUSE_SECONDS = 1.0  # before contending again

log = structlog.get_logger()
OpenLease = Callable[[Callable[[str], None]], Lease]


class Keeper:
    """`open_lease` makes the Lease anew, given what it calls when it is lost; `took` are called each time when it is ours."""

    def __init__(self, open_lease: OpenLease) -> None:
        self.took: list[Callable[[], None]] = []
        self._open_lease = open_lease
        self._lease: Lease | None = None

    def keeps(self) -> bool:
        """Whether that is us, now."""
        return self._lease is not None and self._lease.held()

    def beat(self) -> None:
        """Say that the main loop is alive."""
        if self._lease is not None:
            self._lease.beat()

    async def run(self) -> Never:
        """Contend until cancelled."""
        while True:
            lost = asyncio.Event()
            self._lease = self._open_lease(_teller(lost))
            self._lease.start()
            await self._hold(self._lease, lost)
            await asyncio.sleep(PAUSE_SECONDS)

    async def release_and_stop(self) -> None:
        """Let another one keep. run() has ended before."""
        if self._lease is not None:
            await self._lease.release_and_stop()

    async def _hold(self, lease: Lease, lost: asyncio.Event) -> None:
        """Until it is lost."""
        waiting = asyncio.create_task(lost.wait())
        acquiring = asyncio.create_task(lease.acquired())
        try:
            await asyncio.wait([waiting, acquiring], return_when=asyncio.FIRST_COMPLETED)
            if acquiring.done():
                log.info("keeping")
                for tell in self.took:
                    tell()
            await waiting
        finally:
            for task in (waiting, acquiring):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await acquiring


class OnlyOne:
    """For a process that works on all objects: it looks after the rest as well."""

    def __init__(self) -> None:
        self.took: list[Callable[[], None]] = []  # never called

    def keeps(self) -> bool:
        """Always."""
        return True

    def beat(self) -> None:
        """Nobody listens."""

    async def run(self) -> Never:
        """Nothing to contend for."""
        while True:
            await asyncio.Event().wait()

    async def release_and_stop(self) -> None:
        """Nothing to give back."""


def _teller(lost: asyncio.Event) -> Callable[[str], None]:
    """The lease lives in a thread of its own."""
    loop = asyncio.get_running_loop()

    def tell(reason: str) -> None:
        log.warning("keeper_lost", reason=reason)
        loop.call_soon_threadsafe(lost.set)

    return tell
