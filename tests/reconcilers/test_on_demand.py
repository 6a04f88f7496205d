"""When a key is rotated on demand, when not yet, and when never again."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconcilers.actions import RotateKeyOnDemand
from reconcilers.conditions import find
from reconcilers.failures import plan_after
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus, LastError, RotationAttempt
from reconcilers.kmskey import plan_kmskey
from reconcilers.lag import LAG
from reconcilers.on_demand import MOST, NEAR, Waits, history_is_needed, on_demand, rotation_fields
from reconcilers.reasons import Reason
from reconcilers.reports import available, report, seen_fields
from reconcilers.states import Failure, FailureKind, KeyObject, NotCreated, ObservedKey, Rotation, Rotations, Unobservable
from tests.reconcilers.builders import DENIED, NOW, OTHER_KEY_ID, account, arn, key, observed, operator, predecessors, remembered
from tests.reconcilers.passes import Around, World, never_touched, settle, steps

AROUND = Around(account(), operator(), NOW)
AFTER_ONE = Rotation(True, 90, NOW + timedelta(days=90))  # an automatic one has begun
RESTING, UNDER_WAY = Rotation(False), Rotation(False, on_demand_started=NOW)
NONE_YET = Rotations()
A_MINUTE_AGO, LONG_AGO = NOW - timedelta(minutes=1), NOW - LAG


def asking(token: str | None, handled: str | None = None, attempt: RotationAttempt | None = None, count: int | None = None) -> KeyObject:
    """An object with a key, and this token."""
    memory = {"last_handled_rotate_on_demand": handled, "rotation_attempt": attempt, "on_demand_rotations": count}
    return key(KMSKeySpec(rotate_on_demand=token), remembered().model_copy(update=memory))


def attempt(time: datetime = A_MINUTE_AGO, value: str = "new", before: int | None = 0) -> RotationAttempt:
    return RotationAttempt(token=value, time=time, rotations_before=before)


def seen(
    rotation: Rotation | Unobservable | None = RESTING, rotations: Rotations | Unobservable | None = NONE_YET, state: str = "Enabled"
) -> ObservedKey:
    return replace(observed(state, rotation=rotation), rotations=rotations)


def listed(count: int, last: datetime = NOW) -> Rotations:
    return Rotations(last, count, last)


def reason(step: RotateKeyOnDemand | Waits | None) -> tuple[Reason, bool]:
    assert isinstance(step, Waits)
    return step.problem.reason, step.problem.stalled


@pytest.mark.parametrize(
    ("wish", "key_now", "before"),
    [
        (asking("new"), seen(), 0),
        (asking("new", "old"), seen(), 0),
        (asking("old", "new"), seen(), 0),
        (asking("new", "old"), seen(rotations=listed(3)), 3),
        (asking("new", "old", count=4), seen(rotations=listed(3)), 4),  # the list is late
        (asking("new", "old"), seen(rotations=DENIED), None),
        (asking("new", "old"), seen(Rotation(True, 90, NOW + NEAR * 2)), 0),
        (asking("new", "old"), seen(AFTER_ONE, Rotations(NOW - NEAR * 2)), 0),
        (asking("new", "old"), seen(AFTER_ONE, listed(3)), 3),
        (asking("new", "old"), seen(AFTER_ONE, DENIED), None),
        (asking("new", "old", attempt(LONG_AGO)), seen(), 0),
        (asking("new", "old", attempt(LONG_AGO, "between")), seen(), 0),
        (asking("new", "old", attempt(value="between")), seen(rotations=listed(1)), 1),
        (asking("new", "old", attempt(LONG_AGO, "between")), seen(rotations=DENIED), None),
    ],
)
def test_a_new_token_rotates(wish: KeyObject, key_now: ObservedKey, before: int | None) -> None:
    token = wish.spec.rotate_on_demand or ""
    assert on_demand(wish, key_now, NOW) == RotateKeyOnDemand(arn(), RotationAttempt(token=token, time=NOW, rotations_before=before))
    assert history_is_needed(wish)


@pytest.mark.parametrize(
    ("wish", "key_now"),
    [
        (asking(None), seen()),
        (asking(None, "old"), seen()),
        (asking("old", "old"), seen()),
        (asking("new", "old", attempt()), seen(UNDER_WAY)),
        (asking("new", "old", attempt()), seen(rotations=listed(1))),
        (asking("new", "old", attempt(LONG_AGO)), seen(rotations=listed(1))),
        (asking("new", "old", attempt(LONG_AGO, before=7)), seen(rotations=listed(8))),
        (asking("new", "old", attempt(before=None)), seen(rotations=listed(9, NOW))),
        (asking("new", "old", attempt(before=None)), seen(UNDER_WAY, DENIED)),
        (asking(None, "old", attempt(LONG_AGO)), seen(rotations=DENIED)),
        (key(KMSKeySpec(rotate_on_demand="new")), seen()),
    ],
)
def test_a_token_rotates_once(wish: KeyObject, key_now: ObservedKey) -> None:
    assert on_demand(wish, key_now, NOW) is None


@pytest.mark.parametrize(
    ("wish", "key_now", "why"),
    [
        (asking("new", "old", attempt()), seen(), (Reason.ROTATION_UNKNOWN, False)),
        (asking("new", "old", attempt()), seen(rotations=DENIED), (Reason.ROTATION_UNKNOWN, False)),
        (asking("other", "old", attempt()), seen(), (Reason.ROTATION_UNKNOWN, False)),
        (asking("new", "old", attempt(LONG_AGO)), seen(rotations=DENIED), (Reason.ROTATION_UNKNOWN, True)),
        (asking("new", "old", attempt(LONG_AGO)), seen(DENIED), (Reason.ROTATION_UNKNOWN, True)),
        (asking("new", "old", attempt(before=None)), seen(rotations=listed(9, NOW - timedelta(hours=1))), (Reason.ROTATION_UNKNOWN, False)),
        (asking("new", "old"), seen(UNDER_WAY), (Reason.ROTATION_PENDING, False)),
        (asking("new", "old"), seen(Rotation(True, 90, NOW + NEAR)), (Reason.ROTATION_PENDING, False)),
        (asking("new", "old"), seen(Rotation(True, 90, NOW - NEAR)), (Reason.ROTATION_PENDING, False)),
        (asking("new", "old"), seen(AFTER_ONE, Rotations(A_MINUTE_AGO)), (Reason.ROTATION_PENDING, False)),
        (asking("new", "old"), seen(AFTER_ONE, Rotations(A_MINUTE_AGO, 3, LONG_AGO)), (Reason.ROTATION_PENDING, False)),
        (asking("new", "old"), seen(rotations=listed(MOST)), (Reason.LIMIT_EXCEEDED, True)),
        (asking("new", "old", count=MOST), seen(rotations=DENIED), (Reason.LIMIT_EXCEEDED, True)),
        (asking("new", "old"), seen(DENIED), (Reason.ACCESS_DENIED, True)),
        (asking("new", "old"), seen(None, None), (Reason.INVALID_SPEC, True)),
        (asking("new", "old"), seen(state="Disabled"), (Reason.KEY_DISABLED, False)),
    ],
)
def test_what_stands_in_the_way_is_told(wish: KeyObject, key_now: ObservedKey, why: tuple[Reason, bool]) -> None:
    assert reason(on_demand(wish, key_now, NOW)) == why


@pytest.mark.parametrize(
    ("wish", "key_now", "handled", "open_attempt", "count"),
    [
        (asking("new", "old"), seen(rotations=None), "old", None, None),
        (asking("new", "old", attempt()), seen(UNDER_WAY), "new", None, 1),
        (asking("new", "old", attempt(before=4)), seen(rotations=listed(6)), "new", None, 6),
        (asking("new", "old", attempt(before=None)), seen(UNDER_WAY, DENIED), "new", None, None),
        (asking("new", "old", attempt()), seen(), "old", attempt(), 0),
        (asking("new", "old", attempt(LONG_AGO)), seen(), "old", None, 0),
        (asking(None, "old", attempt(LONG_AGO)), seen(rotations=DENIED), "new", None, None),
    ],
)
def test_the_status_remembers_what_is_known(
    wish: KeyObject, key_now: ObservedKey, handled: str, open_attempt: RotationAttempt | None, count: int | None
) -> None:
    fields = rotation_fields(wish, key_now)
    found = (fields["last_handled_rotate_on_demand"], fields["rotation_attempt"], fields["on_demand_rotations"])
    assert found == (handled, open_attempt, count)


@pytest.mark.parametrize(
    ("before", "rotations", "shown"),
    [
        (None, None, None),
        (None, NONE_YET, None),
        (None, DENIED, None),
        (None, Rotations(A_MINUTE_AGO), A_MINUTE_AGO),
        (A_MINUTE_AGO, NONE_YET, A_MINUTE_AGO),
        (A_MINUTE_AGO, Rotations(LONG_AGO), A_MINUTE_AGO),
        (LONG_AGO, Rotations(A_MINUTE_AGO), A_MINUTE_AGO),
    ],
)
def test_a_late_list_takes_no_rotation_back(before: datetime | None, rotations: Rotations | None, shown: datetime | None) -> None:
    status = remembered().model_copy(update={"last_rotation_date": before})
    assert rotation_fields(key(status=status), seen(rotations=rotations))["last_rotation_date"] == shown


@pytest.mark.parametrize("start", [never_touched(asking("new")), World(key(KMSKeySpec(rotate_on_demand="new")), NotCreated((predecessors(),)))])
def test_a_token_that_comes_with_the_key_counts_as_carried_out(start: World) -> None:
    fresh = replace(start, key=replace(start.key, status=KMSKeyStatus()))
    end = settle(fresh, AROUND)
    assert isinstance(end.seen, ObservedKey)
    assert end.seen.rotation == RESTING
    assert end.key.status.last_handled_rotate_on_demand == "new"


def test_the_attempt_is_stored_first_and_by_itself() -> None:
    wish = asking("new", "old")
    changed = replace(wish, spec=KMSKeySpec(rotate_on_demand="new", description="x"))
    first = plan_kmskey(changed, account(), seen(), operator(), NOW)
    assert [type(action).__name__ for action in first.actions] == ["UpdateKeyDescription"]
    plan = plan_kmskey(wish, account(), seen(), operator(), NOW)
    expected = RotationAttempt(token="new", time=NOW, rotations_before=0)
    assert plan.write_ahead
    assert plan.actions == (RotateKeyOnDemand(arn(), expected),)
    assert plan.status.rotation_attempt == expected


def test_a_whole_pass_ends_ready_and_remembers_the_token() -> None:
    end = settle(World(asking("new", "old"), seen()), AROUND)
    ready = find("Ready", end.key.status.conditions)
    assert ready is not None
    assert ready.status == "True"
    assert (end.key.status.last_handled_rotate_on_demand, end.key.status.rotation_attempt) == ("new", None)
    assert (end.key.status.on_demand_rotations, end.key.status.last_rotation_date) == (1, NOW)


def test_a_pass_that_dies_with_the_attempt_never_sends_it_again_while_it_may_have_been_sent() -> None:
    died = next(steps(World(asking("new", "old"), seen()), AROUND))
    again = plan_kmskey(died.key, account(), seen(), operator(), NOW)
    assert again.actions == ()
    assert {condition.reason for condition in again.status.conditions} == {Reason.ROTATION_UNKNOWN}


@pytest.mark.parametrize(
    ("kind", "code", "why", "stays"),
    [
        (FailureKind.UNKNOWN_RESULT, "ReadTimeoutError", Reason.ROTATION_UNKNOWN, True),
        (FailureKind.RETRY, "ConflictException", Reason.ROTATION_PENDING, False),
        (FailureKind.RETRY, "ThrottlingException", Reason.THROTTLED, False),
        (FailureKind.RETRY, "Fenced", Reason.AWS_UNAVAILABLE, False),
        (FailureKind.WAIT_FOR_CAUSE, "LimitExceededException", Reason.LIMIT_EXCEEDED, False),
        (FailureKind.WAIT_FOR_CAUSE, "AccessDeniedException", Reason.ACCESS_DENIED, False),
    ],
)
def test_a_refusal_is_a_known_result(kind: FailureKind, code: str, why: Reason, *, stays: bool) -> None:
    wish = asking("new", "old", attempt())
    plan = plan_after(Failure(kind, "RotateKeyOnDemand", code, "no"), wish, operator(), NOW)
    assert (plan.status.rotation_attempt is not None) is stays
    assert plan.status.last_handled_rotate_on_demand == "old"
    assert {condition.reason for condition in plan.status.conditions} == {why}


def test_the_same_refusal_again_flips_no_condition() -> None:
    wish = asking("new", "old")
    refused = plan_after(Failure(FailureKind.WAIT_FOR_CAUSE, "RotateKeyOnDemand", "AccessDeniedException", "no"), wish, operator(), NOW)
    assert isinstance(refused.status.last_error, LastError)
    again = plan_kmskey(replace(wish, status=refused.status), account(), seen(), operator(), NOW)
    assert len(again.actions) == 1
    assert again.status.conditions == refused.status.conditions


@pytest.mark.parametrize(("rotations", "count"), [(None, None), (NONE_YET, 0)])
def test_a_key_in_place_of_a_lost_one_begins_anew(rotations: Rotations | None, count: int | None) -> None:
    wish = asking("new", "old", attempt(), 7)
    found = replace(seen(rotations=rotations), key_id=OTHER_KEY_ID, arn=arn(OTHER_KEY_ID))
    assert on_demand(wish, found, NOW) is None
    fields = seen_fields(wish.status, found) | rotation_fields(wish, found)
    made = report(wish, operator(), available(enabled=True), NOW, **fields)
    assert (made.last_handled_rotate_on_demand, made.rotation_attempt, made.on_demand_rotations) == ("new", None, count)


@pytest.mark.parametrize("status", [KMSKeyStatus(), remembered()])
def test_the_first_status_with_a_new_date_of_the_next_rotation_holds_what_was_read_because_of_it(status: KMSKeyStatus) -> None:
    """The list would not be read again if the process died then."""
    found = seen(Rotation(True, 90, NOW + NEAR * 2), listed(3, LONG_AGO))
    plan = plan_kmskey(key(KMSKeySpec(enable_key_rotation=True, rotation_period_in_days=180), status), account(), found, operator(), NOW)
    assert plan.actions
    shown = plan.status.next_rotation_date, plan.status.on_demand_rotations, plan.status.last_rotation_date
    assert shown == (NOW + NEAR * 2, 3, LONG_AGO)
