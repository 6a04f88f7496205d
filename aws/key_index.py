"""What is known of the keys of one account and region by their owner: read from AWS now and then, and added to by what this process sees.

Rules:
1. The first reading is good for LAG_SECONDS: that late AWS's views may be, so that it may lack what was made, or tagged, before it. One that
   began after that is good for HOUR_SECONDS, or longer where it costs more than a hundredth of a quota. One that could not see everything is
   made again after DENIED_SECONDS.
2. What was noted since a reading began, and before the one before it, stays: AWS may not have shown it yet. All else that a whole reading does
   not show is forgotten: keys that are gone, or that carry another owner's name now.
3. What was made or claimed within NEW_SECONDS may not be shown anywhere yet: that it is not seen proves nothing.
4. What is noted without a reading ever following is bounded by MOST_NOTED, the oldest first.

Pure: `now` is an argument, in seconds of a clock that goes on evenly. 280 bytes a key.
"""

import math
from collections.abc import Iterable

from reconcilers.lag import LAG

_Arns = dict[str, tuple[str, ...]]  # by owner: the names of nearly all have one key, and a tuple is a quarter of a set

LAG_SECONDS = 600.0  # of the tag index, which is minutes late; KMS's own reads are up to five minutes late
NEW_SECONDS = LAG.total_seconds()  # of KMS's own reads
DENIED_SECONDS = 600.0  # a permission that was missing is tried again after ten minutes
HOUR_SECONDS = 3600.0
SHARE = 0.01  # of the quotas, for reading again
MOST_NOTED = 100_000  # KMS's own limit of keys in one account and region


class KeyIndex:
    """Owner (namespace/name) to the ARNs of the keys that may carry its tag. took: how many seconds the last reading lasted."""

    def __init__(self) -> None:
        self.took = 0.0
        self._read: _Arns = {}
        self._noted_before: _Arns = {}  # what was noted when the reading that goes on now began
        self._noted: _Arns = {}
        self._new: dict[str, float] = {}  # by ARN: since when, the oldest first
        self._first = math.inf
        self._began = -math.inf
        self._good_until = -math.inf

    @property
    def was_read(self) -> bool:
        """Whether a reading came to its end, though it may have been denied something."""
        return self._good_until > -math.inf

    def is_good(self, now: float) -> bool:
        """Whether what it does not know does not exist, as far as AWS told."""
        return now < self._good_until

    def of(self, owner: str) -> set[str]:
        """The keys of this owner, as far as they are known."""
        return {arn for known in (self._read, self._noted_before, self._noted) for arn in known.get(owner, ())}

    def note(self, owner: str, arn: str) -> None:
        """This process made, claimed, found or saw the key with this owner's tag."""
        if any(arn in known.get(owner, ()) for known in (self._noted, self._noted_before, self._read)):
            return
        self._noted[owner] = (*self._noted.get(owner, ()), arn)
        if len(self._noted) > MOST_NOTED:
            del self._noted[next(iter(self._noted))]

    def note_new(self, owner: str, arn: str, now: float) -> None:
        """This process has made or claimed the key just now."""
        self.note(owner, arn)
        self._new.pop(arn, None)
        self._new[arn] = now
        while not self.is_new(oldest := next(iter(self._new)), now):
            del self._new[oldest]

    def is_new(self, arn: str, now: float) -> bool:
        """Whether AWS may not show it, or its tags, everywhere yet."""
        return now - self._new.get(arn, -math.inf) < NEW_SECONDS

    def begin(self, now: float) -> None:
        """A reading begins. It may fail, and then the next one begins without an end of this one."""
        self._first, self._began = min(self._first, now), now
        for owner, arns in self._noted_before.items():  # none, unless the reading before has failed
            _add(self._noted, owner, arns)
        self._noted_before, self._noted = self._noted, {}

    def end(self, found: Iterable[tuple[str, str]], now: float, *, whole: bool, cost: float) -> None:
        """It found these pairs of owner and ARN. whole: nothing was hidden from it. cost: seconds of the quotas that it took."""
        if whole:
            self._read = {}
        for owner, arn in found:
            _add(self._read, owner, (arn,))
        for owner, arns in self._noted_before.items():
            _add(self._read, owner, arns)
        self._noted_before = {}
        self.took = now - self._began
        self._good_until = now + self._good_for(whole=whole, cost=cost)

    def _good_for(self, *, whole: bool, cost: float) -> float:
        if not whole:
            return max(DENIED_SECONDS, cost / SHARE)
        if self._began - self._first < LAG_SECONDS:
            return LAG_SECONDS
        return max(HOUR_SECONDS, cost / SHARE)


def _add(arns: _Arns, owner: str, more: tuple[str, ...]) -> None:
    known = arns.get(owner)
    arns[owner] = more if known is None else known + tuple(arn for arn in more if arn not in known)
