from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.conditions import Verdict, find
from reconcilers.fields import Condition, DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus, LastError
from reconcilers.reasons import Reason
from reconcilers.reports import available, blocked, degraded, last_error, managed, report, seen_fields, working
from reconcilers.states import Failure, FailureKind, Problem, Rotation
from tests.reconcilers.builders import (
    ACCOUNT_ID,
    DENIED,
    KEY_ID,
    LONG_AGO,
    NOW,
    OWNER_TAGS,
    REGION,
    arn,
    key,
    observed,
    operator,
    remembered,
)

LATER = NOW + timedelta(days=1)
PASSING = Problem(Reason.THROTTLED, "Wait.", stalled=False)
LASTING = Problem(Reason.ACCESS_DENIED, "Act.")
ERROR = LastError(code="ThrottlingException", operation="DescribeKey", request_id="1", time=LONG_AGO)


def ready_status(**changes: object) -> KMSKeyStatus:
    """The status of a key that is as declared."""
    return report(key(status=remembered()), operator(), available(enabled=True), LONG_AGO).model_copy(update=changes)


class TestReport:
    def test_it_says_for_which_generation_and_what_deletion_would_do(self) -> None:
        made = report(key(generation=7), operator(DeletionPolicy.RETAIN), available(enabled=True), NOW)
        assert (made.observed_generation, made.effective_deletion_policy) == (7, DeletionPolicy.RETAIN)
        own = key(KMSKeySpec(deletion_policy=DeletionPolicy.DELETE))
        assert report(own, operator(DeletionPolicy.RETAIN), available(enabled=True), NOW).effective_deletion_policy == "Delete"

    def test_what_was_not_seen_this_time_stays(self) -> None:
        made = report(key(status=remembered()), operator(), blocked(LASTING), NOW)
        assert (made.key_id, made.key_arn, made.creation_date) == (KEY_ID, arn(), LONG_AGO)

    def test_the_time_of_the_last_sync_moves_with_another_change_only(self) -> None:
        first = report(key(), operator(), available(enabled=True), NOW)
        assert first.last_sync_time == NOW
        assert report(key(status=first), operator(), available(enabled=True), LATER) == first
        assert report(key(status=first), operator(), available(enabled=False), LATER).last_sync_time == LATER

    @pytest.mark.parametrize(
        ("verdict", "kept"), [(available(enabled=True), None), (blocked(LASTING), ERROR), (working(Reason.UPDATING, ""), ERROR)]
    )
    def test_the_last_error_stays_until_all_is_in_sync(self, verdict: Verdict, kept: LastError | None) -> None:
        made = report(key(status=KMSKeyStatus(last_error=ERROR)), operator(), verdict, NOW)
        assert made.last_error == kept

    def test_a_stored_status_is_equal_to_the_one_that_was_reported(self) -> None:
        """Else every pass would find a difference and write it."""
        made = report(key(), operator(), blocked(LASTING), NOW, **seen_fields(KMSKeyStatus(), observed("PendingDeletion")), last_error=ERROR)
        stored = KMSKeyStatus.model_validate_json(made.model_dump_json(by_alias=True, exclude_none=True))
        assert stored == made
        assert report(key(status=stored), operator(), blocked(LASTING), LATER) == stored


class TestSeenFields:
    def test_a_key_is_shown_in_aws_words(self) -> None:
        shown = seen_fields(KMSKeyStatus(), observed(rotation=Rotation(True, 90, LATER)))
        assert shown == {
            "ready": True,
            "key_id": KEY_ID,
            "key_arn": arn(),
            "account_id": ACCOUNT_ID,
            "region": REGION,
            "key_state": "Enabled",
            "key_manager": "CUSTOMER",
            "key_spec": "SYMMETRIC_DEFAULT",
            "key_usage": "ENCRYPT_DECRYPT",
            "origin": "AWS_KMS",
            "multi_region_key_type": None,
            "creation_date": LONG_AGO,
            "deletion_date": None,
            "rotation_enabled": True,
            "rotation_period_in_days": 90,
            "next_rotation_date": LATER,
            "on_demand_rotations": None,
            "last_rotation_date": None,
            "creation_attempt": None,
        }

    @pytest.mark.parametrize("state", ["Disabled", "Creating", "PendingDeletion", "PendingImport", "Unavailable", "Updating"])
    def test_only_an_enabled_key_is_ready_to_use(self, state: str) -> None:
        assert seen_fields(KMSKeyStatus(), observed(state))["ready"] is False

    @pytest.mark.parametrize(
        ("rotation", "shown"),
        [
            (Rotation(False), (False, None)),
            (Rotation(False, 90), (False, None)),
            (Rotation(True), (True, None)),
            (None, (None, None)),
        ],
    )
    def test_a_period_is_shown_while_the_key_rotates(self, rotation: Rotation | None, shown: tuple[bool | None, None]) -> None:
        fields = seen_fields(KMSKeyStatus(), observed(rotation=rotation))
        assert (fields["rotation_enabled"], fields["rotation_period_in_days"]) == shown

    def test_rotation_that_could_not_be_read_stays_as_it_was(self) -> None:
        status = remembered().model_copy(update={"rotation_enabled": True, "rotation_period_in_days": 90})
        made = report(key(status=status), operator(), available(enabled=True), NOW, **seen_fields(status, observed(rotation=DENIED)))
        assert (made.rotation_enabled, made.rotation_period_in_days) == (True, 90)


def test_managed_tags_are_all_but_the_owner_s_in_order() -> None:
    assert managed({"b": "", "a": "", **OWNER_TAGS}) == ("a", "b")


class TestDegraded:
    def test_a_ready_key_stays_ready_while_a_problem_passes(self) -> None:
        verdict = degraded(key(status=ready_status()), PASSING)
        assert (verdict.ready.holds, verdict.ready.reason) == (True, Reason.AVAILABLE)
        assert verdict.synced is not None
        assert (verdict.synced.holds, verdict.synced.reason) == (False, Reason.THROTTLED)

    @pytest.mark.parametrize(
        ("status", "generation", "problem"),
        [
            (KMSKeyStatus(), 1, PASSING),
            (ready_status(), 1, LASTING),
            (ready_status(), 2, PASSING),
            (report(key(), operator(), blocked(LASTING), LONG_AGO), 1, PASSING),
        ],
    )
    def test_any_other_key_is_not_ready(self, status: KMSKeyStatus, generation: int, problem: Problem) -> None:
        assert degraded(key(status=status, generation=generation), problem) == blocked(problem)

    def test_a_reason_that_another_version_wrote_does_no_harm(self) -> None:
        ready = find("Ready", ready_status().conditions)
        assert isinstance(ready, Condition)
        theirs = ready_status(conditions=(ready.model_copy(update={"reason": "OfTomorrow"}),))
        verdict = degraded(key(status=theirs), PASSING)
        assert (verdict.ready.holds, verdict.ready.reason) == (True, "OfTomorrow")


class TestLastError:
    FAILURE = Failure(FailureKind.RETRY, "DescribeKey", "ThrottlingException", "Rate exceeded", "2")

    def test_a_new_failure_is_kept_with_its_request(self) -> None:
        assert last_error(None, self.FAILURE, NOW) == LastError(
            code="ThrottlingException", operation="DescribeKey", request_id="2", time=NOW
        )

    def test_the_same_failure_again_is_no_news(self) -> None:
        assert last_error(ERROR, self.FAILURE, NOW) == ERROR

    @pytest.mark.parametrize("failure", [replace(FAILURE, code="KMSInternalException"), replace(FAILURE, operation="PutKeyPolicy")])
    def test_another_failure_replaces_it(self, failure: Failure) -> None:
        other = last_error(ERROR, failure, NOW)
        assert (other.time, other.request_id) == (NOW, "2")
