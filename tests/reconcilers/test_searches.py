from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.attempts import attempts_in
from reconcilers.failures import plan_after
from reconcilers.key_status import KMSKeyStatus
from reconcilers.searches import first_unreadable, grace_is_over, not_proved, proves_none, search_delay
from reconcilers.states import Candidates, Failure, FailureKind, Unobservable
from tests.reconcilers.builders import DENIED, NOW, OTHER_KEY_ID, arn, attempted, foreign, key, observed, operator

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("age", "delay"),
    [(0 * SECOND, 1), (2 * SECOND, 1), (20 * SECOND, 10), (2 * MINUTE, 60), (4 * MINUTE, 60), (5 * MINUTE, 60), (60 * MINUTE, 60)],
)
def test_the_search_is_frequent_at_first_and_each_minute_later(age: timedelta, delay: int) -> None:
    assert search_delay(key(status=attempted(age)), operator()) == timedelta(seconds=delay)


@pytest.mark.parametrize(("age", "delay"), [(250 * SECOND, 50), (290 * SECOND, 10), (299.5 * SECOND, 1), (300 * SECOND, 60)])
def test_the_search_looks_when_the_grace_ends_and_not_up_to_a_minute_later(age: timedelta, delay: int) -> None:
    assert search_delay(key(status=attempted(age)), operator()) == timedelta(seconds=delay)


@pytest.mark.parametrize("written", [-290 * SECOND, timedelta(), 4 * MINUTE, 5 * MINUTE, 120 * MINUTE])
@pytest.mark.parametrize(
    ("known", "over"), [(None, False), (timedelta(), False), (299 * SECOND, False), (300 * SECOND, True), (60 * MINUTE, True)]
)
def test_the_grace_counts_from_when_this_process_learned_of_the_attempt_whatever_the_wall_clock_says(
    known: timedelta | None, written: timedelta, *, over: bool
) -> None:
    status = attempted(written)
    ages = {} if known is None else dict.fromkeys(attempts_in(status), known)
    assert grace_is_over(replace(key(status=status), ages=ages), operator()) is over


def test_another_attempt_has_a_grace_of_its_own() -> None:
    first = key(status=attempted(60 * MINUTE))
    for status in (attempted(60 * MINUTE, count=2), attempted(timedelta())):
        assert not grace_is_over(replace(first, status=status), operator())


def test_without_an_attempt_there_is_no_grace() -> None:
    assert grace_is_over(key(), operator())


def refused() -> KMSKeyStatus:
    """The status after a CreateKey that AWS has refused."""
    failure = Failure(FailureKind.WAIT_FOR_CAUSE, "CreateKey", "AccessDeniedException", "Denied")
    return plan_after(failure, key(status=attempted(timedelta())), operator(), NOW).status


@pytest.mark.parametrize(
    ("status", "thorough", "proves"),
    [
        (KMSKeyStatus(), True, True),
        (KMSKeyStatus(), False, False),
        (attempted(4 * MINUTE), True, False),
        (attempted(5 * MINUTE), True, True),
        (attempted(60 * MINUTE), False, False),
        (refused(), True, True),
        (refused(), False, True),
        (refused().model_copy(update={"creation_attempt": attempted(MINUTE).creation_attempt}), True, False),
    ],
)
def test_nothing_found_means_that_there_is_nothing_when_all_was_looked_at_in_time_or_nothing_was_made(
    status: KMSKeyStatus, *, thorough: bool, proves: bool
) -> None:
    assert proves_none(key(status=status), Candidates((), thorough), operator()) is proves


def test_nothing_is_proved_while_kms_shows_a_key_in_one_place_that_it_does_not_know_in_another() -> None:
    late = Candidates((), thorough=True, unshown=(arn(OTHER_KEY_ID),))
    assert not proves_none(key(status=attempted(60 * MINUTE)), late, operator())
    assert not_proved(key(status=attempted(60 * MINUTE)), late).message.count(OTHER_KEY_ID) == 1
    lost = attempted(60 * MINUTE).model_copy(update={"key_id": OTHER_KEY_ID})
    assert proves_none(key(status=lost), late, operator()), "of the lost key itself the tag index may tell for a while"


def test_of_many_keys_that_are_late_three_are_named() -> None:
    late = Candidates((), thorough=True, unshown=tuple(arn(f"key-{number}") for number in range(1000)))
    message = not_proved(key(status=attempted(60 * MINUTE)), late).message
    assert message.count("key/key-") == 3
    assert "997 more" in message


def test_a_refusal_is_not_forgotten_over_another_failure() -> None:
    """The status tells the last error only; that no attempt is open, it tells as well."""
    slow = Failure(FailureKind.RETRY, "GetResources", "ThrottlingException", "Rate exceeded")
    status = plan_after(slow, key(status=refused()), operator(), NOW).status
    assert proves_none(key(status=status), Candidates((), thorough=False), operator())


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
