import asyncio
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws.buckets import go_out
from aws.errands import Errands, QuotaWaitError
from aws.quotas import Quotas, waiting_as
from controller.objects import Ref
from controller.quota_waits import LONG_SECONDS, RARELY, TOLD_SECONDS, is_told, postponed
from controller.workers import Workers
from controller.workqueue import WorkQueue
from reconcilers.urgency import Urgency
from tests.virtual_time import run_virtual

HERE = ("111122223333", "eu-central-1")


def wait(seconds: float, waited: float) -> QuotaWaitError:
    return QuotaWaitError("CreateKey", seconds, waited)


@pytest.mark.parametrize(
    ("error", "urgency", "told"),
    [
        (wait(LONG_SECONDS, TOLD_SECONDS), Urgency.CREATION, True),
        (wait(LONG_SECONDS, TOLD_SECONDS), Urgency.USER, True),
        (wait(LONG_SECONDS, TOLD_SECONDS), Urgency.RESYNC, False),
        (wait(LONG_SECONDS, 0), Urgency.CREATION, False),
        (wait(LONG_SECONDS - 1, TOLD_SECONDS), Urgency.CREATION, False),
    ],
)
def test_a_user_is_told_of_a_wait_that_has_lasted_and_will(error: QuotaWaitError, urgency: Urgency, told: bool) -> None:
    assert is_told(error, urgency) is told


def test_an_object_is_looked_at_when_it_will_be_told_and_else_only_in_case_that_nobody_wakes_it() -> None:
    assert postponed(wait(60, 0)).look_again == timedelta(seconds=TOLD_SECONDS)
    for again in (wait(60, TOLD_SECONDS), wait(2, 0)):
        assert RARELY * 0.9 <= postponed(again).look_again <= RARELY * 1.1


@dataclass
class Office:
    """Real workers on a real queue; each object makes one call under a quota of 5 a second, and is done then."""

    quotas: Quotas = field(default_factory=lambda: Quotas(1.0))
    queue: WorkQueue[Ref] = field(default_factory=lambda: WorkQueue("office"))
    urgencies: dict[str, Urgency] = field(default_factory=dict)
    calls: list[tuple[float, str]] = field(default_factory=list)  # when, who
    passes: Counter[str] = field(default_factory=Counter)
    before: Callable[[str], Awaitable[bool]] | None = None  # whether the pass shall ask

    def __post_init__(self) -> None:
        self.errands = Errands(self.queue.add, lambda: len(self.queue) > 0)

    async def reconcile(self, ref: Ref) -> None:
        self.passes[ref.name] += 1
        with self.errands.begin(ref), waiting_as(self.urgencies.get(ref.name, Urgency.USER)):
            if self.before is not None and not await self.before(ref.name):
                return
            try:
                permit = await self.quotas.take(*HERE, "CreateKey")
            except QuotaWaitError as error:
                raise postponed(error) from None
            await go_out([permit])
            self.calls.append((asyncio.get_running_loop().time(), ref.name))

    def add(self, *names: str) -> None:
        for name in names:
            self.queue.add(Ref("shop", name))

    async def work(self, workers: int, seconds: float) -> None:
        running = asyncio.create_task(Workers("office", self.queue, self.reconcile, workers, expected=(RuntimeError,)).run())
        await asyncio.sleep(seconds)
        self.queue.shut_down()
        await running

    @property
    def order(self) -> list[str]:
        return [name for _, name in self.calls]


def crowd(count: int) -> list[str]:
    return [f"{number:05}" for number in range(count)]


@pytest.mark.virtual_time
@pytest.mark.parametrize("workers", [1, 3, 10])
async def test_a_crowd_is_served_at_the_whole_rate_in_its_order_by_few_passes(workers: int) -> None:
    office = Office()
    office.add(*crowd(1000))
    await office.work(workers, 1000 / 4.9)
    assert sorted(office.order) == crowd(1000)
    displaced = [abs(place - int(name)) for place, name in enumerate(office.order)]
    assert max(displaced) <= 10 + workers
    assert max(office.passes.values()) <= 4


@pytest.mark.virtual_time
@pytest.mark.parametrize("workers", [1, 10])
async def test_another_object_finds_a_worker_at_once_though_a_crowd_waits(workers: int) -> None:
    office, loop, done = Office(), asyncio.get_running_loop(), list[float]()

    async def before(name: str) -> bool:
        if name.startswith("other"):
            done.append(loop.time())
        return not name.startswith("other")

    office.before = before
    office.add(*crowd(1000))
    for number in range(50):
        loop.call_later(1 + number, office.add, f"other-{number}")
    await office.work(workers, 60)
    assert len(done) == 50
    assert max(time - 1 - number for number, time in enumerate(done)) <= 0.5


@pytest.mark.virtual_time
async def test_the_more_urgent_goes_before_a_crowd_and_the_crowd_goes_on() -> None:
    office = Office(urgencies=dict.fromkeys(crowd(300), Urgency.CREATION))
    office.add(*crowd(300))
    asyncio.get_running_loop().call_later(10, office.add, "user")
    await office.work(2, 300 / 4.8)
    when = {name: time for time, name in office.calls}
    assert when["user"] <= 10.6
    assert len(office.calls) == 301


@pytest.mark.virtual_time
async def test_those_who_are_woken_and_do_not_ask_or_fail_hold_nobody_up() -> None:
    office, woken = Office(), Counter[str]()

    async def before(name: str) -> bool:
        woken[name] += 1
        if woken[name] > 1 and int(name) % 3 == 0:
            return False
        if woken[name] > 1 and int(name) % 3 == 1:
            raise RuntimeError("on the way")
        return True

    office.before = before
    office.add(*crowd(300))
    await office.work(2, 25)
    served = {name for name in office.order if int(name) % 3 == 2}
    assert len(served) == 100


@pytest.mark.virtual_time
async def test_those_who_are_gone_leave_the_line() -> None:
    office = Office()
    office.add(*crowd(300))
    loop = asyncio.get_running_loop()
    for name in crowd(300)[20:280]:
        loop.call_later(1, office.errands.forget, Ref("shop", name))
    await office.work(2, TOLD_SECONDS - 0.1)
    assert office.order[20:] == crowd(300)[280:285]
    assert sum(office.passes[name] for name in crowd(300)[20:280]) == 260, "one look each, and none after they were gone"


@pytest.mark.virtual_time
async def test_a_change_of_an_object_in_line_does_not_cost_it_its_place() -> None:
    office = Office()
    office.add(*crowd(100))
    for second in range(1, 10):
        asyncio.get_running_loop().call_later(second, office.add, "00050")
    await office.work(2, 100 / 4.8)
    assert office.order.index("00050") == pytest.approx(50, abs=10)


@pytest.mark.virtual_time
async def test_those_who_are_in_line_are_small() -> None:
    office, count = Office(quotas=Quotas(0.01)), 1000
    office.add(*crowd(count))
    tracemalloc.start()
    try:
        began = tracemalloc.get_traced_memory()[0]
        await office.work(4, 2)
        assert tracemalloc.get_traced_memory()[0] - began <= count * 1500
    finally:
        tracemalloc.stop()


OBJECTS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.1, 1.0, 5.0]),  # seconds after the one before
        st.sampled_from(Urgency),
        st.sampled_from([0.0, 0.0, 0.05, 0.5]),  # until it asks
        st.integers(0, 3),  # passes that fail first
        st.integers(0, 2),  # changes while it waits
    ),
    max_size=60,
)


@given(OBJECTS, st.integers(1, 5), st.sampled_from([0.1, 0.5, 1.0]))
def test_whoever_comes_and_fails_everybody_is_served_and_no_second_sees_too_many(
    objects: list[tuple[float, Urgency, float, int, int]], workers: int, fraction: float
) -> None:
    async def live() -> list[tuple[float, str]]:
        office = Office(quotas=Quotas(fraction))
        failures = {name: one[3] for name, one in zip(crowd(60), objects, strict=False)}

        async def before(name: str) -> bool:
            await asyncio.sleep(objects[int(name)][2])
            if failures[name] > 0:
                failures[name] -= 1
                raise RuntimeError("not yet")
            return name not in office.order

        office.before = before
        comes, loop = 0.0, asyncio.get_running_loop()
        for name, (pause, urgency, _, _, changes) in zip(crowd(60), objects, strict=False):
            comes += pause
            office.urgencies[name] = urgency
            for change in range(changes + 1):
                loop.call_later(comes + change, office.add, name)
        await office.work(workers, comes + 20 + len(objects) * (1 / (5 * fraction * 0.9) + 0.5))
        return office.calls

    calls = run_virtual(live())
    assert sorted(name for _, name in calls) == crowd(len(objects))
    times = [time for time, _ in calls]
    assert all(sum(begin <= time <= begin + 1.0 for time in times) <= 5 for begin in times)
