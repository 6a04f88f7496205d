import asyncio
import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws.buckets import Bucket, go_out
from reconcilers.urgency import Urgency
from tests.virtual_time import VirtualTimeLoop, run_virtual

RATES = st.one_of(st.sampled_from([0.5, 2.5, 4.9, 5.0, 15.0, 100_000.0]), st.floats(0.2, 60))
MOST = st.integers(1, 50)


@dataclass(frozen=True)
class Caller:
    """Comes so many seconds after the one before, sends so many seconds after it may, if ever, and calls again so often."""

    pause: float
    delay: float
    sends: bool
    weight: int
    repeats: int


CALLERS = st.lists(
    st.builds(
        Caller,
        pause=st.sampled_from([0.0, 0.0, 0.01, 0.2, 0.99, 1.0, 3.0]),
        delay=st.sampled_from([0.0, 0.001, 0.03, 0.4]),
        sends=st.sampled_from([True, True, True, False]),
        weight=st.sampled_from([1, 1, 1, 2]),
        repeats=st.integers(1, 12),
    ),
    min_size=1,
    max_size=20,
)


async def sent(rate: float, most: int, callers: list[Caller], tunes: dict[float, float]) -> list[float]:
    """When calls went out, each as often as it weighs."""
    loop, bucket, times = asyncio.get_running_loop(), Bucket(rate, most), list[float]()

    async def one(caller: Caller, comes: float) -> None:
        await asyncio.sleep(comes)
        for _ in range(caller.repeats):
            permit = await bucket.take(Urgency.USER, min(caller.weight, most))
            await asyncio.sleep(caller.delay)
            if caller.sends:
                await go_out([permit])
                times.extend([loop.time()] * min(caller.weight, most))
            permit.close()
            if not caller.sends:
                await asyncio.sleep(0.01)

    for at, other in tunes.items():
        loop.call_later(at, bucket.tune, other, most)
    comes, tasks = 0.0, []
    for caller in callers:
        comes += caller.pause
        tasks.append(one(caller, comes))
    await asyncio.gather(*tasks)
    return sorted(times)


def most_in_a_second(times: list[float]) -> int:
    """Of a sorted list; each second begins with a call, and its end belongs to it."""
    return max((sum(begin <= time <= begin + 1.0 for time in times) for begin in times), default=0)


@given(RATES, MOST, CALLERS, st.dictionaries(st.floats(0, 10), RATES, max_size=3))
def test_no_second_sees_more_calls_than_it_may_whoever_comes_when(
    rate: float, most: int, callers: list[Caller], tunes: dict[float, float]
) -> None:
    assert most_in_a_second(run_virtual(sent(rate, most, callers, tunes))) <= most


@given(st.floats(0.5, 15), MOST, st.integers(1, 20), st.sampled_from([0.0, 0.01, 0.03]))
def test_who_always_waits_gets_nearly_the_whole_rate(rate: float, most: int, workers: int, delay: float) -> None:
    """delay: between the permit and the call, as a write-ahead takes. A worker makes one call at a time."""
    count = math.ceil(20 * min(rate, most)) + workers
    share = math.ceil(count / workers)
    times = run_virtual(sent(rate, most, [Caller(0, delay, True, 1, share)] * workers, {}))
    burst = max(min(rate, most), 1)
    possible = min(rate, most, workers / delay if delay else math.inf)
    assert times[-1] <= (len(times) - burst) / (0.95 * possible) + 2.5


STALLS = st.dictionaries(st.integers(0, 100), st.floats(0, 2), max_size=3)


async def delayed(most: int, delays: list[float], stalls: dict[int, float]) -> list[float]:
    """When calls arrive at the other end of a network that delays the nth by delays[n]. stalls: before it the process stands still."""
    loop, bucket, arrivals = asyncio.get_running_loop(), Bucket(most, most), list[float]()
    assert isinstance(loop, VirtualTimeLoop)

    async def one(delay: float) -> None:
        await go_out([await bucket.take(Urgency.USER)])
        arrivals.append(loop.time() + delay)

    async with asyncio.TaskGroup() as group:
        for number, delay in enumerate(delays):
            group.create_task(one(delay))
            if number in stalls:
                await asyncio.sleep(number / most / 2)
                loop.pause(stalls[number])
    return sorted(arrivals)


@given(st.integers(3, 20), st.data(), STALLS)
def test_a_quota_that_is_counted_in_tokens_has_some_left_though_the_network_wavers(
    most: int, data: st.DataObject, stalls: dict[int, float]
) -> None:
    """By nearly the time of one call. The burst that comes after a pause is the first of all, and the other end's bucket is full then."""
    delays = data.draw(st.lists(st.floats(0, 0.9 / most), min_size=1, max_size=100))
    left, since = float(most), 0.0
    for arrival in run_virtual(delayed(most, delays, stalls)):
        left, since = min(most, left + (arrival - since) * most), arrival
        assert left >= 1 - 1e-6
        left -= 1


@pytest.mark.virtual_time
async def test_a_call_that_weighs_more_than_a_second_holds_goes_alone() -> None:
    bucket, loop = Bucket(1.0, 1), asyncio.get_running_loop()
    for _ in range(3):
        permit = await bucket.take(Urgency.USER, 2)
        permit.sent()
    assert loop.time() == pytest.approx(4, abs=0.2)


@pytest.mark.virtual_time
async def test_calls_that_were_held_up_wait_at_the_gate_and_nobody_waits_for_those_that_are_not_made() -> None:
    bucket, loop = Bucket(5.0, 5), asyncio.get_running_loop()
    held = [await bucket.take(Urgency.USER) for _ in range(20)]
    assert loop.time() == pytest.approx(4, abs=0.2)
    for permit in held[10:]:
        permit.close()
    sent: list[float] = []
    for permit in held[:10]:
        await go_out([permit])
        sent.append(loop.time())
    assert sent[3] - sent[0] == 0
    assert sent[4] - sent[0] == pytest.approx(0.2, abs=0.01)
    assert sent[8] - sent[0] == pytest.approx(1.0, abs=0.02)


@pytest.mark.virtual_time
async def test_a_process_that_stood_still_makes_up_for_it() -> None:
    bucket, loop, sent = Bucket(5.0, 5), asyncio.get_running_loop(), list[float]()
    assert isinstance(loop, VirtualTimeLoop)
    for number in range(100):
        await go_out([await bucket.take(Urgency.USER)])
        sent.append(loop.time())
        if number % 7 == 0:
            loop.pause(0.15)
    assert sent[-1] <= 20.2
    assert most_in_a_second(sent) <= 5
