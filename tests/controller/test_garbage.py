import asyncio
import gc
from collections.abc import Iterator

import pytest

from controller.garbage import LONGEST_SECONDS, collect_after

pytestmark = pytest.mark.virtual_time


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


async def test_nothing_is_collected_until_the_stores_are_filled_and_then_only_what_came_later() -> None:
    filled = asyncio.Event()
    waiting = asyncio.create_task(collect_after(filled.is_set))
    await asyncio.sleep(LONGEST_SECONDS / 2)
    assert not gc.isenabled()
    filled.set()
    await waiting
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


async def test_stores_that_cannot_be_filled_keep_no_garbage_for_ever() -> None:
    began = asyncio.get_running_loop().time()
    await collect_after(lambda: False)
    assert gc.isenabled()
    assert asyncio.get_running_loop().time() - began == pytest.approx(LONGEST_SECONDS, rel=0.01)


async def test_a_process_that_ends_before_collects_again() -> None:
    waiting = asyncio.create_task(collect_after(lambda: False))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert gc.isenabled()
