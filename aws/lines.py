"""The order in which calls wait: by when they came, less urgent ones as if they had come later, so that waiting changes no order."""

import asyncio
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# So many beside twice the live ones are not worth a sweep.
GONE_KEPT = 100


@dataclass(eq=False, slots=True)
class Turn:
    """A place in a line. since: loop time; due: when it was its turn. weight: as how many calls it counts.

    Somebody waits for `served`, or somebody is away and is woken by `wake` when it is nearly time.
    """

    rank: float
    tie: int  # of equals the older goes first
    since: float
    weight: int = 1
    wake: Callable[[], None] | None = None
    served: asyncio.Future[bool] | None = None
    due: float = 0.0

    def __lt__(self, other: "Turn") -> bool:
        return (self.rank, self.tie) < (other.rank, other.tie)


class Line:
    """Turns in their order; any may leave."""

    def __init__(self) -> None:
        self._heap: list[Turn] = []  # those that have left go when they come to the front
        self._turns: set[Turn] = set()

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[Turn]:
        """In no order."""
        return iter(self._turns)

    def join(self, turn: Turn) -> None:
        """Stand in the line."""
        self._turns.add(turn)
        heapq.heappush(self._heap, turn)
        if len(self._heap) > 2 * len(self._turns) + GONE_KEPT:
            self._heap = list(self._turns)
            heapq.heapify(self._heap)

    def leave(self, turn: Turn) -> None:
        """Stand there no more; nothing happens if it does not."""
        self._turns.discard(turn)
        if not self._turns:
            self._heap.clear()

    def first(self) -> Turn | None:
        """Whose turn it is next."""
        while self._heap and self._heap[0] not in self._turns:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None
