from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.conditions import find
from reconcilers.deletion import LET_GO
from reconcilers.failures import explain, iam_action, plan_after
from reconcilers.kmskey import plan_kmskey
from reconcilers.reasons import Reason
from reconcilers.states import Failure, FailureKind, KeyObject
from tests.reconcilers.builders import NOW, account, attempted, key, observed, operator, remembered

RETRY, WAIT, STALLED, UNKNOWN = FailureKind
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def failure(kind: FailureKind, code: str, operation: str = "DescribeKey", message: str = "AWS says no.") -> Failure:
    return Failure(kind, operation, code, message, "request-1")


@pytest.mark.parametrize(
    ("failed", "reason", "stalled", "advice"),
    [
        (failure(RETRY, "ThrottlingException"), Reason.THROTTLED, False, "slows down"),
        (failure(RETRY, "Throttling", "GetCallerIdentity"), Reason.THROTTLED, False, "slows down"),
        (failure(RETRY, "RequestLimitExceeded"), Reason.THROTTLED, False, "slows down"),
        (failure(RETRY, "KMSInternalException"), Reason.AWS_UNAVAILABLE, False, "tries again"),
        (failure(RETRY, "DependencyTimeoutException"), Reason.AWS_UNAVAILABLE, False, "tries again"),
        (failure(RETRY, "ConnectTimeoutError"), Reason.AWS_UNAVAILABLE, False, "tries again"),
        (failure(UNKNOWN, "ReadTimeoutError", "CreateKey"), Reason.CREATION_UNKNOWN, False, "looks for it"),
        (failure(WAIT, "AccessDeniedException"), Reason.ACCESS_DENIED, True, "Allow kms:DescribeKey"),
        (failure(WAIT, "AccessDenied", "AssumeRole"), Reason.ACCESS_DENIED, True, "Allow sts:AssumeRole"),
        (failure(WAIT, "CredentialsUnavailable"), Reason.CREDENTIALS_INVALID, True, "Give the provider a Secret"),
        (failure(WAIT, "InvalidClientTokenId"), Reason.AUTHENTICATION_FAILED, True, "valid credentials"),
        (failure(WAIT, "LimitExceededException", "CreateKey"), Reason.LIMIT_EXCEEDED, True, "higher quota"),
        (failure(WAIT, "MalformedPolicyDocumentException"), Reason.POLICY_PRINCIPAL_NOT_FOUND, True, "misspelt"),
        (failure(WAIT, "AlreadyExistsException", "CreateAlias"), Reason.ALIAS_CONFLICT, True, "remove it from spec.aliases"),
        (failure(STALLED, "MalformedPolicyDocumentException"), Reason.POLICY_REJECTED, True, "Correct spec.keyPolicy"),
        (failure(STALLED, "UnsupportedOperationException", "CreateKey"), Reason.UNSUPPORTED_KEY_SPEC, True, "in this region"),
        (failure(STALLED, "UnsupportedOperationException", "PutKeyPolicy"), Reason.REJECTED_BY_AWS, True, "Correct the spec"),
        (failure(STALLED, "ValidationException"), Reason.REJECTED_BY_AWS, True, "Correct the spec"),
        (failure(STALLED, "TagException", "TagResource"), Reason.REJECTED_BY_AWS, True, "Correct the spec"),
    ],
)
def test_a_failure_is_explained_by_its_code(failed: Failure, reason: Reason, advice: str, *, stalled: bool) -> None:
    problem = explain(failed)
    assert (problem.reason, problem.stalled) == (reason, stalled)
    assert problem.message.startswith(f"{failed.operation} failed with {failed.code}: AWS says no. ")
    assert advice in problem.message


@pytest.mark.parametrize(("said", "told"), [("No", "X: No. "), ("No.", "X: No. ")])
def test_what_aws_says_becomes_one_sentence(said: str, told: str) -> None:
    assert told in explain(failure(STALLED, "X", message=said)).message


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("CreateKey", "kms:CreateKey"),
        ("GetResources", "tag:GetResources"),
        ("AssumeRole", "sts:AssumeRole"),
        ("AssumeRoleWithWebIdentity", "sts:AssumeRoleWithWebIdentity"),
        ("GetCallerIdentity", "sts:GetCallerIdentity"),
    ],
)
def test_iam_s_name_of_an_operation(operation: str, action: str) -> None:
    assert iam_action(operation) == action


def ready_key() -> KeyObject:
    settled = plan_kmskey(key(status=remembered()), account(), observed(), operator(), NOW - HOUR)
    return key(status=settled.status)


def conditions_after(failed: Failure, wish: KeyObject) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in plan_after(failed, wish, operator(), NOW).status.conditions}


def test_a_passing_failure_leaves_a_ready_key_ready() -> None:
    assert conditions_after(failure(RETRY, "ThrottlingException"), ready_key()) == {
        "Ready": ("True", Reason.AVAILABLE),
        "Synced": ("False", Reason.THROTTLED),
    }


def test_a_lasting_failure_does_not() -> None:
    assert conditions_after(failure(WAIT, "AccessDeniedException"), ready_key()) == {
        "Ready": ("False", Reason.ACCESS_DENIED),
        "Stalled": ("True", Reason.ACCESS_DENIED),
        "Synced": ("False", Reason.ACCESS_DENIED),
    }


def test_nothing_is_done_and_the_failure_is_kept() -> None:
    made = plan_after(failure(RETRY, "ThrottlingException"), ready_key(), operator(), NOW)
    assert made.actions == ()
    assert made.status.last_error is not None
    assert (made.status.last_error.code, made.status.last_error.request_id) == ("ThrottlingException", "request-1")


@pytest.mark.parametrize(
    ("failed", "kept"),
    [
        (failure(UNKNOWN, "ReadTimeoutError", "CreateKey"), True),
        (failure(RETRY, "ThrottlingException", "CreateKey"), False),
        (failure(WAIT, "AccessDeniedException", "CreateKey"), False),
        (failure(STALLED, "ValidationException", "CreateKey"), False),
        (failure(RETRY, "ThrottlingException", "GetResources"), True),
        (failure(WAIT, "AccessDeniedException", "ListKeys"), True),
    ],
)
def test_an_attempt_is_forgotten_only_when_createkey_was_refused(failed: Failure, *, kept: bool) -> None:
    status = attempted(MINUTE)
    made = plan_after(failed, key(status=status), operator(), NOW)
    assert made.status.creation_attempt == (status.creation_attempt if kept else None)


def test_the_work_queue_decides_when_a_passing_failure_is_tried_again() -> None:
    assert plan_after(failure(RETRY, "ThrottlingException"), key(), operator(), NOW).look_again is None
    assert plan_after(failure(UNKNOWN, "ReadTimeoutError", "CreateKey"), key(), operator(), NOW).look_again is None


def test_a_lasting_failure_is_tried_again_at_most_14_times_an_hour() -> None:
    denied = failure(WAIT, "AccessDeniedException")
    wish, now, retries = key(), NOW, 0
    while True:
        made = plan_after(denied, wish, operator(), now)
        assert made.look_again is not None
        assert MINUTE <= made.look_again <= 5 * MINUTE
        wish, now = key(status=made.status), now + made.look_again
        if now - NOW >= HOUR:
            break
        retries += 1
    assert retries <= 14


def test_the_same_failure_again_writes_nothing() -> None:
    denied = failure(WAIT, "AccessDeniedException")
    first = plan_after(denied, key(), operator(), NOW).status
    again = plan_after(replace(denied, request_id="request-2"), key(status=first), operator(), NOW + HOUR)
    assert again.status == first


class TestDeletion:
    """The object is being deleted."""

    def test_a_lasting_failure_blocks_it_and_the_way_out_is_told(self) -> None:
        wish = key(status=remembered(), deleting=True)
        made = plan_after(failure(WAIT, "AccessDeniedException", "ScheduleKeyDeletion"), wish, operator(), NOW)
        ready = find("Ready", made.status.conditions)
        assert ready is not None
        assert ready.reason == Reason.DELETION_BLOCKED
        assert "Allow kms:ScheduleKeyDeletion" in ready.message
        assert ready.message.endswith(LET_GO)

    def test_a_passing_failure_does_not(self) -> None:
        wish = key(status=remembered(), deleting=True)
        assert conditions_after(failure(RETRY, "ThrottlingException"), wish)["Ready"] == ("False", Reason.THROTTLED)
