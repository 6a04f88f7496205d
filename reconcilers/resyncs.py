"""How long an object that is as declared goes unseen: as long as it asks for, or longer where there are too many of them.

Rules:
1. A look takes reads, of which AWS lets us make so many a second, and CPU time of this process. SHARE of each is for looks: the rest is for
   what users ask for, and for repairs.
2. Each object has an interval that it asks for. Where the looks would take more of something than there is for them, all who take of it wait
   longer by the same factor: then they take just that. Who takes of several such things waits by the largest of the factors.
3. Nobody is looked at more often than asked for.

Not promised: exactness. The factor is taken anew at the end of each look, by what all others took at their last.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

SHARE: Final = 0.5
# CPU of one look: measured at 5 to 7 ms (docs/performance.md). On a slower machine looks take more than their share, and still go last.
LOOK_SECONDS: Final = 0.007


class Load(NamedTuple):
    """Of one thing, in a second: what the looks would take if each came when it is asked for, and what there is."""

    asked: float
    there: float


def stretch(loads: Iterable[Load]) -> float:
    """By what factor the interval of an object grows that takes of all these; 1 where nothing is short."""
    return max((1.0, *(load.asked / (load.there * SHARE) for load in loads)))
