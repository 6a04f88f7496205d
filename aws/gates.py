"""Whether a call may go out this second, as the other end of the network counts: by the second, or in tokens.

Rules:
1. Within GATE_SECONDS no more than `most` calls go out; one that weighs more than that goes alone.
2. One of the other end's tokens is left untouched, for a network that delays one call more than the next.
"""

import asyncio
from collections import deque

# A second of AWS's, and by how much one call may be faster on its way than the one a second before it.
GATE_SECONDS = 1.01
# What is missing from a token by rounding when its time has come.
ROUNDING = 1e-6


class Gate:
    """most: so many calls in one second."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._loop = asyncio.get_running_loop()
        self._sent: deque[float] = deque()  # within the last second
        self._tokens, self._seen = float(most), self._loop.time()

    def delay(self, weight: int) -> float:
        """For how many seconds it is closed."""
        now, rate = self._loop.time(), self.most / GATE_SECONDS
        self._tokens = min(max(self.most - 1.0, 1.0), self._tokens + (now - self._seen) * rate)
        self._seen = now
        lacks = (1.0 - self._tokens) / rate
        return max(until_room(self._sent, weight, self.most, now, GATE_SECONDS), lacks if lacks > ROUNDING else 0.0)

    def passes(self, weight: int) -> None:
        """A call goes out."""
        self._tokens -= weight
        self._sent.extend([self._loop.time()] * weight)


def until_room(times: deque[float], weight: int, most: int, now: float, window: float) -> float:
    """Seconds until so many more fit into the window that ends then; forgets what is older."""
    while times and times[0] <= now - window + ROUNDING:
        times.popleft()
    over = len(times) + weight - 1 - max(most, weight)
    return times[over] + window - now if over >= 0 else 0.0
