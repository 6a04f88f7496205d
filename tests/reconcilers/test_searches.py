from datetime import timedelta

import pytest

from reconcilers.resources import KMSKeyStatus
from reconcilers.searches import first_unreadable, grace_is_over, search_delay
from reconcilers.states import Candidates, Unobservable
from tests.reconcilers.builders import DENIED, NOW, attempted, foreign, key, observed, operator

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("age", "delay"),
    [(timedelta(), 1), (timedelta(seconds=2), 1), (timedelta(seconds=20), 10), (2 * MINUTE, 60), (60 * MINUTE, 60)],
)
def test_the_search_is_frequent_at_first_and_each_minute_later(age: timedelta, delay: int) -> None:
    assert search_delay(key(status=attempted(age)), NOW) == timedelta(seconds=delay)


@pytest.mark.parametrize(
    ("status", "over"), [(KMSKeyStatus(), True), (attempted(4 * MINUTE), False), (attempted(5 * MINUTE), True)]
)
def test_the_grace_counts_from_the_attempt(status: KMSKeyStatus, *, over: bool) -> None:
    assert grace_is_over(key(status=status), operator(), NOW) is over


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (Candidates((), thorough=True), None),
        (Candidates((observed(), foreign()), thorough=True), None),
        (Candidates((observed(), observed(tags=DENIED)), thorough=False), DENIED),
    ],
)
def test_a_candidate_that_keeps_its_tags_to_itself_is_told(seen: Candidates, why: Unobservable | None) -> None:
    assert first_unreadable(seen) == why
