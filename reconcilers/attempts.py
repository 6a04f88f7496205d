"""Calls that may have been sent, and whose results are unknown: how old each of them is, as far as that can be relied on.

An attempt bears the time at which it was written down, and that is for people: it is compared with no clock. The clocks of two processes
disagree, one clock jumps, and AWS takes requests from one that is off by up to five minutes, which is as long as KMS may be late. What counts
is for how long this very process has known of the attempt, by its monotonic clock: the call is as old as that, but for the moment between
its attempt and itself, in which nothing waits.

The price: a process that has only just begun takes every call for a new one, and looks for its result for the whole grace once more. A
standby knows of it already.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from reconcilers.key_status import CreationAttempt, KMSKeyStatus, RotationAttempt


class Attempt(NamedTuple):
    """One of those that a status remembers, known by all that is written down. region: of a replica; empty for the key itself."""

    written: CreationAttempt | RotationAttempt
    region: str = ""


Ages = Mapping[Attempt, timedelta]


def attempts_in(status: KMSKeyStatus) -> Iterator[Attempt]:
    """All that a status remembers."""
    yield from (Attempt(one) for one in (status.creation_attempt, status.rotation_attempt) if one is not None)
    yield from (Attempt(one.creation_attempt, one.region) for one in status.replicas if one.creation_attempt is not None)


def age(ages: Ages, written: CreationAttempt | RotationAttempt | None, region: str = "") -> timedelta:
    """Zero where there is no attempt, and where this process has not heard of it yet."""
    return timedelta() if written is None else ages.get(Attempt(written, region), timedelta())
