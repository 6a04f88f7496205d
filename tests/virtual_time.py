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
4. pause() is a process that was stopped (SIGSTOP, a swapped-out machine): the clock goes on, nothing runs, and all timers
   that were passed fire together afterwards.

Not promised: real sockets, threads and executors. The clock does not wait for them, so that their timeouts fire at once.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

# The longest test of ours watches a day of steady state; a week of a 1 s poll still ends within a minute of real time.
HORIZON_SECONDS = 7 * 86_400.0


class StuckError(Exception):
    """The test awaits something that can never happen."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with a virtual clock; see the rules above."""

    def __init__(self) -> None:
        self._virtual_now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual_now

    def pause(self, seconds: float) -> None:
        """Let the clock go on while nothing runs. Call it from inside the loop."""
        self._virtual_now += seconds

    def jump(self, seconds: float | None) -> None:
        """Go to the next timer, that many seconds away; None means that there is none. Raises StuckError."""
        if seconds is None:
            raise StuckError(f"nothing is scheduled, so these would wait for ever: {self._waiting()}")
        self._virtual_now += seconds
        if self._virtual_now > HORIZON_SECONDS:
            raise StuckError(f"{HORIZON_SECONDS / 86_400:.0f} virtual days have passed, and these still wait: {self._waiting()}")

    def _waiting(self) -> str:
        return ", ".join(sorted(f"{task.get_name()} {task.get_coro()}" for task in asyncio.all_tasks(self))) or "no task"


class _Jumping(selectors.DefaultSelector):
    """Where the loop would sleep until its next timer, it jumps there instead."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout != 0:
            self._loop.jump(timeout)
        return ready


def run_virtual(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end on a virtual-time loop of its own. Raises StuckError, and whatever the coroutine raises."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
