import asyncio
import random
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from controller.workqueue import MAX_RETRY_SECONDS, VOID_TIMERS_KEPT, Priority, ShutDown, WorkQueue
from tests.virtual_time import VirtualTimeLoop, run_virtual

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def queue() -> WorkQueue[str]:
    return WorkQueue("test")


def now() -> float:
    return asyncio.get_running_loop().time()


async def drain(queue: WorkQueue[str]) -> list[str]:
    """All that is ready, in order, and done at once."""
    items = []
    while len(queue):
        item = await queue.get()
        queue.done(item)
        items.append(item)
    return items


async def when_ready(queue: WorkQueue[str]) -> float:
    queue.done(await queue.get())
    return now()


async def test_items_come_in_the_order_of_their_arrival(queue: WorkQueue[str]) -> None:
    for item in "abc":
        queue.add(item)
    assert await drain(queue) == ["a", "b", "c"]


async def test_an_item_added_often_while_ready_runs_once(queue: WorkQueue[str]) -> None:
    for _ in range(1000):
        queue.add("a")
        queue.add("a", Priority.RESYNC)
    assert await drain(queue) == ["a"]


async def test_an_item_added_often_while_active_runs_exactly_once_more(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    for _ in range(1000):
        queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await drain(queue) == ["a"]


async def test_get_waits_for_an_item(queue: WorkQueue[str]) -> None:
    asyncio.get_running_loop().call_later(5, queue.add, "a")
    assert await when_ready(queue) == pytest.approx(5)


async def test_many_waiting_workers_share_the_items_among_them(queue: WorkQueue[str]) -> None:
    waiting = [asyncio.create_task(queue.get()) for _ in range(8)]
    await asyncio.sleep(1)
    for item in "abcdefgh":
        queue.add(item)
    assert sorted(await asyncio.gather(*waiting)) == list("abcdefgh")


async def test_a_worker_cancelled_while_it_waits_takes_nothing_along(queue: WorkQueue[str]) -> None:
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    queue.add("a")
    waiting.cancel()
    await asyncio.wait({waiting})
    assert await drain(queue) == ["a"]


async def test_users_go_before_resyncs(queue: WorkQueue[str]) -> None:
    queue.add("resync", Priority.RESYNC)
    queue.add("user")
    assert await drain(queue) == ["user", "resync"]


async def test_each_fifth_turn_is_a_resync_that_waits(queue: WorkQueue[str]) -> None:
    for number in range(8):
        queue.add(f"r{number}", Priority.RESYNC)
        queue.add(f"u{number}")
    assert " ".join(await drain(queue)) == "u0 u1 u2 u3 r0 u4 u5 u6 u7 r1 r2 r3 r4 r5 r6 r7"


async def test_a_resync_is_not_starved_by_a_storm_of_changes(queue: WorkQueue[str]) -> None:
    queue.add("resync", Priority.RESYNC)
    turns = 0
    item = ""
    while item != "resync":
        queue.add(f"user {turns}")
        item = await queue.get()
        queue.done(item)
        turns += 1
    assert turns == 5


async def test_a_resync_added_by_a_user_is_promoted(queue: WorkQueue[str]) -> None:
    for item in "ab":
        queue.add(item, Priority.RESYNC)
    queue.add("b")
    assert await drain(queue) == ["b", "a"]


async def test_an_active_item_added_at_both_priorities_runs_as_the_users(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a", Priority.RESYNC)
    queue.add("a", Priority.USER)
    queue.add("other", Priority.RESYNC)
    queue.done("a")
    assert await drain(queue) == ["a", "other"]


async def test_of_several_timers_the_earliest_wins(queue: WorkQueue[str]) -> None:
    for delay in (60, 5, 30):
        queue.add_after("a", delay)
    assert await when_ready(queue) == pytest.approx(5)
    await asyncio.sleep(3600)
    assert len(queue) == 0


async def test_a_timer_keeps_the_most_urgent_priority(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 5, Priority.RESYNC)
    queue.add_after("a", 9, Priority.USER)
    queue.add_after("b", 5, Priority.RESYNC)
    queue.add_after("c", 5, Priority.USER)
    await asyncio.sleep(6)
    assert await drain(queue) == ["a", "c", "b"]


async def test_no_delay_means_now(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 0)
    queue.add_after("b", -5)
    assert await drain(queue) == ["a", "b"]


async def test_a_pass_that_begins_voids_the_timer_of_its_item(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 10)
    queue.add("a")
    assert await queue.get() == "a"
    queue.add_after("a", 600)
    queue.done("a")
    assert await when_ready(queue) == pytest.approx(600)


async def test_a_timer_that_fires_while_its_item_is_active_runs_it_once_more(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add_after("a", 10)
    await asyncio.sleep(20)
    assert len(queue) == 0
    queue.done("a")
    assert await drain(queue) == ["a"]


@pytest.mark.holds("F44")
async def test_timers_passed_during_a_pause_all_fire_after_it(queue: WorkQueue[str]) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    for number in range(100):
        queue.add_after(str(number), number + 1)
    loop.pause(7200)
    await asyncio.sleep(0.001)
    assert len(await drain(queue)) == 100


async def test_due_timers_let_others_run_in_between(queue: WorkQueue[str]) -> None:
    loop = asyncio.get_running_loop()
    for number in range(100_000):
        queue.add_after(str(number), 10)
    await asyncio.sleep(9)
    added_per_turn = []
    while len(queue) < 100_000:
        before = len(queue)
        await asyncio.sleep(1 if loop.time() < 10 else 0)
        added_per_turn.append(len(queue) - before)
    assert max(added_per_turn) <= 2000


async def test_an_item_that_is_always_busy_leaves_no_heap_of_void_timers(queue: WorkQueue[str]) -> None:
    for _ in range(10_000):
        queue.add("hot")
        await queue.get()
        queue.add_after("hot", 600)
        queue.done("hot")
    assert len(queue._heap) < 2_000
    assert await when_ready(queue) == pytest.approx(600)


@pytest.mark.parametrize(
    ("failure", "shortest", "longest"), [(1, 1, 2), (2, 2, 4), (5, 16, 32), (9, 256, 300), (10, 300, 300), (2000, 300, 300)]
)
async def test_retries_double_their_delay_up_to_five_minutes(
    queue: WorkQueue[str], failure: int, shortest: float, longest: float
) -> None:
    delays = [queue.retry("a") for _ in range(failure)]
    assert shortest <= delays[-1] <= longest
    assert all(1 <= delay <= MAX_RETRY_SECONDS for delay in delays)


async def test_a_retry_is_not_sooner_than_the_server_has_asked_for_but_never_later_than_five_minutes(queue: WorkQueue[str]) -> None:
    assert queue.retry("a", at_least=7) == 7
    assert queue.retry("a", at_least=0.5) >= 2
    assert queue.retry("a", at_least=86_400) == MAX_RETRY_SECONDS


async def test_a_retry_comes_after_its_delay(queue: WorkQueue[str]) -> None:
    delay = queue.retry("a")
    assert await when_ready(queue) == pytest.approx(delay)


async def test_items_that_failed_together_are_spread(queue: WorkQueue[str]) -> None:
    delays = {queue.retry(str(number)) for number in range(100)}
    assert max(delays) - min(delays) > 0.5


async def test_forget_starts_over_for_that_item_only(queue: WorkQueue[str]) -> None:
    for _ in range(10):
        queue.retry("a")
        queue.retry("b")
    queue.forget("a")
    queue.forget("never failed")
    assert queue.retry("a") <= 2
    assert queue.retry("b") == 300


async def test_a_discarded_item_does_not_come_again(queue: WorkQueue[str]) -> None:
    queue.retry("a")
    queue.add_after("a", 10)
    queue.add_after("b", 20)
    queue.discard("a")
    assert [await queue.get(), now()] == ["b", 20]


async def test_what_the_pass_over_a_discarded_item_leaves_behind_goes_too(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.add_after("b", 1000)
    await queue.get()
    queue.discard("a")
    queue.retry("a")
    queue.done("a")
    assert [await queue.get(), now()] == ["b", 1000]


async def test_an_item_discarded_while_ready_comes_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.discard("a")
    assert await drain(queue) == ["a"]


async def test_an_item_that_comes_back_after_all_is_as_a_new_one(queue: WorkQueue[str]) -> None:
    for _ in range(5):
        queue.retry("a")
    await queue.get()
    queue.discard("a")
    queue.add("a")
    assert 1 <= queue.retry("a") <= 2
    queue.done("a")
    assert await drain(queue) == ["a"]


async def test_what_is_held_comes_at_its_time_once_whoever_adds_it(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add_after("a", 1)
    queue.hold("a", 10)
    queue.done("a")
    for delay in (0, 0, 3, 20):
        queue.add_after("a", delay, Priority.USER)
    assert len(queue) == 0
    assert await when_ready(queue) == 10
    assert len(queue) == 0
    queue.add("a")
    assert await when_ready(queue) == 10


async def test_what_is_held_stands_in_no_others_way_and_comes_at_once_when_it_is_released_or_forgotten(queue: WorkQueue[str]) -> None:
    for item in "abc":
        queue.hold(item, 10)
        queue.add(item)
    queue.add("d")
    assert await drain(queue) == ["d"]
    queue.release("b")
    queue.add("b")
    queue.discard("a")
    queue.add("a")
    assert await drain(queue) == ["b", "a"]
    assert await when_ready(queue) == 10


async def test_a_queue_that_discarded_all_its_items_is_empty(queue: WorkQueue[str]) -> None:
    for number in range(5000):
        queue.retry(str(number))
        queue.add_after(str(number), 36_000)
    for number in range(5000):
        queue.discard(str(number))
    kept = [value for value in vars(queue).values() if isinstance(value, dict | set | list)]
    assert sum(len(value) for value in kept if value is not queue._ready) <= VOID_TIMERS_KEPT


async def test_after_shut_down_nothing_is_handed_out_and_nothing_is_added(queue: WorkQueue[str]) -> None:
    queue.add("queued")
    queue.add_after("timed", 5)
    queue.shut_down()
    queue.add("late")
    queue.add_after("later", 5)
    await asyncio.sleep(10)
    assert len(queue) == 0
    with pytest.raises(ShutDown):
        await queue.get()


async def test_shut_down_wakes_all_who_wait(queue: WorkQueue[str]) -> None:
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(1)
    queue.shut_down()
    assert all(isinstance(end, ShutDown) for end in await asyncio.gather(*waiting, return_exceptions=True))


async def test_drained_waits_for_what_is_active_and_not_for_its_repetition(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.shut_down()
    asyncio.get_running_loop().call_later(5, queue.done, "a")
    await queue.drained()
    assert now() == pytest.approx(5)
    assert len(queue) == 0


async def test_an_idle_queue_is_drained(queue: WorkQueue[str]) -> None:
    await queue.drained()


async def test_done_without_get_is_a_bug(queue: WorkQueue[str]) -> None:
    with pytest.raises(KeyError):
        queue.done("a")


async def test_the_gauges_tell_of_ready_and_active_items() -> None:
    queue: WorkQueue[str] = WorkQueue("gauges")
    labels = {"name": "gauges", "controller": "gauges"}
    for item in "abc":
        queue.add(item)
    queue.add("d", Priority.RESYNC)
    await queue.get()
    await asyncio.sleep(10)
    await queue.get()
    await asyncio.sleep(5)
    assert REGISTRY.get_sample_value("workqueue_depth", labels | {"priority": "user"}) == 1
    assert REGISTRY.get_sample_value("workqueue_depth", labels | {"priority": "resync"}) == 1
    assert REGISTRY.get_sample_value("workqueue_unfinished_work_seconds", labels) == pytest.approx(20)
    assert REGISTRY.get_sample_value("workqueue_longest_running_processor_seconds", labels) == pytest.approx(15)
    assert REGISTRY.get_sample_value("workqueue_adds_total", labels) == 4


class Observer:
    """Eight workers on fifty keys who note what must never happen, and what must."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.queue: WorkQueue[int] = WorkQueue("property")
        self.active: set[int] = set()
        self.held: dict[int, float] = defaultdict(float)  # until when
        self.last_asked: dict[int, float] = {}  # the newest add, or the moment a timer promised
        self.last_started: dict[int, float] = defaultdict(lambda: -1.0)

    async def work(self) -> None:
        while True:
            try:
                item = await self.queue.get()
            except ShutDown:
                return
            assert item not in self.active, "two workers have the same item"
            assert now() >= self.held[item], "what is held was handed out"
            self.active.add(item)
            self.last_started[item] = now()
            await asyncio.sleep(self.random.choice([0, 0.1, 3]))
            self.active.remove(item)
            if pause := self.random.choice([0, 0, 0, 5]):
                self.queue.hold(item, pause)
                self.held[item] = now() + pause
            self.queue.done(item)

    def ask(self) -> None:
        item = self.random.randrange(50)
        priority = self.random.choice(list(Priority))
        delay = self.random.choice([0.0, 0.0, 0.5, 20.0])
        self.queue.add_after(item, delay, priority)
        self.last_asked[item] = max(now(), self.last_asked.get(item, 0.0))

    async def run(self, operations: int) -> None:
        workers = [asyncio.create_task(self.work()) for _ in range(8)]
        for _ in range(operations):
            self.ask()
            await asyncio.sleep(self.random.choice([0, 0, 0.01, 0.5]))
        await asyncio.sleep(1000)
        assert not self.active
        assert len(self.queue) == 0
        for item, asked in self.last_asked.items():
            assert self.last_started[item] >= asked, "an add was lost"
        self.queue.shut_down()
        await asyncio.gather(*workers)


@pytest.mark.holds("I8")
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_item_is_ever_with_two_workers_and_no_add_is_lost(seed: int) -> None:
    async def main() -> None:
        await Observer(seed).run(operations=500)

    run_virtual(main())


@settings(max_examples=100, deadline=None)
@given(delays=st.lists(st.tuples(st.integers(0, 4), st.floats(0.001, 1000)), min_size=1, max_size=40))
def test_each_item_comes_at_the_earliest_of_its_timers(delays: list[tuple[int, float]]) -> None:
    async def main() -> None:
        queue: WorkQueue[int] = WorkQueue("property")
        earliest: dict[int, float] = {}
        for item, delay in delays:
            queue.add_after(item, delay)
            earliest[item] = min(delay, earliest.get(item, delay))
        came: dict[int, float] = {}
        while len(came) < len(earliest):
            item = await queue.get()
            queue.done(item)
            came[item] = now()
        assert came == pytest.approx(earliest)

    run_virtual(main())
