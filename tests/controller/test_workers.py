import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import structlog
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from controller.objects import Ref
from controller.workers import PostponedError, Workers, finish
from controller.workqueue import WorkQueue

pytestmark = pytest.mark.virtual_time

A = Ref("default", "a")
Pass = Callable[[Ref], Awaitable[timedelta | None]]


class RefusedError(Exception):
    """What a reconcile may expect."""


def now() -> float:
    return asyncio.get_running_loop().time()


def sample(metric: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"controller_runtime_{metric}", {"controller": "thing"} | labels) or 0.0


class Bench:
    """Workers over a queue, and the starts of all passes. Each pass of an object takes its next outcome, the last for ever."""

    def __init__(self, *outcomes: Pass, count: int = 2) -> None:
        self.queue: WorkQueue[Ref] = WorkQueue("thing")
        self.starts: dict[Ref, list[float]] = defaultdict(list)
        self._outcomes = outcomes
        self._workers = Workers("thing", self.queue, self._reconcile, count, deadline=60, expected=(RefusedError,))

    async def _reconcile(self, ref: Ref) -> timedelta | None:
        self.starts[ref].append(now())
        return await self._outcomes[min(len(self.starts[ref]), len(self._outcomes)) - 1](ref)

    async def run(self, seconds: float, *refs: Ref) -> None:
        """Add the objects, let the workers work for so long, and stop them."""
        for ref in refs or (A,):
            self.queue.add(ref)
        running = asyncio.create_task(self._workers.run())
        await asyncio.sleep(seconds)
        self.queue.shut_down()
        await asyncio.wait_for(running, timeout=1000)


async def nothing_to_do(_: Ref) -> timedelta | None:
    return None


async def in_ten_minutes(_: Ref) -> timedelta | None:
    return timedelta(minutes=10)


async def hang(_: Ref) -> timedelta | None:
    await asyncio.Event().wait()
    return None


def fails(error: BaseException) -> Pass:
    async def failing(_: Ref) -> timedelta | None:
        raise error

    return failing


async def test_none_means_not_to_look_again() -> None:
    bench = Bench(nothing_to_do)
    await bench.run(86_400)
    assert bench.starts[A] == [0]


async def test_a_timedelta_says_when_to_look_again() -> None:
    bench = Bench(in_ten_minutes)
    await bench.run(1801)
    assert bench.starts[A] == pytest.approx([0, 600, 1200, 1800])


async def test_a_failure_is_retried_with_backoff_until_it_succeeds() -> None:
    bench = Bench(fails(RefusedError()), fails(RefusedError()), fails(RefusedError()), nothing_to_do)
    await bench.run(3600)
    first, second, third, fourth = bench.starts[A]
    assert 1 <= second - first <= 2 <= third - second <= 4 <= fourth - third <= 8


async def test_a_success_starts_the_backoff_over() -> None:
    failure = fails(RefusedError())
    bench = Bench(failure, failure, failure, failure, in_ten_minutes, failure, nothing_to_do)
    await bench.run(3600)
    *_, last_failure, last = bench.starts[A]
    assert last - last_failure <= 2


async def test_a_pass_that_is_postponed_is_no_failure_and_forgets_none() -> None:
    failure, later = fails(RefusedError()), fails(PostponedError("not yet", timedelta(minutes=10)))
    bench = Bench(failure, failure, failure, later, failure, nothing_to_do)
    errors, postponed = sample("reconcile_errors_total"), sample("reconcile_total", result="requeue_after")
    await bench.run(3600)
    *_, waits, again, last = bench.starts[A]
    assert again - waits == pytest.approx(600)
    assert 8 <= last - again <= 16, "the fourth failure"
    assert sample("reconcile_errors_total") - errors == 4
    assert sample("reconcile_total", result="requeue_after") - postponed == 1


async def test_what_is_postponed_can_be_woken_before() -> None:
    bench = Bench(fails(PostponedError("not yet", timedelta(minutes=10))), nothing_to_do)
    asyncio.get_running_loop().call_later(60, bench.queue.add, A)
    await bench.run(3600)
    assert bench.starts[A] == [0, 60]


@pytest.mark.holds("I23")
async def test_what_fails_for_ever_costs_twelve_passes_an_hour() -> None:
    bench = Bench(fails(RefusedError()))
    await bench.run(2 * 3600)
    assert len([start for start in bench.starts[A] if start >= 3600]) == 12


ANY_ERROR = [
    ValueError("bug"),
    RecursionError(),
    MemoryError(),
    ExceptionGroup("several", [ValueError(), OSError()]),
    TimeoutError("of a request, not of the pass"),
    asyncio.CancelledError("raised by the pass itself"),
]


@pytest.mark.parametrize("error", ANY_ERROR, ids=lambda error: type(error).__name__)
async def test_no_error_ends_a_worker_and_each_is_retried_logged_and_counted(error: BaseException) -> None:
    panics, errors = sample("reconcile_panics_total"), sample("reconcile_total", result="error")
    bench = Bench(fails(error), fails(error), nothing_to_do, count=1)
    with capture_logs() as logs:
        await bench.run(60)
    assert len(bench.starts[A]) == 3
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["reconcile_panicked"] * 2
    assert all(line["exc_info"] is error for line in logs if line["log_level"] == "error")
    assert sample("reconcile_panics_total") - panics == 2
    assert sample("reconcile_total", result="error") - errors == 2


async def test_an_expected_error_is_a_warning_without_traceback_and_no_panic() -> None:
    panics, errors = sample("reconcile_panics_total"), sample("reconcile_errors_total")
    with capture_logs() as logs:
        await Bench(fails(RefusedError("quota")), nothing_to_do).run(60)
    (line,) = [line for line in logs if line["event"] == "reconcile_failed"]
    assert line["log_level"] == "warning"
    assert (line["error"], line["error_type"]) == ("quota", "RefusedError")
    assert "exc_info" not in line
    assert sample("reconcile_panics_total") == panics
    assert sample("reconcile_errors_total") == errors + 1


async def test_a_pass_is_cut_off_at_its_deadline_and_retried() -> None:
    timeouts, panics = sample("reconcile_timeouts_total"), sample("reconcile_panics_total")
    bench = Bench(hang, nothing_to_do)
    await bench.run(120)
    first, second = bench.starts[A]
    assert 61 <= second - first <= 62
    assert sample("reconcile_timeouts_total") == timeouts + 1
    assert sample("reconcile_panics_total") == panics


async def test_results_are_counted() -> None:
    before = {result: sample("reconcile_total", result=result) for result in ("success", "requeue_after")}
    await Bench(in_ten_minutes, nothing_to_do).run(3600)
    for result, count in before.items():
        assert sample("reconcile_total", result=result) == count + 1
    assert sample("max_concurrent_reconciles") == 2
    assert sample("active_workers") == 0


@pytest.mark.holds("F69")
async def test_one_object_that_always_fails_delays_no_other() -> None:
    refs = [Ref("default", str(number)) for number in range(1000)]

    async def all_but_one(ref: Ref) -> timedelta | None:
        if ref is refs[0]:
            raise ValueError("bug drill")
        await asyncio.sleep(0.1)
        return None

    bench = Bench(all_but_one, count=10)
    await bench.run(3600, *refs)
    assert all(len(bench.starts[ref]) == 1 for ref in refs[1:])
    assert max(bench.starts[ref][0] for ref in refs[1:]) < 11


@pytest.mark.holds("F24", "I8")
async def test_one_object_is_never_reconciled_twice_at_once_and_its_storm_ends_in_one_pass() -> None:
    active: list[Ref] = []

    async def slow(ref: Ref) -> timedelta | None:
        assert ref not in active
        active.append(ref)
        await asyncio.sleep(3)
        active.remove(ref)
        return None

    bench = Bench(slow, count=8)
    loop = asyncio.get_running_loop()
    for number in range(10_000):
        loop.call_later(number / 1000, bench.queue.add, A)
    await bench.run(100)
    assert len(bench.starts[A]) == 5  # at 0, 3, 6 and 9 s, and once for what came after 9 s


async def test_all_workers_work_at_once_and_no_more() -> None:
    async def slow(_: Ref) -> timedelta | None:
        await asyncio.sleep(1)
        return None

    refs = [Ref("default", str(number)) for number in range(12)]
    bench = Bench(slow, count=4)
    await bench.run(60, *refs)
    assert sorted(start for ref in refs for start in bench.starts[ref]) == pytest.approx([0] * 4 + [1] * 4 + [2] * 4)


async def test_at_shut_down_passes_under_way_end_and_no_other_begins() -> None:
    ended: list[Ref] = []

    async def slow(ref: Ref) -> timedelta | None:
        await asyncio.sleep(20)
        ended.append(ref)
        return timedelta(seconds=1)

    refs = [Ref("default", str(number)) for number in range(500)]
    bench = Bench(slow, count=8)
    await bench.run(10, *refs)
    assert now() == pytest.approx(20)
    assert set(ended) == set(refs[:8])


async def test_all_lines_of_a_pass_bear_its_object_and_an_id_of_its_own() -> None:
    log = structlog.get_logger()

    async def talk(_: Ref) -> timedelta | None:
        log.info("said")
        await asyncio.sleep(1)
        log.info("said")
        return None

    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await Bench(talk).run(10, A, Ref("default", "b"))
    lines = [line for line in logs if line["event"] in ("said", "reconciled")]
    assert len(lines) == 6
    assert {(line["kind"], line["namespace"]) for line in lines} == {("thing", "default")}
    assert len({(line["name"], line["pass_id"]) for line in lines}) == 2
    assert not structlog.contextvars.get_contextvars()


async def test_the_deadline_ends_a_pass_and_no_worker_also_where_something_in_it_is_said_to_be_cancelled() -> None:
    async def marked(ref: Ref) -> timedelta | None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(1)
        return await hang(ref)

    bench = Bench(marked, nothing_to_do, count=1)
    timeouts = sample("reconcile_timeouts_total")
    await bench.run(300)
    assert bench.starts[A] == pytest.approx([0, 61], abs=1)
    assert sample("reconcile_timeouts_total") - timeouts == 1


async def test_cancelling_run_cancels_the_passes() -> None:
    queue: WorkQueue[Ref] = WorkQueue("thing")
    queue.add(A)
    running = asyncio.create_task(Workers("thing", queue, hang, count=3).run())
    await asyncio.sleep(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await queue.drained()


async def test_an_object_is_given_back_only_when_its_shielded_section_has_ended() -> None:
    async def create() -> None:
        await asyncio.sleep(100)

    async def creates(_: Ref) -> timedelta | None:
        await finish(create())
        return None

    bench = Bench(creates, nothing_to_do)
    asyncio.get_running_loop().call_later(70, bench.queue.add, A)
    await bench.run(300)
    assert bench.starts[A][:2] == pytest.approx([0, 100])


class Work:
    """A section that takes ten seconds."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.ended_at: float | None = None
        self._failure = failure

    async def run(self) -> str:
        await asyncio.sleep(10)
        self.ended_at = now()
        if self._failure is not None:
            raise self._failure
        return "result"


async def test_finish_gives_the_result() -> None:
    assert await finish(Work().run()) == "result"


async def test_finish_raises_the_failure() -> None:
    with pytest.raises(ValueError, match="refused"):
        await finish(Work(ValueError("refused")).run())


@pytest.mark.parametrize("cancelled_at", [[0], [5], [1, 2, 9]])
async def test_finish_ends_the_work_before_it_lets_a_cancellation_through(cancelled_at: list[float]) -> None:
    work = Work()
    caller = asyncio.create_task(finish(work.run()))
    await asyncio.sleep(0)  # let it begin
    for at in cancelled_at:
        asyncio.get_running_loop().call_at(at, caller.cancel)
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.ended_at == pytest.approx(10)


async def test_finish_names_a_failure_as_the_cause_of_the_cancellation() -> None:
    caller = asyncio.create_task(finish(Work(ValueError("refused")).run()))
    asyncio.get_running_loop().call_later(5, caller.cancel)
    with pytest.raises(asyncio.CancelledError) as raised:
        await caller
    assert isinstance(raised.value.__cause__, ValueError)


async def test_a_timeout_around_finish_is_still_a_timeout() -> None:
    work = Work()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await finish(work.run())
    assert work.ended_at == pytest.approx(10)
