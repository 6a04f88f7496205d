"""How fast we call: one token bucket for each account, region and operation, shared by all connections of the process.

Rules:
1. KMS counts requests per account and region, together with everybody else in the account. We take a fraction of each quota.
2. No second sees more calls than AWS's quota, whatever we are asked for; what a bucket is stands in buckets.py.
3. A throttled bucket halves its rate and gets it back evenly: others in the account need their share too.
4. A provider may ask for another share of an account and region, or for other rates. Those that speak of the same one share its buckets: the
   smallest of what they say holds, so that none of them takes from another what that one wanted to leave to others.
5. Waiting is cancelled by the caller's own deadline, and then takes nothing from those who wait behind.
6. Who waits for long does not wait in place (errands.py).

Time is the loop's: monotonic. Operations without a known quota do not wait. Not promised: fairness between processes, and that all of them
together stay below a quota of which they take the whole: each of them rounds its part of a second's calls up.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from aws.buckets import FREE, Bucket, Permit
from aws.errands import current_errand
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
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self._limits: dict[str, tuple[tuple[str, str], RateLimits]] = {}  # by provider: of which place, and what

    def limit(self, provider: str, account_id: str, region: str, limits: RateLimits) -> None:
        """A provider leads there and asks for this, whatever it asked for before."""
        self.unlimit(provider)
        self._limits[provider] = ((account_id, region), limits)
        self._tune((account_id, region))

    def divide(self, number: int) -> None:
        """So many processes share what is ours, this one included."""
        self._processes = number
        for key, bucket in self._buckets.items():
            bucket.tune(*self._pace(*key))

    def unlimit(self, provider: str) -> None:
        """A provider asks for nothing any more."""
        place, _ = self._limits.pop(provider, (None, None))
        if place is not None:
            self._tune(place)

    async def take(self, account_id: str, region: str, operation: str, weight: int = 1) -> Permit:
        """Waits until the call may be made. There is no bound but the caller's. Who has the permit closes it in any case.

        Raises QuotaWaitError on an errand, where the wait would be long.
        """
        bucket = self._bucket(account_id, region, operation)
        return FREE if bucket is None else await bucket.take(_urgency.get(), weight, current_errand())

    def throttled(self, account_id: str, region: str, operation: str) -> None:
        """AWS said that this was too fast."""
        bucket = self._bucket(account_id, region, operation)
        if bucket is not None:
            bucket.slow_down()

    def rate(self, account_id: str, region: str, operation: str) -> float | None:
        """How many such calls a second are ours while AWS refuses none; None: as many as we like."""
        return self._pace(account_id, region, operation)[0] if operation in PER_SECOND else None

    def _bucket(self, account_id: str, region: str, operation: str) -> Bucket | None:
        if operation not in PER_SECOND:
            return None
        key = (account_id, region, operation)
        if key not in self._buckets:
            self._buckets[key] = Bucket(*self._pace(*key), operation)
        return self._buckets[key]

    def _tune(self, place: tuple[str, str]) -> None:
        for (account_id, region, operation), bucket in self._buckets.items():
            if (account_id, region) == place:
                bucket.tune(*self._pace(account_id, region, operation))

    def _pace(self, account_id: str, region: str, operation: str) -> tuple[float, int]:
        """Our rate, and how many calls a second may see."""
        told = [limits.rate(operation) for place, limits in self._limits.values() if place == (account_id, region)]
        ours = min((rate for rate in told if rate is not None), default=PER_SECOND[operation] * self._fraction)
        most = PER_SECOND[operation] if operation in KMS_OPERATIONS else max(ours, PER_SECOND[operation])
        return min(ours, most) / self._processes, math.ceil(most / self._processes)
