"""What holds for every kind that hangs something on a key, shown with KMSAliases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.actions import AddFinalizer, CreateAlias, RemoveFinalizer
from reconcilers.alias_fields import KMSAliasStatus
from reconcilers.conditions import find
from reconcilers.dependents import (
    PATIENCE,
    change,
    moved_away,
    place,
    plan_failed,
    plan_unasked,
    plan_unled,
    protect,
    settled,
    stop,
)
from reconcilers.names import KMSALIAS_FINALIZER
from reconcilers.reasons import Reason
from reconcilers.states import Failure, FailureKind, Problem
from reconcilers.target_fields import DependentDeletionPolicy
from tests.reconcilers.builders import ACCOUNT_ID, KEY_ID, NOW, REGION
from tests.reconcilers.dependents import ONE, TWO, alias, way

RETAIN = DependentDeletionPolicy.RETAIN
NOT_FOUND = Problem(Reason.TARGET_NOT_FOUND, "There is none.")
REFUSED = Failure(FailureKind.WAIT_FOR_CAUSE, "CreateAlias", "LimitExceededException", "too many")
THROTTLED = Failure(FailureKind.RETRY, "CreateAlias", "ThrottlingException", "slow down")


def test_a_held_object_is_left_alone_and_stays_as_ready_as_it_was() -> None:
    plan = plan_unasked(alias(ONE, suspend=True), KMSALIAS_FINALIZER, NOW, has_made=True)
    assert plan is not None
    synced, ready = (find(kind, plan.status.conditions) for kind in ("Synced", "Ready"))
    assert synced is not None
    assert ready is not None
    assert (plan.actions, synced.reason, ready.status) == ((), Reason.SUSPENDED, "True")


def test_a_held_object_that_is_deleted_waits_and_says_what_for() -> None:
    paused = replace(alias(ONE, deleting=True), paused=True)
    plan = plan_unasked(paused, KMSALIAS_FINALIZER, NOW, has_made=True)
    assert plan is not None
    ready = find("Ready", plan.status.conditions)
    assert ready is not None
    assert (plan.actions, ready.reason) == ((), Reason.DELETION_BLOCKED)
    assert "paused" in ready.message


@pytest.mark.parametrize(
    ("retain", "finalizers", "has_made", "released"),
    [
        (True, (KMSALIAS_FINALIZER,), True, True),
        (False, (KMSALIAS_FINALIZER,), False, True),
        (False, (KMSALIAS_FINALIZER,), True, None),
        (False, ("somebody/else",), True, False),
    ],
)
def test_a_deleted_object_goes_without_a_look_where_nothing_is_to_be_undone(
    retain: bool, finalizers: tuple[str, ...], has_made: bool, released: bool | None
) -> None:
    obj = alias(ONE, deleting=True, finalizers=finalizers, deletion_policy=RETAIN if retain else None)
    plan = plan_unasked(obj, KMSALIAS_FINALIZER, NOW, has_made=has_made)
    assert (None if plan is None else plan.is_last) is released


def test_a_living_object_is_looked_at() -> None:
    assert plan_unasked(alias(ONE), KMSALIAS_FINALIZER, NOW, has_made=True) is None


def test_what_is_applied_together_is_waited_for_before_it_is_a_problem() -> None:
    first = plan_unled(alias(), NOT_FOUND, NOW)
    assert find("Stalled", first.status.conditions) is None
    assert find("Reconciling", first.status.conditions) is not None
    later = plan_unled(alias(status=first.status), NOT_FOUND, NOW + PATIENCE)
    assert find("Stalled", later.status.conditions) is not None


def test_a_target_that_was_there_before_is_gone_and_not_just_missing() -> None:
    first = plan_unled(alias(ONE), NOT_FOUND, NOW)
    ready = find("Ready", plan_unled(alias(status=first.status), NOT_FOUND, NOW + PATIENCE).status.conditions)
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", Reason.TARGET_GONE)


def test_a_deleted_object_that_cannot_be_reached_says_how_to_let_it_go() -> None:
    ready = find("Ready", plan_unled(alias(ONE, deleting=True), NOT_FOUND, NOW).status.conditions)
    assert ready is not None
    assert ready.reason == Reason.DELETION_BLOCKED
    assert "spec.deletionPolicy: Retain" in ready.message


@pytest.mark.parametrize(
    ("failure", "deleting", "ready", "waits"),
    [
        (REFUSED, False, ("False", "LimitExceeded"), timedelta(minutes=1)),
        (REFUSED, True, ("False", "DeletionBlocked"), timedelta(minutes=1)),
        (THROTTLED, False, ("True", "Available"), None),
        (THROTTLED, True, ("True", "Available"), None),
    ],
)
def test_a_failed_call_is_told_and_waited_for(
    failure: Failure, deleting: bool, ready: tuple[str, str], waits: timedelta | None
) -> None:
    plan = plan_failed(alias(ONE, deleting=deleting), failure, NOW)
    told = find("Ready", plan.status.conditions)
    assert told is not None
    assert (told.status, told.reason) == ready
    assert plan.look_again == waits
    assert plan.status.last_error is not None
    assert plan.status.last_error.code == failure.code


def test_the_same_failure_again_writes_nothing() -> None:
    first = plan_failed(alias(ONE), REFUSED, NOW).status
    assert plan_failed(alias(status=first), REFUSED, NOW + timedelta(minutes=3)).status == first


@pytest.mark.parametrize(("region", "refused"), [(REGION, False), ("eu-west-1", True)])
def test_what_was_made_cannot_be_moved_out_of_its_region(region: str, refused: bool) -> None:
    problem = moved_away(alias(ONE), way(region=region))
    assert (problem is not None) is refused
    assert moved_away(alias(), way(region=region)) is None


def test_the_finalizer_is_added_where_it_is_missing() -> None:
    assert protect(alias(finalizers=()), KMSALIAS_FINALIZER) == (AddFinalizer(),)
    assert protect(alias(), KMSALIAS_FINALIZER) == ()


def test_a_change_is_written_ahead_only_where_it_adds_to_the_memory() -> None:
    due = (CreateAlias(ONE, "alias/front"),)
    assert change(alias(), due, NOW, {"placed_on": (ONE,)}).write_ahead
    assert not change(alias(ONE), due, NOW, {"placed_on": (ONE,)}).write_ahead


def test_a_change_is_a_drift_only_while_object_and_key_are_the_same() -> None:
    due, ahead = (CreateAlias(ONE, "alias/front"),), {"placed_on": (ONE,)}
    assert change(alias(ONE), due, NOW, {**ahead, **place(way(), KEY_ID)}).drift
    assert not change(alias(ONE), due, NOW, {**ahead, **place(way(TWO), "another")}).drift
    assert not change(replace(alias(ONE), generation=2), due, NOW, ahead).drift
    assert not change(alias(), due, NOW, ahead).drift


def test_a_settled_object_is_ready_and_in_sync_and_the_next_look_changes_nothing() -> None:
    first = settled(alias(), "It leads there.", NOW, **place(way(), KEY_ID)).status
    assert {(one.type, one.status) for one in first.conditions} == {("Ready", "True"), ("Synced", "True")}
    assert (first.account_id, first.provider, first.last_sync_time) == (ACCOUNT_ID, "shop/main", NOW)
    again = settled(alias(status=first), "It leads there.", NOW + timedelta(hours=1), **place(way(), KEY_ID))
    assert again.status == first


@pytest.mark.parametrize(
    ("problem", "seconds"),
    [
        (Problem(Reason.TARGET_GONE, "x"), 300),
        (Problem(Reason.TARGET_NOT_READY, "x", stalled=False), 5),
        (Problem(Reason.PROVIDER_NOT_READY, "x", stalled=False), 10),
    ],
)
def test_a_stopped_object_looks_again_later(problem: Problem, seconds: int) -> None:
    assert stop(alias(ONE), problem, NOW).look_again == timedelta(seconds=seconds)


def test_a_plan_that_lets_go_is_the_last() -> None:
    plan = plan_unasked(alias(deleting=True), KMSALIAS_FINALIZER, NOW, has_made=False)
    assert plan is not None
    assert isinstance(plan.actions[-1], RemoveFinalizer)
    assert plan.status == KMSAliasStatus()
