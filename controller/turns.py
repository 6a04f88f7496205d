"""Something to be done to very many things, without keeping the event loop from everybody else for so long."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 1000  # some 5 ms for what is done here to one of them


def in_turns(things: Iterable[T], do: Callable[[T], None]) -> None:
    """To all that are there now: to the first AT_ONCE of them at once, to as many more each time that others have had their turn."""
    rest = iter(tuple(things))

    def some() -> None:
        done = 0
        for thing in islice(rest, AT_ONCE):
            do(thing)
            done += 1
        if done == AT_ONCE:
            asyncio.get_running_loop().call_soon(some)

    some()
