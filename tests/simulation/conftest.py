"""Each simulation begins with the same seed for the operator's own jitter; its log is kept to itself, and must not tell of a bug."""

import random
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.simulation.kms_model import Kms
from tests.simulation.kms_requests import Clock

SEED = 20260301
# What the operator logs when something happened that nobody had expected.
BUGS = frozenset({"reconcile_panicked", "part_failed", "lease_failed", "on_change_failed"})


@pytest.fixture
def clock() -> Clock:
    """The time of a model of KMS that is called without a world around it."""
    return Clock()


@pytest.fixture
def kms(clock: Clock) -> Kms:
    return Kms(clock)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What the operator logs. The seed is shown with a failure."""
    random.seed(SEED)
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it with a failure
    with capture_logs() as captured:
        yield captured
    panics = [line for line in captured if line["event"] in BUGS]
    assert panics == []
