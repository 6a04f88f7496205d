import asyncio
import time

import pytest

from tests.virtual_time import HORIZON_SECONDS, StuckError, VirtualTimeLoop, run_virtual


@pytest.fixture
async def born() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.virtual_time
async def test_a_day_passes_at_once() -> None:
    loop = asyncio.get_running_loop()
    started = time.monotonic()
    await asyncio.sleep(86_400)
    assert loop.time() == pytest.approx(86_400)
    assert time.monotonic() - started < 10


@pytest.mark.virtual_time
async def test_async_fixtures_share_the_loop_of_their_test(born: float) -> None:
    assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
    assert born == 0.0


async def test_without_the_marker_time_is_real() -> None:
    loop = asyncio.get_running_loop()
    assert not isinstance(loop, VirtualTimeLoop)
    assert loop.time() == pytest.approx(time.monotonic(), abs=10)


@pytest.mark.virtual_time
async def test_sleepers_wake_in_the_order_of_their_timers() -> None:
    woken: list[float] = []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(asyncio.get_running_loop().time())

    await asyncio.gather(*(sleeper(seconds) for seconds in (30, 0.5, 7200, 0)))
    assert woken == pytest.approx([0, 0.5, 30, 7200])


@pytest.mark.virtual_time
async def test_time_stands_still_while_anything_can_run() -> None:
    timer = asyncio.create_task(asyncio.sleep(1))
    for _ in range(10_000):
        await asyncio.sleep(0)
    assert asyncio.get_running_loop().time() == 0.0
    await timer


@pytest.mark.virtual_time
async def test_a_timeout_ends_a_wait_for_nothing() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() == pytest.approx(60)


@pytest.mark.virtual_time
async def test_timers_passed_during_a_pause_fire_together_afterwards() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    woken: list[float] = []
    for delay in (1, 2, 60):
        loop.call_later(delay, lambda: woken.append(loop.time()))
    loop.pause(40)
    assert woken == []
    await asyncio.sleep(30)
    assert woken == pytest.approx([40, 40, 60])


def test_waiting_for_what_can_never_happen_raises_and_names_the_task() -> None:
    async def hopeless() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StuckError, match="hopeless"):
        run_virtual(hopeless())


def test_a_task_that_polls_for_ever_is_ended_at_the_horizon() -> None:
    async def poll(wanted: list[str]) -> None:
        while not wanted:  # noqa: ASYNC110 - the bad habit itself is under test
            await asyncio.sleep(HORIZON_SECONDS / 10)

    with pytest.raises(StuckError, match="7 virtual days"):
        run_virtual(poll([]))


def test_each_run_has_a_clock_of_its_own_and_gives_the_result() -> None:
    async def nap() -> float:
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    assert [run_virtual(nap()), run_virtual(nap())] == pytest.approx([5, 5])
