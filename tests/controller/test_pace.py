import contextlib
import json
from collections import deque

import msgspec
import pytest

from aws.errands import QuotaWaitError
from aws.tally import Call, tally
from controller.objects import KubeObject, Ref, decode_object
from controller.pace import MOST, SECONDS, Pace, pause
from controller.store import Store
from controller.workqueue import WorkQueue
from tests.controller.scripted import thing
from tests.controller.test_workqueue import now

pytestmark = pytest.mark.virtual_time

REF = Ref("default", "a")
WRITE, READ = Call("111122223333", "eu-central-1", "UpdateKeyDescription"), Call("111122223333", "eu-central-1", "DescribeKey")


@pytest.mark.parametrize(
    ("ends", "seconds"),
    [([], 0), ([100], 0), ([99.9, 100], 0), ([99.8, 99.9, 100], SECONDS - 0.2), ([91, 95, 100], 1), ([100 - SECONDS, 95, 100], 0)],
)
def test_whose_last_passes_have_all_written_within_a_short_time_pauses_until_the_first_is_long_ago(ends: list[float], seconds: float) -> None:
    assert pause(deque(ends, MOST), 100) == pytest.approx(seconds)


def version(number: int, uid: str = "u", *, leaves: bool = False) -> KubeObject:
    seen = decode_object(json.dumps(thing("a", number, uid)).encode())
    return msgspec.structs.replace(seen, deletion_timestamp="2026-03-01T12:00:00Z" if leaves else None)


class Bench:
    """One object, and its passes; each adds it once more, as a user's change would."""

    def __init__(self) -> None:
        self.store = Store()
        self.store.put(version(1))
        self.queue: WorkQueue[Ref] = WorkQueue("test")
        self.pace = Pace(self.queue, self.store)

    async def passes(self, count: int, call: Call) -> list[float]:
        """When each of them began."""
        begun = []
        self.queue.add(REF)
        for _ in range(count):
            ref = await self.queue.get()
            begun.append(now())
            with self.pace.passing(ref):
                tally(call)
            self.queue.add(ref)
            self.queue.done(ref)
        return begun


async def test_the_first_passes_that_write_begin_at_once_and_the_next_when_there_were_not_too_many() -> None:
    bench = Bench()
    assert await bench.passes(3 * MOST, WRITE) == [0] * MOST + [SECONDS] * MOST + [2 * SECONDS] * MOST


async def test_passes_that_only_look_wait_for_nothing() -> None:
    bench = Bench()
    assert await bench.passes(100, READ) == [0] * 100


@pytest.mark.parametrize(
    ("error", "is_held"), [(ValueError("no"), True), (QuotaWaitError("UpdateKeyDescription", 1, 0), False)], ids=["failed", "in line"]
)
async def test_a_pass_that_failed_counts_too_and_one_that_waits_for_a_quota_does_not(error: Exception, is_held: bool) -> None:
    bench = Bench()
    for _ in range(MOST):
        with contextlib.suppress(ValueError, QuotaWaitError), bench.pace.passing(REF):
            tally(WRITE)
            raise error
    bench.queue.add(REF)
    assert len(bench.queue) == (0 if is_held else 1)


@pytest.mark.parametrize("new", [None, version(2, leaves=True), version(2, uid="other")], ids=["gone", "leaves", "made anew"])
async def test_a_deletion_and_a_new_object_of_the_name_wait_for_nothing(new: KubeObject | None) -> None:
    bench = Bench()
    await bench.passes(MOST, WRITE)
    assert len(bench.queue) == 0
    bench.pace.changed(version(1), version(2))
    bench.queue.add(REF)
    assert len(bench.queue) == 0
    bench.pace.changed(version(1), new)
    bench.queue.add(REF)
    assert len(bench.queue) == 1


async def test_a_deletion_that_comes_during_a_pass_is_not_held_by_it() -> None:
    bench = Bench()
    await bench.passes(MOST - 1, WRITE)
    ref = await bench.queue.get()
    with bench.pace.passing(ref):
        tally(WRITE)
        bench.store.put(version(2, leaves=True))
        bench.queue.add(ref)
    bench.queue.done(ref)
    assert len(bench.queue) == 1


async def test_what_has_not_written_for_a_while_is_not_remembered() -> None:
    bench = Bench()
    await bench.passes(1, WRITE)
    other = Ref("default", "b")
    assert list(bench.pace._wrote) == [REF]
    bench.pace._note(other, now() + SECONDS)
    assert list(bench.pace._wrote) == [other]
