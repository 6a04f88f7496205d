"""What is to be done in all other regions together, and what that means for the key."""

from datetime import timedelta
from typing import Any

import pytest

from reconcilers.actions import DisableKey, EnableKey, ReplicateKey
from reconcilers.arns import in_region
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus, ReplicaStatus
from reconcilers.kmskey import plan_kmskey
from reconcilers.reasons import Reason
from reconcilers.replica_fields import ReplicaSpec
from reconcilers.replica_regions import Scene
from reconcilers.replicas import ReplicasPlan, held_back, plan_replicas
from reconcilers.states import Failure, FailureKind, Missing, Unobservable
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import DENIED, KEY_ID, NOW, account, arn, key, observed, operator, remembered
from tests.reconcilers.replicas import ASIA, EU, KEPT, SPEC, attempt, failure, plan, primary, record, replica


def test_replicas_are_made_one_at_a_time_and_only_the_next_one_is_written_down() -> None:
    spec = KMSKeySpec(multi_region=True, replicas=(ReplicaSpec(region=EU), ReplicaSpec(region=ASIA)))
    planned = plan(primary(), spec)
    assert [action.region for action in planned.due if isinstance(action, ReplicateKey)] == [ASIA]
    assert [one.region for one in planned.records] == [ASIA]


@pytest.mark.parametrize(
    ("seen", "known", "waits"),
    [
        (Missing(KEY_ID), record(), True),
        (Missing(KEY_ID), record(creation_attempt=attempt(timedelta(seconds=9))), True),
        (failure(FailureKind.RETRY, "ReplicateKey"), record(creation_attempt=attempt(timedelta())), True),
        (failure(FailureKind.STALLED, "ReplicateKey"), record(), False),
        (failure(FailureKind.RETRY, "DescribeKey"), record(), True),
        (failure(FailureKind.RETRY, "DescribeKey"), KEPT, False),
        (failure(FailureKind.STALLED, "DescribeKey"), record(), False),
        (replica(), KEPT, False),
    ],
)
def test_a_key_is_disabled_after_it_was_replicated_if_that_can_be(seen: Any, known: ReplicaStatus, waits: bool) -> None:
    due = (EnableKey(arn()), DisableKey(arn()))
    assert held_back(due, plan(primary(eu=seen), SPEC, known)) == (due[:1] if waits else due)


def test_one_region_that_cannot_be_seen_does_not_stop_the_others() -> None:
    spec = KMSKeySpec(multi_region=True, replicas=(ReplicaSpec(region=EU), ReplicaSpec(region=ASIA)))
    planned = plan(primary(eu=DENIED, asia=replica("Disabled", ASIA)), spec, KEPT)
    assert planned.due == (EnableKey(in_region(arn(), ASIA)),)
    assert planned.problem is not None


def test_throttling_alone_is_told_as_throttling() -> None:
    slow = Unobservable(Reason.THROTTLED, "slow", Failure(FailureKind.RETRY, "DescribeKey", "ThrottlingException", "slow"))
    problem = plan(primary(eu=slow), SPEC, KEPT).problem
    assert problem is not None
    assert (problem.reason, problem.stalled) == (Reason.THROTTLED, False)


def test_nothing_is_done_for_a_key_that_is_not_ours() -> None:
    wish = key(SPEC, remembered().model_copy(update={"replicas": (KEPT,)}))
    scene = Scene(wish, wanted_key(wish, account(), operator()), primary(), operator(), NOW)
    assert plan_replicas(scene, is_ours=False) == ReplicasPlan((KEPT,), (KEPT,))


def test_a_key_is_ready_only_with_its_replicas_and_says_which_region_lacks_one() -> None:
    wish = key(SPEC, remembered().model_copy(update={"replicas": (KEPT,)}))
    for there, ready in ((replica(), "True"), (replica("Creating"), "False"), (DENIED, "False")):
        planned = plan_kmskey(wish, account(), primary(eu=there), operator(), NOW)
        conditions = {one.type: one for one in planned.status.conditions}
        assert conditions["Ready"].status == ready
        assert ready == "True" or EU in conditions["Ready"].message


def test_the_status_of_a_key_without_replicas_is_as_it_was() -> None:
    planned = plan_kmskey(key(status=remembered()), account(), observed(), operator(), NOW)
    assert (planned.status.replicas, planned.status.multi_region_key_type) == ((), None)
    assert planned.status == KMSKeyStatus.model_validate(planned.status.model_dump())


def test_the_key_is_looked_at_again_as_soon_as_any_of_what_it_waits_for_may_be_over() -> None:
    spec = SPEC.model_copy(update={"enabled": False, "rotate_on_demand": "new"})  # a disabled key cannot be rotated: five minutes
    status = remembered().model_copy(update={"replicas": (KEPT,), "last_handled_rotate_on_demand": "old"})
    made = plan_kmskey(key(spec, status), account(), primary("Disabled", eu=replica("Creating")), operator(), NOW)
    assert (made.actions, made.look_again) == ((), timedelta(seconds=5))
