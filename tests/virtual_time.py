"""An event loop whose clock jumps: hours of waiting pass in microseconds, in the same order on every run.

Use it in one of two ways:
    @pytest.mark.virtual_time           # on a test, or pytestmark = pytest.mark.virtual_time for a whole file
    async def test_a_lease_expires() -> None:
        await asyncio.sleep(3600)       # returns at once; asyncio.get_running_loop().time() is now 3600.0

    run_virtual(main())                 # a fresh loop and clock inside a plain test, such as each example of hypothesis

Rules:
1. Time stands still while anything can run. When nothing can, it jumps to the next timer. It starts at 0.0.
2. With neither a ready callback nor a timer a test would hang for ever: the loop raises StuckError, naming the tasks that wait.
3. A task that polls for ever cannot keep a lost test alive for ever: at HORIZON_SECONDS the loop raises StuckError too.
4. pause() is a machine that was stopped (swapped out, a laptop closed): the clock goes on, nothing runs, and all timers
   that were passed fire together afterwards.
5. `gate` is asked before each callback: it may look at it, do something first, or keep it, to give it back with go_on().

Not promised: real sockets, threads and executors. The clock does not wait for them, so that their timeouts fire at once.
"""

import asyncio
import heapq
import selectors
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar, cast

T = TypeVar("T")
Gate = Callable[[asyncio.Handle], bool]

# The longest test of ours watches a day of steady state; a week of a 1 s poll still ends within a minute of real time.
HORIZON_SECONDS = 7 * 86_400.0


class StuckError(Exception):
    """The test awaits something that can never happen."""


# As BaseEventLoop has it: above so many cancelled timers, of which half are void, the heap is swept.
VOID_TIMERS_KEPT = 100


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with a virtual clock; see the rules above.

    It turns by itself instead of with BaseEventLoop's _run_once, in the same order: that is where the gate has to stand, and it asks the
    selector only when nothing else can run.
    """

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _selector: selectors.BaseSelector
    _timer_cancelled_count: int

    def __init__(self) -> None:
        self._virtual_now = 0.0
        self.gate: Gate | None = None
        super().__init__()

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual_now

    def pause(self, seconds: float) -> None:
        """Let the clock go on while nothing runs. Call it from inside the loop."""
        self._virtual_now += seconds

    def go_on(self, handles: Iterable[asyncio.Handle]) -> None:
        """Let these run that the gate has kept."""
        self._ready.extend(handles)

    def _run_once(self) -> None:
        self._drop_void_timers()
        if not self._ready:
            cast(Any, self)._process_events(self._selector.select(0))
        if not self._ready:
            self._jump()
        while self._scheduled and self._scheduled[0].when() <= self._virtual_now:
            self._ready.append(self._next_timer())
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if not handle._cancelled and (self.gate is None or self.gate(handle)):
                handle._run()

    def _drop_void_timers(self) -> None:
        if self._timer_cancelled_count > max(VOID_TIMERS_KEPT, len(self._scheduled) // 2):
            kept = [timer for timer in self._scheduled if not timer._cancelled]
            heapq.heapify(kept)
            self._scheduled, self._timer_cancelled_count = kept, 0
        while self._scheduled and self._scheduled[0]._cancelled:
            self._next_timer()
            self._timer_cancelled_count -= 1

    def _next_timer(self) -> asyncio.TimerHandle:
        timer = heapq.heappop(self._scheduled)
        cast(Any, timer)._scheduled = False  # so that its cancel() does not count it as one of the heap's
        return timer

    def _jump(self) -> None:
        """Go to the next timer. Raises StuckError."""
        if not self._scheduled:
            raise StuckError(f"nothing is scheduled, so these would wait for ever: {self._waiting()}")
        self._virtual_now = max(self._virtual_now, self._scheduled[0].when())
        if self._virtual_now > HORIZON_SECONDS:
            raise StuckError(f"{HORIZON_SECONDS / 86_400:.0f} virtual days have passed, and these still wait: {self._waiting()}")

    def _waiting(self) -> str:
        return ", ".join(sorted(f"{task.get_name()} {task.get_coro()}" for task in asyncio.all_tasks(self))) or "no task"


def run_virtual(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end on a virtual-time loop of its own. Raises StuckError, and whatever the coroutine raises."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
