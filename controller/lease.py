"""The lease: at most one process works at a time, and it knows at every moment whether it is the one.

The lease lives on an event loop of its own, in a thread, with its own connection: a busy main loop or a full connection pool
cannot lose it. What may be written, and when, is decided by the pure functions of lease_rules.

Rules:
1. held() is the fence: ask it before each write to the outside, with that write's timeout as the margin. It compares the clock
   with the START of our last successful renewal, so it turns false by itself: when the API server hangs, refuses or lies, when
   our thread is starved, and after a pause of the whole process, before anybody has noticed.
2. A renewal starts each retry period, and a second after a failed one; each request is bounded by half the renew deadline, all
   of them by the deadline. Past it, or at the sight of another holder, the lease is lost: on_lost is called, which by default
   ends the process at once.
3. While another leads we look each second, so that a released lease is taken within about a second.
4. A hung main loop must not lead: the lease is neither taken nor renewed while its last beat() is older than the renew
   deadline. A shorter stall costs nothing (5 s of one C call have been measured); a longer one ends us a deadline later.
5. release_and_stop() is for the orderly end, after the workers have ended. Whoever cannot wait for them exits without it.

Not promised: fencing on the far side. A write that was sent while held() was true may still arrive late; the margin makes that
improbable, and only writes that are harmless when repeated make it safe. Nor do clocks that run at different speeds help.
"""

import asyncio
import concurrent.futures
import contextlib
import math
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime

import msgspec
import structlog

from controller import metrics
from controller.kube import Conflict, Kube, KubeError, NotFound
from controller.lease_rules import LeaseConfig, LeaseObject, Seen, Step, claimed, decide, decode_lease, observe, released
from controller.objects import Resource

LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
MAX_POLL_SECONDS = 1.0  # a GET per second and standby is nothing to an API server
NEVER = -math.inf

Spawn = Callable[[Coroutine[object, object, None]], object]

log = structlog.get_logger()


def exit_at_once(reason: str) -> None:
    """End the process without any farewell: whatever it would still do, it may do beside the next leader."""
    log.error("lease_lost", reason=reason)
    os._exit(1)


def in_a_thread(life: Coroutine[object, object, None]) -> None:
    """Run a coroutine on an event loop of its own, in a thread that does not keep the process alive."""
    threading.Thread(target=asyncio.run, args=(life,), name="lease", daemon=True).start()


class Lease:
    """See the rules above. All public methods belong to the main loop, except held() and beat(), which any thread may call.

    `connect` opens the lease's own connection; `on_lost` gets the reason, and is called on the lease's loop; `clock` gives
    monotonic seconds; `spawn` decides where the lease lives (asyncio.create_task: on the main loop, as in a simulation).
    """

    def __init__(
        self,
        config: LeaseConfig,
        connect: Callable[[], Awaitable[Kube]],
        on_lost: Callable[[str], None] = exit_at_once,
        clock: Callable[[], float] = time.monotonic,
        spawn: Spawn = in_a_thread,
    ) -> None:
        self._config = config
        self._connect = connect
        self._on_lost = on_lost
        self._clock = clock
        self._spawn = spawn
        self._poll = min(config.retry_period, MAX_POLL_SECONDS)
        self._request_timeout = config.renew_deadline / 2
        self._path = LEASES.path(config.namespace, config.name)
        self._kube: Kube  # opened on the lease's own loop
        self._seen = Seen()
        self._complaint = ""
        self._renewed = NEVER  # start of our last successful renewal; written by the lease's loop, read by any thread
        self._beaten = NEVER
        # Signals between the two loops.
        self._acquired: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._stop: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._status = metrics.LEADER_ELECTION_MASTER_STATUS.labels(name=config.name)
        self._slowpath = metrics.LEADER_ELECTION_SLOWPATH.labels(name=config.name)

    def start(self) -> None:
        """Become a contender. From now on beat() has to be called each second."""
        self.beat()
        self._status.set(0)
        self._life = self._spawn(self._live())  # kept, because a loop holds its tasks only weakly

    def beat(self) -> None:
        """Say that the main loop is alive."""
        self._beaten = self._clock()

    def held(self, margin: float = 0.0) -> bool:
        """Whether the lease is ours now, and others will respect it for `margin` more seconds."""
        renewed = self._renewed
        now = self._clock()
        return now < renewed + self._config.renew_deadline and now + margin <= renewed + self._config.duration

    @property
    def leading(self) -> bool:
        """Whether the lease is ours now."""
        return self.held()

    async def acquired(self) -> None:
        """Wait until the lease is ours, however long another process works."""
        await asyncio.shield(asyncio.wrap_future(self._acquired))

    async def release_and_stop(self) -> None:
        """Give the lease back if it is ours, and end. Returns within the renew deadline, whatever the API server does."""
        if not self._stop.done() and not self._ended.done():
            self._stop.set_result(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.renew_deadline):
                await asyncio.shield(asyncio.wrap_future(self._ended))

    async def _live(self) -> None:
        """From the first look at the lease until it is lost or stopped."""
        try:
            self._kube = await self._connect()
            try:
                await self._contend()
            finally:
                await self._kube.close()
        except Exception as error:  # nobody else would notice that this loop is dead
            log.exception("lease_failed")
            self._on_lost(f"the lease's own loop failed: {error}")
        finally:
            self._ended.set_result(None)

    async def _contend(self) -> None:
        candidacy = asyncio.create_task(self._candidacy())
        asyncio.wrap_future(self._stop).add_done_callback(lambda _: candidacy.cancel())
        try:
            self._on_lost(await candidacy)
        except asyncio.CancelledError:
            if not self._stop.done():  # the loop itself is ended, as in a crash, which releases nothing
                raise
            await self._release()

    async def _candidacy(self) -> str:
        """Acquire the lease and keep it. Returns why it was lost."""
        try:
            await self._acquire()
            self._acquired.set_result(None)
            return await self._keep()
        finally:
            self._renewed = NEVER
            self._status.set(0)

    async def _acquire(self) -> None:
        while await self._try_once() is Step.WAIT:  # noqa: ASYNC110 - the holder is on another machine
            await asyncio.sleep(self._poll)
        self._status.set(1)
        log.info("lease_acquired", lease=self._config.name, holder=self._config.holder)

    async def _keep(self) -> str:
        step = Step.RENEW
        while step is not Step.LOST:
            # From start to start, so that slow answers do not eat up the deadline; sooner after a failure, for the same reason.
            pause = self._poll if step is Step.WAIT else self._renewed + self._config.retry_period - self._clock()
            await asyncio.sleep(min(pause, self._left()))
            if self._left() <= 0:
                return f"it could not be renewed within {self._config.renew_deadline:g} s"
            step = await self._try_once()
        return f"it is held by {self._seen.holder or 'nobody'}"

    def _left(self) -> float:
        """Seconds until the renew deadline."""
        return self._renewed + self._config.renew_deadline - self._clock()

    async def _try_once(self) -> Step:
        """One attempt, bounded by the deadline; WAIT where it failed."""
        if self._clock() - self._beaten > self._config.renew_deadline:
            return self._failed("the main loop does not move")
        try:
            async with asyncio.timeout(self._left() if self._renewed > NEVER else self._config.renew_deadline):
                step = await self._attempt()
        except TimeoutError:
            return self._failed("no answer before the renew deadline")
        except (KubeError, ValueError) as error:  # ValueError: a garbled answer
            return self._failed(str(error))
        self._complaint = ""
        return step

    def _failed(self, complaint: str) -> Step:
        if complaint != self._complaint:  # once, not each second of an outage
            log.warning("lease_attempt_failed", lease=self._config.name, error=complaint)
        self._complaint = complaint
        return Step.WAIT

    async def _attempt(self) -> Step:
        leading = self._renewed > NEVER
        if leading:
            try:
                return await self._write(Step.RENEW)
            except (Conflict, NotFound):
                self._slowpath.inc()
        lease = await self._read()
        self._seen = observe(self._seen, lease, self._config, self._clock())
        step = decide(self._seen, self._config.holder, leading, self._clock())
        return step if step in (Step.WAIT, Step.LOST) else await self._write(step)

    async def _read(self) -> LeaseObject | None:
        try:
            return decode_lease(await self._kube.get(self._path, timeout=self._request_timeout))
        except NotFound:
            return None

    async def _write(self, step: Step) -> Step:
        """Make the lease ours from the start of this request: others see it later, and count from then."""
        started = self._clock()
        body = msgspec.to_builtins(claimed(self._seen, self._config, datetime.now(UTC)))
        if step is Step.CREATE:
            answer = await self._kube.post(LEASES.path(self._config.namespace), body, timeout=self._request_timeout)
        else:
            answer = await self._kube.put(self._path, body, timeout=self._request_timeout)
        self._seen = observe(self._seen, decode_lease(answer), self._config, self._clock())
        self._renewed = started
        return step

    async def _release(self) -> None:
        """Give the lease back if it is ours. A failure costs only time: it expires by itself."""
        try:
            async with asyncio.timeout(self._request_timeout):
                while not await self._is_released():  # noqa: ASYNC110 - the answer is on another machine
                    await asyncio.sleep(self._poll)
        except TimeoutError:
            log.warning("lease_not_released", lease=self._config.name, expires_in=self._config.duration)

    async def _is_released(self) -> bool:
        try:
            lease = await self._read()
            if lease is not None and lease.spec.holder_identity == self._config.holder:
                body = msgspec.to_builtins(released(lease, datetime.now(UTC)))
                await self._kube.put(self._path, body, timeout=self._request_timeout)
                log.info("lease_released", lease=self._config.name)
        except (KubeError, ValueError) as error:
            self._failed(str(error))
            return False
        return True


class NoLease:
    """For a process that runs alone by its operator's word: it always leads."""

    leading = True

    def start(self) -> None:
        """Nothing to contend for."""

    def beat(self) -> None:
        """Nobody listens."""

    def held(self, margin: float = 0.0) -> bool:  # noqa: ARG002 - Lease's signature
        """Always."""
        return True

    async def acquired(self) -> None:
        """At once."""

    async def release_and_stop(self) -> None:
        """Nothing to give back."""
