"""The workers: N tasks that take an object from the queue, reconcile it under a deadline, and see to what follows.

Rules:
1. A pass ends in one of these ways, and each decides by itself when the object is looked at again:
       a timedelta    forget past failures, look again then
       None           forget past failures, look again when something changes
       an exception   retry with backoff, and not before the API server's Retry-After; errors carry no other delay
       the deadline   the same, counted as a timeout
       PostponedError neither failed nor succeeded: past failures stay, and somebody will add it, or it is looked at again then
2. Expected exceptions (a server that says no, a network that is down) are one warning each. Any other is a bug: an error with
   its traceback, counted as a panic. Neither ends a worker, be it RecursionError, MemoryError, an ExceptionGroup, or a
   CancelledError that something inside the pass raised though nobody cancelled us. Whether somebody did, the task of run() says: a
   worker's own may be marked as cancelled by a TaskGroup that failed in a pass, before Python 3.13.
3. An object is given back to the queue only when its pass has really ended. A pass cut off by its deadline may be inside
   finish(), and then runs on until that section is done.
4. All log lines of a pass bear its kind, namespace, name and a pass_id.
5. run() ends when the queue is shut down and the passes under way have ended. Cancelling it cancels them, at their next await
   outside finish().

Not promised: that a pass which never awaits is cut off. Nothing can interrupt it but a heartbeat that somebody else watches.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import TypeVar

import structlog

from controller import metrics
from controller.kube import KubeError
from controller.objects import Ref
from controller.workqueue import Priority, ShutDown, WorkQueue

T = TypeVar("T")
Reconcile = Callable[[Ref], Awaitable[timedelta | None]]

# Some ten requests of at most 10 s each; a pass that takes longer has lost touch with what it observed at its start.
DEADLINE_SECONDS = 60.0
# For a pass that finds its object changed: the change wakes the object by itself, unless the watch is late.
AT_ONCE = timedelta(seconds=1)

log = structlog.get_logger()


class PostponedError(Exception):
    """The pass has ended before its work was done, because it would have had to wait. look_again: at the latest."""

    def __init__(self, why: str, look_again: timedelta) -> None:
        super().__init__(why)
        self.look_again = look_again


class Workers:
    """See the rules above. `controller_name` is the kind in lower case, the label of all metrics; `deadline` is in seconds."""

    def __init__(
        self,
        controller_name: str,
        queue: WorkQueue[Ref],
        reconcile: Reconcile,
        count: int,
        deadline: float = DEADLINE_SECONDS,
        expected: tuple[type[Exception], ...] = (),
    ) -> None:
        self._name = controller_name
        self._queue = queue
        self._reconcile = reconcile
        self._count = count
        self._deadline = deadline
        self._expected = expected
        self._runner: asyncio.Task[object] | None = None
        self._active = metrics.CONTROLLER_RUNTIME_ACTIVE_WORKERS.labels(controller=controller_name)
        self._duration = metrics.CONTROLLER_RUNTIME_RECONCILE_TIME_SECONDS.labels(controller=controller_name)

    async def run(self) -> None:
        """Work until the queue is shut down and the passes under way have ended."""
        self._runner = asyncio.current_task()
        metrics.CONTROLLER_RUNTIME_MAX_CONCURRENT_RECONCILES.labels(controller=self._name).set(self._count)
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._work(), name=f"{self._name} worker {number}")

    async def _work(self) -> None:
        with contextlib.suppress(ShutDown):
            while True:
                ref = await self._queue.get()
                try:
                    await self._pass(ref)
                finally:
                    self._queue.done(ref)

    async def _pass(self, ref: Ref) -> None:
        context = {"kind": self._name, "namespace": ref.namespace, "name": ref.name, "pass_id": secrets.token_hex(4)}
        with structlog.contextvars.bound_contextvars(**context), self._active.track_inprogress(), self._duration.time():
            try:
                async with asyncio.timeout(self._deadline) as deadline:
                    look_again = await self._reconcile(ref)
            except asyncio.CancelledError as error:
                if self._is_cancelled():
                    raise
                self._failed(ref, error, timed_out=deadline.expired())
            except PostponedError as error:
                self._postponed(ref, error)
            except Exception as error:  # noqa: BLE001 - one object's bug must not stop the others; it is logged and counted
                self._failed(ref, error, timed_out=deadline.expired())
            else:
                self._succeeded(ref, look_again)

    def _succeeded(self, ref: Ref, look_again: timedelta | None) -> None:
        self._queue.forget(ref)
        if look_again is not None:
            self._queue.add_after(ref, look_again.total_seconds(), Priority.RESYNC)
        self._count_result("success" if look_again is None else "requeue_after")
        log.debug("reconciled", look_again=str(look_again))

    def _postponed(self, ref: Ref, error: PostponedError) -> None:
        self._queue.add_after(ref, error.look_again.total_seconds(), Priority.RESYNC)
        self._count_result("requeue_after")
        log.debug("postponed", why=str(error), look_again=str(error.look_again))

    def _failed(self, ref: Ref, error: BaseException, timed_out: bool) -> None:
        asked = error.retry_after if isinstance(error, KubeError) else None
        retry_in = round(self._queue.retry(ref, asked or 0.0), 1)
        self._count_result("error")
        metrics.CONTROLLER_RUNTIME_RECONCILE_ERRORS.labels(controller=self._name).inc()
        if timed_out:
            metrics.CONTROLLER_RUNTIME_RECONCILE_TIMEOUTS.labels(controller=self._name).inc()
            log.warning("reconcile_timed_out", deadline=self._deadline, retry_in=retry_in)
        elif isinstance(error, self._expected):
            log.warning("reconcile_failed", error=str(error), error_type=type(error).__name__, retry_in=retry_in)
        else:
            metrics.CONTROLLER_RUNTIME_RECONCILE_PANICS.labels(controller=self._name).inc()
            log.error("reconcile_panicked", retry_in=retry_in, exc_info=error)

    def _count_result(self, result: str) -> None:
        metrics.CONTROLLER_RUNTIME_RECONCILE.labels(controller=self._name, result=result).inc()

    def _is_cancelled(self) -> bool:
        return self._runner is not None and self._runner.cancelling() > 0


async def finish(work: Coroutine[object, object, T]) -> T:
    """Run `work` to its end even if the caller is cancelled meanwhile; the cancellation is raised afterwards.

    For what must not be torn apart: a call that cannot be repeated, and the write that persists its answer. `work` has to bound
    itself. If it failed and the caller was cancelled, the failure is the cause of the cancellation that is raised.
    """
    task = asyncio.create_task(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation from None if task.cancelled() else task.exception()
    return task.result()
