"""The work queue: which object is looked at next, never by two workers at once.

An item is in at most one of these places:
    ready    waits for a worker, in the order of arrival within its priority
    active   a worker has it, from get() to done()
    again    active, and added meanwhile: it becomes ready at done()
and beside that it may have one timer that will add it.

Rules:
1. An item is never active twice. However often it is added while ready, it runs once; while active, exactly once more.
2. USER goes before RESYNC, yet each fifth get() takes a RESYNC that waits: a storm of changes delays resyncs, it cannot stop
   them. An item added at both priorities has the more urgent one.
3. Of several timers the earliest wins. get() voids the timer of the item it hands out: the pass that now begins sees the world
   as it is, and says itself when to look again.
4. Timers go by the event loop's clock, so a jump of the wall clock moves nothing. There is one loop timer for all, and it adds
   a bounded number of items at a time, so that 100,000 due timers do not hold up the loop.
5. The nth retry() waits between 2^(n-1) and 2^n seconds, 300 at most: enough jitter to spread what failed together, never less
   than a second, and a steady 300 s for what fails for ever. forget() starts over.
6. What is held is not handed out before its time: whoever adds it meanwhile, it has a timer instead. What is ready already stays so.
7. discard() is for what will not come again: its timer and its failures leave the queue, those that a pass under way leaves behind included.
   If it is added after all, all is as for a new item.
8. After shut_down() nothing is handed out and nothing is added; what was queued is dropped, because the next process lists all
   objects anyway. drained() waits for the active ones.

Not promised: order between items of different priority, and any bound on how long an item stays active (the workers have one).
All methods belong to one event loop.
"""

import asyncio
import enum
import heapq
import itertools
import random
from collections import OrderedDict
from collections.abc import Hashable
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from controller import metrics

Item = TypeVar("Item", bound=Hashable)

FIRST_RETRY_SECONDS = 1.0  # what fails by a lost race or a lost packet has healed by then
MAX_RETRY_SECONDS = 300.0  # a mended cause is noticed within five minutes; what stays broken costs 12 passes an hour
DOUBLINGS = 9  # 2^9 s is past the maximum; counting on would end in OverflowError near the 1024th failure
USERS_IN_A_ROW = 4  # then one RESYNC: a fifth of the workers' time, enough for 10,000 resyncs in a storm of changes
TIMERS_AT_A_TIME = 1000  # about 3 ms of work between two turns of the loop
VOID_TIMERS_KEPT = 1000  # each pass of a hot item leaves a void one; so many beside twice the live ones are not worth a sweep


class ShutDown(Exception):  # noqa: N818 - the end of the work, not an error
    """The queue was shut down: the worker can go home."""


class Priority(enum.IntEnum):
    """Why an item is looked at; the lower goes first."""

    USER = 0
    RESYNC = 1


class _Timer(NamedTuple):
    when: float
    tie: int  # of timers due at once the older comes first; unique, so it also says whether an entry of the heap is this one
    priority: Priority


class WorkQueue(Generic[Item]):
    """See the rules above. Make it inside the running event loop; `name` is the label of its metrics, the controller's name."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready: dict[Priority, OrderedDict[Item, float]] = {priority: OrderedDict() for priority in Priority}  # item: since
        self._active: dict[Item, float] = {}  # item: since
        self._again: dict[Item, Priority] = {}
        self._timers: dict[Item, _Timer] = {}
        self._heap: list[tuple[float, int, Item]] = []  # when, tie; void unless _timers has the same tie
        self._ties = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None
        self._failures: dict[Item, int] = {}
        self._held: dict[Item, float] = {}  # item: until
        self._discarded: set[Item] = set()  # active, and to be forgotten at done()
        self._users_in_a_row = 0
        self._shut_down = False
        self._wake = asyncio.Event()  # set while get() need not wait
        self._idle = asyncio.Event()  # set while nothing is active
        self._idle.set()
        self._expose({"name": name, "controller": name})

    def __len__(self) -> int:
        """How many items are ready."""
        return sum(len(ready) for ready in self._ready.values())

    def add(self, item: Item, priority: Priority = Priority.USER) -> None:
        """Have the item looked at as soon as a worker is free."""
        users, resyncs = self._ready[Priority.USER], self._ready[Priority.RESYNC]
        self._discarded.discard(item)
        if self._shut_down or item in users:
            return
        if item in self._active:
            self._again[item] = min(priority, self._again.get(item, priority))
        elif item in resyncs:
            if priority is Priority.USER:
                users[item] = resyncs.pop(item)
        elif self._held.get(item, 0.0) > self._loop.time():
            self._add_at(item, self._held[item], priority)
        else:
            self._adds.inc()
            self._ready[priority][item] = self._loop.time()
            self._wake.set()

    def add_after(self, item: Item, delay: float, priority: Priority = Priority.RESYNC) -> None:
        """Add the item in `delay` seconds, unless an earlier timer, or a pass that begins before, makes that void."""
        if delay <= 0:
            self.add(item, priority)
            return
        self._add_at(item, self._loop.time() + delay, priority)

    async def get(self) -> Item:
        """The next item, which is active until done(). Raises ShutDown."""
        while not self._shut_down:
            if len(self):
                return self._take()
            self._wake.clear()
            await self._wake.wait()
        raise ShutDown

    def done(self, item: Item) -> None:
        """The worker has ended with the item. Raises KeyError if it was not active."""
        self._work_duration.observe(self._loop.time() - self._active.pop(item))
        if item in self._discarded:
            self._discarded.discard(item)
            self.discard(item)
        if item in self._again:
            self.add(item, self._again.pop(item))
        if not self._active:
            self._idle.set()

    def retry(self, item: Item, at_least: float = 0.0) -> float:
        """Add the item again after a pass that failed, so many seconds later at least (and five minutes at most). Returns the delay."""
        doublings = self._failures.get(item, 0)
        self._failures[item] = min(doublings + 1, DOUBLINGS)
        jitter = random.uniform(1, 2)  # noqa: S311 - spreads load, guards nothing
        delay = min(max(FIRST_RETRY_SECONDS * jitter * 2.0**doublings, at_least), MAX_RETRY_SECONDS)
        self._retries.inc()
        self.add_after(item, delay)
        return delay

    def forget(self, item: Item) -> None:
        """Let the next retry() of the item start from the shortest delay."""
        self._failures.pop(item, None)

    def hold(self, item: Item, seconds: float) -> None:
        """Hand the item out in so many seconds at the earliest."""
        self._held[item] = self._loop.time() + seconds

    def release(self, item: Item) -> None:
        """Let it come as all others."""
        self._held.pop(item, None)

    def discard(self, item: Item) -> None:
        """Remember nothing of the item, which is gone for good; a pass that waits or is under way goes on."""
        self._failures.pop(item, None)
        self._held.pop(item, None)
        self._timers.pop(item, None)
        if item in self._active:
            self._discarded.add(item)
        self._sweep()

    def shut_down(self) -> None:
        """Hand out no more items, accept no more, and drop those that wait."""
        self._shut_down = True
        for ready in self._ready.values():
            ready.clear()
        self._again.clear()
        self._timers.clear()
        self._heap.clear()
        self._arm()
        self._wake.set()

    async def drained(self) -> None:
        """Wait until nothing is active; after shut_down() that stays so. The caller sets the bound."""
        await self._idle.wait()

    def _add_at(self, item: Item, when: float, priority: Priority) -> None:
        timer = _Timer(when, next(self._ties), priority)
        known = self._timers.get(item, timer)
        earliest = min(timer, known)
        self._timers[item] = earliest._replace(priority=min(timer.priority, known.priority))
        if earliest is timer:
            heapq.heappush(self._heap, (timer.when, timer.tie, item))
            self._sweep()
            self._arm()

    def _take(self) -> Item:
        item, since = self._ready[self._next_priority()].popitem(last=False)
        now = self._loop.time()
        self._queue_duration.observe(now - since)
        self._timers.pop(item, None)
        self._held.pop(item, None)
        self._active[item] = now
        self._idle.clear()
        return item

    def _next_priority(self) -> Priority:
        users, resyncs = self._ready[Priority.USER], self._ready[Priority.RESYNC]
        if resyncs and (not users or self._users_in_a_row >= USERS_IN_A_ROW):
            self._users_in_a_row = 0
            return Priority.RESYNC
        self._users_in_a_row = self._users_in_a_row + 1 if resyncs else 0
        return Priority.USER

    def _arm(self) -> None:
        """Let the one loop timer go off with the earliest of ours."""
        earliest = self._heap[0][0] if self._heap else None
        if self._alarm is not None:
            if self._alarm.when() == earliest:
                return
            self._alarm.cancel()
        self._alarm = None if earliest is None else self._loop.call_at(earliest, self._fire)

    def _fire(self) -> None:
        self._alarm = None
        now = self._loop.time()
        for _ in range(TIMERS_AT_A_TIME):
            if not self._heap or self._heap[0][0] > now:
                break
            entry = heapq.heappop(self._heap)
            if self._is_live(entry):
                item = entry[2]
                self.add(item, self._timers.pop(item).priority)
        self._arm()

    def _is_live(self, entry: tuple[float, int, Item]) -> bool:
        timer = self._timers.get(entry[2])
        return timer is not None and timer.tie == entry[1]

    def _sweep(self) -> None:
        if len(self._heap) > 2 * len(self._timers) + VOID_TIMERS_KEPT:
            self._heap = [entry for entry in self._heap if self._is_live(entry)]
            heapq.heapify(self._heap)

    def _expose(self, labels: dict[str, str]) -> None:
        """Make the metrics: counters that we count, gauges that are computed when they are asked for."""
        self._adds = metrics.WORKQUEUE_ADDS.labels(**labels)
        self._retries = metrics.WORKQUEUE_RETRIES.labels(**labels)
        self._queue_duration = metrics.WORKQUEUE_QUEUE_DURATION_SECONDS.labels(**labels)
        self._work_duration = metrics.WORKQUEUE_WORK_DURATION_SECONDS.labels(**labels)
        metrics.WORKQUEUE_UNFINISHED_WORK_SECONDS.labels(**labels).set_function(lambda: sum(self._ages()))
        metrics.WORKQUEUE_LONGEST_RUNNING_PROCESSOR_SECONDS.labels(**labels).set_function(lambda: max(self._ages(), default=0.0))
        for priority, ready in self._ready.items():
            metrics.WORKQUEUE_DEPTH.labels(**labels, priority=priority.name.lower()).set_function(partial(len, ready))

    def _ages(self) -> list[float]:
        """Seconds since each active item was handed out; on a copy, because another thread may be collecting the metrics."""
        now = self._loop.time()
        return [now - since for since in list(self._active.values())]
