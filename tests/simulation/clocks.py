"""The wall clock of one process: so many seconds ahead of the world's, and after each jump so many more. Negative: behind it.

A process's monotonic clock is the loop's, which no jump moves.
"""

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise


class WallClock:
    """start: what a clock that is right shows at the time 0."""

    def __init__(self, start: datetime, time: Callable[[], float], ahead: float = 0.0) -> None:
        self._start = start
        self._time = time
        self._settings = [(-math.inf, ahead)]  # since when it has been ahead by how much

    @property
    def ahead(self) -> float:
        """By how many seconds, now."""
        return self._settings[-1][1]

    def jump(self, seconds: float) -> None:
        """Forward, or back."""
        self._settings.append((self._time(), self.ahead + seconds))

    def set_right(self) -> None:
        """As time servers do."""
        self.jump(-self.ahead)

    def now(self) -> datetime:
        """To the second, as the operator is given it."""
        return self._shown(math.floor(self._time() + self.ahead))

    def between(self, began: float, ended: float) -> Iterator[tuple[datetime, datetime]]:
        """What it has shown in that time, from when to when."""
        for (since, ahead), (until, _) in pairwise([*self._settings, (math.inf, 0.0)]):
            first, last = max(since, began), min(until, ended)
            if first <= last:
                yield self._shown(math.floor(first + ahead)), self._shown(last + ahead)

    def _shown(self, seconds: float) -> datetime:
        return self._start + timedelta(seconds=seconds)
