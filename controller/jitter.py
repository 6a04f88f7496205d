"""Resyncs that began together shall not stay together."""

import random
from datetime import timedelta

RESYNC_JITTER = 0.1


def jittered(interval: timedelta) -> timedelta:
    """The interval, a little shorter or longer."""
    return interval * random.uniform(1 - RESYNC_JITTER, 1 + RESYNC_JITTER)  # noqa: S311 - spreads load, guards nothing


def spread(interval: timedelta) -> timedelta:
    """Any part of the interval, for those that have just begun together."""
    return interval * random.random()  # noqa: S311 - spreads load, guards nothing
