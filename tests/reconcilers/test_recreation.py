"""A lost key is replaced once, on the user's word, and by the id of the lost one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.actions import CreateKey, Plan, RecordKey, RemoveFinalizer, ScheduleKeyDeletion
from reconcilers.key_status import CreationAttempt, KMSKeyStatus
from reconcilers.kmskey import plan_kmskey
from reconcilers.reasons import Reason
from reconcilers.recreation import is_replacing, left_elsewhere, to_be_replaced
from reconcilers.states import Candidates, KeyObject, Missing, ObservedKey, Seen, Unobservable
from tests.reconcilers.builders import (
    DENIED,
    KEY_ID,
    LONG_AGO,
    NOW,
    OTHER_KEY_ID,
    UID,
    account,
    key,
    observed,
    operator,
    remembered,
)
from tests.reconcilers.replicas import ANOTHER, EU, KEPT, record, replica
from tests.reconcilers.verdicts import message, stalled, told, working

NOTHING = Candidates((), thorough=True)
MINUTE = timedelta(minutes=1)


def lost(annotation: str | None = KEY_ID, status: KMSKeyStatus | None = None, *, deleting: bool = False) -> KeyObject:
    return replace(key(status=status or remembered(), deleting=deleting), recreate=annotation)


def underway(age: timedelta, count: int = 1) -> KMSKeyStatus:
    """A lost key, and a CreateKey for its successor that was sent `age` ago."""
    return remembered().model_copy(update={"creation_attempt": CreationAttempt(id=f"{UID}.{count}", time=NOW - age, count=count)})


def plan(wish: KeyObject, seen: Seen) -> Plan:
    return plan_kmskey(wish, account(), seen, operator(), NOW)


def test_the_message_says_how_to_get_a_new_key() -> None:
    made = plan(lost(None), Missing(KEY_ID))
    assert told(made) == stalled(Reason.KEY_LOST)
    assert f"kubectl annotate kmskey -n shop orders --overwrite aws-infra-operator.runner.codes/recreate={KEY_ID}" in message(made)


@pytest.mark.parametrize(
    ("wish", "due"),
    [
        (lost(), True),
        (lost(None), False),
        (lost("true"), False),
        (lost(OTHER_KEY_ID), False),
        (lost(deleting=True), False),
        (lost(status=remembered(creation_date=NOW - 4 * MINUTE)), False),
    ],
)
def test_only_the_word_on_this_very_key_counts_and_not_before_its_absence_means_something(wish: KeyObject, *, due: bool) -> None:
    assert to_be_replaced(wish, Missing(KEY_ID), NOW) is due


@pytest.mark.parametrize(
    ("there", "is_left"),
    [
        (replica(), True),
        (replica(tags={}), True),
        (replica(tags=DENIED), True),
        (DENIED, True),
        (replica("PendingDeletion"), False),
        (replica(tags=ANOTHER), False),
        (Missing(KEY_ID), False),
    ],
)
def test_a_lost_key_is_not_replaced_while_it_may_be_left_in_another_region(
    there: ObservedKey | Missing | Unobservable, *, is_left: bool
) -> None:
    wish = lost(status=remembered().model_copy(update={"replicas": (KEPT,)}))
    seen = Missing(KEY_ID, {EU: there})
    assert left_elsewhere(wish, seen, operator().cluster_id) == ((EU,) if is_left else ())
    assert ("no new key is made" in message(plan(wish, seen))) is is_left
    assert told(plan(wish, seen)) == stalled(Reason.KEY_LOST)


def test_a_region_that_was_only_asked_for_says_nothing_of_a_lost_key() -> None:
    wish = lost(status=remembered().model_copy(update={"replicas": (record(),)}))
    assert left_elsewhere(wish, Missing(KEY_ID, {EU: DENIED}), operator().cluster_id) == ()


def test_the_attempt_is_written_ahead_beside_the_id_of_the_lost_key() -> None:
    made = plan(lost(), NOTHING)
    (create,) = made.actions
    assert isinstance(create, CreateKey)
    assert made.write_ahead
    assert (made.status.key_id, made.status.creation_attempt) == (KEY_ID, create.attempt)
    assert is_replacing(lost(status=made.status))


def test_what_was_reached_on_the_lost_key_is_not_taken_for_drift_on_the_new_one() -> None:
    before = remembered().model_copy(update={"reached": {"rotation": "x"}})
    assert plan(lost(status=before), NOTHING).status.reached == {}


def test_a_true_key_is_found_before_a_second_one_is_made_when_somebody_wrote_a_wrong_id_into_the_status() -> None:
    made = plan(lost(), Candidates((observed(key_id=OTHER_KEY_ID),), thorough=True))
    assert made.actions == (RecordKey(observed(key_id=OTHER_KEY_ID)),)
    end = plan(lost(), observed(key_id=OTHER_KEY_ID))
    assert (end.actions, end.status.key_id) == ((), OTHER_KEY_ID)


@pytest.mark.parametrize("thorough", [True, False])
def test_an_attempt_without_an_answer_is_waited_for(*, thorough: bool) -> None:
    made = plan(lost(status=underway(MINUTE)), Candidates((), thorough))
    assert (made.actions, told(made)) == ((), working(Reason.CREATION_UNKNOWN))


def test_an_attempt_that_made_nothing_is_followed_by_another_one() -> None:
    (create,) = plan(lost(status=underway(6 * MINUTE)), NOTHING).actions
    assert isinstance(create, CreateKey)
    assert create.attempt.count == 2


def test_a_word_that_was_taken_back_stops_after_the_search() -> None:
    made = plan(lost(None, underway(6 * MINUTE)), NOTHING)
    assert (made.actions, told(made), made.status.creation_attempt) == ((), stalled(Reason.KEY_LOST), None)


def test_a_key_that_shows_again_is_kept_if_it_has_no_successor() -> None:
    again, successor = observed(), observed(key_id=OTHER_KEY_ID)
    assert plan(lost(status=underway(MINUTE)), Candidates((again,), thorough=True)).actions == ()
    assert plan(lost(status=underway(6 * MINUTE)), Candidates((again,), thorough=True)).actions == (RecordKey(again),)
    both = plan(lost(status=underway(MINUTE)), Candidates((again, successor), thorough=True))
    assert both.actions == (RecordKey(successor),)


def test_keys_that_cannot_be_judged_stop_it() -> None:
    made = plan(lost(), Candidates((observed(key_id=OTHER_KEY_ID, tags=DENIED),), thorough=True))
    assert (made.actions, told(made)) == ((), stalled(Reason.ACCESS_DENIED))


class TestDeletion:
    def test_a_lost_key_lets_its_object_go(self) -> None:
        assert [type(action) for action in plan(lost(deleting=True), Missing(KEY_ID)).actions] == [RemoveFinalizer]

    def test_a_successor_that_may_have_been_made_is_looked_for_and_disposed_of(self) -> None:
        wish = lost(status=underway(MINUTE), deleting=True)
        assert plan(wish, Candidates((), thorough=True)).actions == ()
        successor = replace(observed(key_id=OTHER_KEY_ID, aliases={}), creation_date=LONG_AGO)
        assert plan(wish, Candidates((successor,), thorough=True)).actions == (RecordKey(successor),)
        due = plan(wish, successor)
        assert [type(action) for action in due.actions] == [ScheduleKeyDeletion]
        assert (due.write_ahead, due.status.key_id) == (True, OTHER_KEY_ID)
