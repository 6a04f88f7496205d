"""How fast we call: one token bucket for each account, region and operation, shared by all connections of the process.

Rules:
1. KMS counts requests per account and region, together with everybody else in the account. We take a fraction of each quota.
2. A bucket holds one second's worth, at least one call. The more urgent is served first, and among equals who came first. Each AGING_SECONDS
   of waiting count as one degree of urgency, so that nobody waits for ever behind others who keep coming.
3. A throttled bucket halves its rate and gets it back evenly: others in the account need their share too.
4. A provider may ask for another share of an account and region, or for other rates. Those that speak of the same one share its buckets: the
   smallest of what they say holds, so that none of them takes from another what that one wanted to leave to others.
5. Waiting is cancelled by the caller's own deadline, and then takes nothing from those who wait behind.

Time is the loop's: monotonic. Operations without a known quota do not wait. Not promised: fairness between processes.
"""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from reconcilers.urgency import Urgency

# Requests a second: KMS developer guide, "Request quotas" (2026). For GetResources AWS publishes none: 5 is a guess on the safe side,
# and throttling would correct it.
PER_SECOND: Final[dict[str, float]] = {
    "CancelKeyDeletion": 5,
    "CreateAlias": 5,
    "CreateGrant": 50,
    "CreateKey": 5,
    "DeleteAlias": 15,
    "DeleteImportedKeyMaterial": 15,
    "DescribeKey": 2000,
    "DisableKey": 5,
    "DisableKeyRotation": 5,
    "EnableKey": 5,
    "EnableKeyRotation": 15,
    "GetKeyPolicy": 1000,
    "GetKeyRotationStatus": 1000,
    "GetPublicKey": 2000,
    "GetResources": 5,
    "ListAliases": 500,
    "ListGrants": 100,
    "ListKeyRotations": 100,
    "ListKeys": 500,
    "ListResourceTags": 2000,
    "PutKeyPolicy": 15,
    "ReplicateKey": 5,
    "RevokeGrant": 50,
    "RotateKeyOnDemand": 5,
    "ScheduleKeyDeletion": 15,
    "TagResource": 10,
    "UntagResource": 5,
    "UpdateAlias": 5,
    "UpdateKeyDescription": 5,
}
KMS_OPERATIONS: Final = tuple(operation for operation in PER_SECOND if operation != "GetResources")
# A rate halved once is whole again after this time, and the floor after twice of it: AWS's own buckets refill within seconds.
RECOVERY_SECONDS = 30.0
# Below this share of its rate a bucket would hardly notice that the storm is over.
FLOOR = 1 / 16
# AWS counts by the second: all refusals within one are the same piece of news.
ONE_NEWS_SECONDS = 1.0
# A resync that has waited for half of a pass's deadline goes before the newest change of a user.
AGING_SECONDS = 10.0
# What is missing from a token by rounding when its time has come.
ROUNDING = 1e-6

_urgency: ContextVar[Urgency] = ContextVar("urgency", default=Urgency.USER)


@contextlib.contextmanager
def waiting_as(urgency: Urgency) -> Iterator[None]:
    """All that is called within, in tasks begun there too, waits for its quotas with this urgency."""
    token = _urgency.set(urgency)
    try:
        yield
    finally:
        _urgency.reset(token)


def waits_as() -> Urgency:
    """With what urgency a call waits that is made here."""
    return _urgency.get()


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a provider asks for. fraction: of AWS's quotas; per_operation: requests a second, which win."""

    fraction: float | None = None
    per_operation: Mapping[str, float] = field(default_factory=dict)

    def rate(self, operation: str) -> float | None:
        """Requests a second; None where nothing is said of this operation."""
        share = None if self.fraction is None else PER_SECOND[operation] * self.fraction
        return self.per_operation.get(operation, share)


class Quotas:
    """All buckets of the process. fraction: the share of AWS's quotas that is ours, above 0 and at most 1."""

    def __init__(self, fraction: float) -> None:
        self._fraction = fraction
        self._processes = 1
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self._limits: dict[str, tuple[tuple[str, str], RateLimits]] = {}  # by provider: of which place, and what

    def limit(self, provider: str, account_id: str, region: str, limits: RateLimits) -> None:
        """A provider leads there and asks for this, whatever it asked for before."""
        self.unlimit(provider)
        self._limits[provider] = ((account_id, region), limits)
        self._tune((account_id, region))

    def divide(self, number: int) -> None:
        """So many processes share what is ours, this one included."""
        self._processes = number
        for (account_id, region, operation), bucket in self._buckets.items():
            bucket.tune(self._rate(account_id, region, operation))

    def unlimit(self, provider: str) -> None:
        """A provider asks for nothing any more."""
        place, _ = self._limits.pop(provider, (None, None))
        if place is not None:
            self._tune(place)

    async def take(self, account_id: str, region: str, operation: str) -> float:
        """Waits until the call may be made; returns the seconds waited. There is no bound but the caller's."""
        bucket = self._bucket(account_id, region, operation)
        if bucket is None:
            return 0.0
        loop = asyncio.get_running_loop()
        began = loop.time()
        await bucket.take()
        return loop.time() - began

    def throttled(self, account_id: str, region: str, operation: str) -> None:
        """AWS said that this was too fast."""
        bucket = self._bucket(account_id, region, operation)
        if bucket is not None:
            bucket.slow_down()

    def rate(self, account_id: str, region: str, operation: str) -> float | None:
        """How many such calls a second are ours while AWS refuses none; None: as many as we like."""
        return self._rate(account_id, region, operation) if operation in PER_SECOND else None

    def _bucket(self, account_id: str, region: str, operation: str) -> "_Bucket | None":
        if operation not in PER_SECOND:
            return None
        key = (account_id, region, operation)
        if key not in self._buckets:
            self._buckets[key] = _Bucket(self._rate(*key))
        return self._buckets[key]

    def _tune(self, place: tuple[str, str]) -> None:
        for (account_id, region, operation), bucket in self._buckets.items():
            if (account_id, region) == place:
                bucket.tune(self._rate(account_id, region, operation))

    def _rate(self, account_id: str, region: str, operation: str) -> float:
        told = [limits.rate(operation) for place, limits in self._limits.values() if place == (account_id, region)]
        ours = min((rate for rate in told if rate is not None), default=PER_SECOND[operation] * self._fraction)
        return ours / self._processes


class _Bucket:
    """`rate` tokens flow in every second, up to `_size`."""

    def __init__(self, rate: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._full_rate = self._rate = rate
        self._size = self._tokens = max(rate, 1.0)
        self._seen = self._loop.time()
        self._slow_again = self._seen
        # By when they came, in seconds, less urgent ones as if they had come later: their order never changes by waiting.
        self._line: list[tuple[float, int, asyncio.Future[None]]] = []
        self._ties = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None

    def tune(self, rate: float) -> None:
        """Another full rate; a throttled bucket stays throttled by as much."""
        if rate != self._full_rate:
            self._refill()
            self._rate *= rate / self._full_rate
            self._full_rate, self._size = rate, max(rate, 1.0)
            self._serve()

    async def take(self) -> None:
        turn = self._loop.create_future()
        heapq.heappush(self._line, (self._loop.time() + _urgency.get() * AGING_SECONDS, next(self._ties), turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was our turn already
                self._tokens += 1.0
                self._serve()
            raise

    def slow_down(self) -> None:
        self._refill()
        self._tokens = min(self._tokens, 0.0)
        if self._seen >= self._slow_again:
            self._rate = max(self._rate / 2, self._full_rate * FLOOR)
            self._slow_again = self._seen + ONE_NEWS_SECONDS

    def _serve(self) -> None:
        """Those whose turn it is; the alarm calls again when it is the next one's. Who gave up has left the line."""
        self._refill()
        while self._line:
            if self._line[0][2].done():
                heapq.heappop(self._line)
            elif self._tokens >= 1.0 - ROUNDING:
                self._tokens -= 1.0
                heapq.heappop(self._line)[2].set_result(None)
            else:
                break
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_later((1.0 - self._tokens) / self._rate, self._serve) if self._line else None

    def _refill(self) -> None:
        now = self._loop.time()
        elapsed, self._seen = now - self._seen, now
        self._tokens = min(self._size, self._tokens + elapsed * self._rate)
        self._rate = min(self._full_rate, self._rate + elapsed * self._full_rate / 2 / RECOVERY_SECONDS)
