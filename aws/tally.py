"""Which calls are made within a block: what a look at an object costs is counted where it is paid."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from typing import NamedTuple


class Call(NamedTuple):
    """What AWS counts together."""

    account_id: str
    region: str
    operation: str


_tally: ContextVar[Counter[Call] | None] = ContextVar("tally", default=None)


@contextlib.contextmanager
def tallied() -> Iterator[Counter[Call]]:
    """All calls that are begun within, in tasks begun there too."""
    calls: Counter[Call] = Counter()
    token = _tally.set(calls)
    try:
        yield calls
    finally:
        _tally.reset(token)


def tally(call: Call) -> None:
    """One more."""
    calls = _tally.get()
    if calls is not None:
        calls[call] += 1
