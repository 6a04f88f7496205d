"""Python's garbage collector, kept from going over what stays.

A full collection stops everything for as long as it takes to go over all objects: a third of a second with 100,000 keys, and while the stores
fill it comes again and again, to find nothing. So there is none until they are filled; what is there then is not gone over again.
What is dropped later is freed as ever: by its last reference.
"""

import asyncio
import gc
from collections.abc import Callable

POLL_SECONDS = 0.05
# Where the API server cannot be reached, garbage shall not pile up for ever.
LONGEST_SECONDS = 120.0


async def collect_after(filled: Callable[[], bool]) -> None:
    """No collections until this is so, or LONGEST_SECONDS have passed."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + LONGEST_SECONDS
    gc.disable()
    try:
        while not filled() and loop.time() < ends:  # noqa: ASYNC110 - once in a process's life
            await asyncio.sleep(POLL_SECONDS)
    finally:
        gc.freeze()
        gc.enable()
