"""Keys against the emulator, and against scripted refusals that the emulator never makes."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aws.clients import Clients, Connection
from aws.credentials import Access, AccessRequest
from aws.errors import BlockedError, InvalidAccessError, NotFoundError, RetryableError, StalledError, UnknownResultError
from aws.kms import apply, create_key, observe_key
from reconcilers.actions import (
    CancelKeyDeletion,
    CreateKey,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    KeyAction,
    PutKeyPolicy,
    ScheduleKeyDeletion,
    TagResource,
    UntagResource,
    UpdateKeyDescription,
)
from reconcilers.after import after
from reconcilers.key_status import CreationAttempt
from reconcilers.reasons import Reason
from reconcilers.states import Asked, Missing, ObservedKey, Rotation, Unobservable
from tests.aws.worlds import Answer, FakeAws, refusal, terms

ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]})
TAGS = {"team": "a", "aws-infra-operator.runner.codes/uid": "u-1"}
CREATE = CreateKey(
    attempt=CreationAttempt(id="a", time=datetime(2026, 1, 1, tzinfo=UTC), count=1),
    key_spec="SYMMETRIC_DEFAULT",
    key_usage="ENCRYPT_DECRYPT",
    multi_region=False,
    description="for tests",
    policy=None,
    bypass_policy_lockout_safety_check=False,
    tags=TAGS,
)
EVERYTHING = Asked(policy=True, aliases=frozenset({"alias/nobodys"}), grants=True)
METADATA = {
    "AWSAccountId": "111122223333",
    "KeyId": "1234",
    "Arn": ARN,
    "CreationDate": datetime(2026, 1, 1, tzinfo=UTC),
    "KeyState": "Enabled",
    "KeySpec": "SYMMETRIC_DEFAULT",
}


async def observed(connection: Connection, key: str) -> ObservedKey:
    seen = await observe_key(connection, key, EVERYTHING)
    assert isinstance(seen, ObservedKey)
    return seen


async def test_a_created_key_is_observed_as_it_was_answered(connection: Connection) -> None:
    made = await create_key(connection, replace(CREATE, policy=POLICY))
    seen = await observed(connection, made.arn)
    assert seen == made
    assert (seen.account_id, seen.region, seen.state, seen.manager) == ("123456789012", "eu-central-1", "Enabled", "CUSTOMER")
    assert (seen.description, seen.tags, seen.rotation) == ("for tests", TAGS, Rotation(enabled=False))
    assert json.loads(str(seen.policy)) == json.loads(POLICY)
    assert seen.creation_date.tzinfo is UTC


@pytest.mark.parametrize(
    ("spec", "usage"), [("RSA_2048", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC"), ("ECC_NIST_P256", "KEY_AGREEMENT")]
)
async def test_keys_that_cannot_rotate_have_no_rotation(connection: Connection, spec: str, usage: str) -> None:
    made = await create_key(connection, replace(CREATE, key_spec=spec, key_usage=usage))
    seen = await observed(connection, made.key_id)
    assert (seen.key_spec, seen.key_usage, seen.rotation, made.rotation) == (spec, usage, None, None)


async def test_a_multi_region_key_is_seen_as_one(connection: Connection) -> None:
    made = await create_key(connection, replace(CREATE, multi_region=True))
    assert (await observed(connection, made.arn)).multi_region


async def test_policy_aliases_and_grants_are_read_on_request_only(connection: Connection) -> None:
    made = await create_key(connection, CREATE)
    seen = await observe_key(connection, made.arn, Asked())
    assert isinstance(seen, ObservedKey)
    assert (seen.policy, seen.aliases, seen.grants) == (None, None, None)


async def test_a_key_that_was_never_made_is_missing(connection: Connection) -> None:
    nobody = str(uuid.uuid4())
    assert await observe_key(connection, nobody, Asked(policy=True)) == Missing(nobody)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (DisableKey(ARN), {"state": "Disabled"}),
        (EnableKey(ARN), {"state": "Enabled"}),
        (UpdateKeyDescription(ARN, ""), {"description": ""}),
        (UpdateKeyDescription(ARN, "new"), {"description": "new"}),
        (TagResource(ARN, {"team": "b", "extra": ""}), {"tags": {**TAGS, "team": "b", "extra": ""}}),
        (UntagResource(ARN, ("team", "never-there")), {"tags": {k: v for k, v in TAGS.items() if k != "team"}}),
        (DisableKeyRotation(ARN), {"rotation": Rotation(enabled=False)}),
        (PutKeyPolicy(ARN, POLICY, bypass_policy_lockout_safety_check=True), {"policy": POLICY}),
    ],
)
async def test_an_action_does_what_it_says_and_may_be_repeated(
    connection: Connection, action: Any, expected: dict[str, Any]
) -> None:
    made = await create_key(connection, CREATE)
    act: KeyAction = replace(action, key=made.arn)
    for _ in range(2):
        answer = await apply(connection, act)
    seen = await observed(connection, made.arn)
    assert {name: getattr(seen, name) for name in expected} == expected
    assert {name: getattr(after(made, act, answer), name) for name in expected} == expected


async def test_rotation_is_enabled_with_and_without_a_period(connection: Connection) -> None:
    made = await create_key(connection, CREATE)
    for period in (None, 180):
        await apply(connection, EnableKeyRotation(made.arn, period))
        seen = await observed(connection, made.arn)
        assert isinstance(seen.rotation, Rotation)
        assert seen.rotation.enabled


async def test_a_scheduled_deletion_tells_its_date_and_can_be_taken_back(connection: Connection) -> None:
    made = await create_key(connection, CREATE)
    answer = await apply(connection, ScheduleKeyDeletion(made.arn, 7))
    seen = await observed(connection, made.arn)
    assert seen.state == "PendingDeletion"
    assert seen.deletion_date is not None
    assert abs(seen.deletion_date - datetime.now(UTC) - timedelta(days=7)) < timedelta(hours=1)
    assert answer["DeletionDate"].tzinfo is UTC
    await apply(connection, CancelKeyDeletion(made.arn))
    back = await observed(connection, made.arn)
    assert (back.state, back.deletion_date) == ("Disabled", None)


async def scripted(answers: dict[str, Answer | dict[str, Any] | Exception]) -> tuple[Connection, FakeAws]:
    """A connection to an AWS that knows one key, except for what `answers` says."""

    def always(answer: dict[str, Any] | Exception) -> Answer:
        def give(_: Access, __: Mapping[str, Any]) -> dict[str, Any]:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return give

    usual: dict[str, Answer | dict[str, Any] | Exception] = {
        "GetCallerIdentity": {"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/u"},
        "DescribeKey": {"KeyMetadata": METADATA},
        "ListResourceTags": {"Tags": [{"TagKey": "team", "TagValue": "a"}]},
        "GetKeyPolicy": {"Policy": POLICY},
        "GetKeyRotationStatus": {"KeyRotationEnabled": True, "RotationPeriodInDays": 90},
        "ListGrants": {"Grants": []},
        "ListAliases": {"Aliases": [{"AliasName": "alias/nobodys"}]},
    }
    every = {name: answer if callable(answer) else always(answer) for name, answer in (usual | answers).items()}
    aws = FakeAws(every)
    return await Clients(terms(aws.open), 1.0).connect(AccessRequest("ns/p", "eu-central-1")), aws


DENIED = refusal("AccessDeniedException", "User: arn:aws:iam::111122223333:user/u is not authorized")


@pytest.mark.parametrize(
    ("operation", "field", "permission"),
    [
        ("ListResourceTags", "tags", "kms:ListResourceTags"),
        ("GetKeyPolicy", "policy", "kms:GetKeyPolicy"),
        ("GetKeyRotationStatus", "rotation", "kms:GetKeyRotationStatus"),
        ("ListAliases", "aliases", "kms:ListAliases"),
        ("ListGrants", "grants", "kms:ListGrants"),
    ],
)
async def test_what_may_not_be_read_is_unobservable_and_the_rest_is_observed(operation: str, field: str, permission: str) -> None:
    seen = await observed((await scripted({operation: DENIED}))[0], ARN)
    unreadable = [name for name in ("tags", "policy", "rotation", "aliases", "grants") if isinstance(getattr(seen, name), Unobservable)]
    hidden = getattr(seen, field)
    assert unreadable == [field]
    assert hidden.reason is Reason.ACCESS_DENIED
    assert f"Allow {permission}" in hidden.message
    assert hidden.failure.code == "AccessDeniedException"


async def test_a_denied_describe_key_is_no_missing_key() -> None:
    with pytest.raises(BlockedError):
        await observe_key((await scripted({"DescribeKey": DENIED}))[0], ARN, Asked(policy=True))


async def test_rotation_that_kms_does_not_support_is_off() -> None:
    connection, _ = await scripted({"GetKeyRotationStatus": refusal("UnsupportedOperationException")})
    assert (await observed(connection, ARN)).rotation == Rotation(enabled=False)


async def test_a_replica_is_not_asked_for_its_rotation() -> None:
    replica = {**METADATA, "MultiRegion": True, "MultiRegionConfiguration": {"MultiRegionKeyType": "REPLICA"}}
    connection, aws = await scripted({"DescribeKey": {"KeyMetadata": replica}})
    assert (await observed(connection, ARN)).rotation is None
    assert "GetKeyRotationStatus" not in aws.operations()


async def test_a_key_that_kms_forgets_between_two_reads_is_looked_at_again_later() -> None:
    connection, _ = await scripted({"ListResourceTags": refusal("NotFoundException")})
    with pytest.raises(RetryableError, match="NotFoundException"):
        await observe_key(connection, ARN, Asked(policy=True))


@pytest.mark.parametrize(
    "operation", ["DescribeKey", "ListResourceTags", "GetKeyPolicy", "GetKeyRotationStatus", "ListAliases", "ListGrants"]
)
async def test_garbage_is_no_observation(operation: str) -> None:
    with pytest.raises(RetryableError):
        await observe_key((await scripted({operation: {}}))[0], ARN, EVERYTHING)


@pytest.mark.parametrize("garbage", [{}, {"KeyMetadata": {}}, {"KeyMetadata": {**METADATA, "CreationDate": "today"}}])
async def test_garbage_for_create_key_is_an_unknown_result(garbage: dict[str, Any]) -> None:
    connection, aws = await scripted({"CreateKey": garbage})
    with pytest.raises(UnknownResultError):
        await create_key(connection, CREATE)
    assert aws.operations().count("CreateKey") == 1


async def test_create_key_sends_what_differs_from_kmss_defaults() -> None:
    connection, aws = await scripted({"CreateKey": {"KeyMetadata": METADATA}})
    await create_key(connection, CREATE)
    await create_key(connection, replace(CREATE, policy=POLICY, multi_region=True, bypass_policy_lockout_safety_check=True))
    plain, full = (parameters for _, operation, parameters in aws.asked if operation == "CreateKey")
    assert plain == {
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "Description": "for tests",
        "Tags": [
            {"TagKey": "aws-infra-operator.runner.codes/uid", "TagValue": "u-1"},
            {"TagKey": "team", "TagValue": "a"},
        ],
    }
    assert full == {**plain, "Policy": POLICY, "MultiRegion": True, "BypassPolicyLockoutSafetyCheck": True}


@pytest.mark.parametrize(
    ("action", "code", "error"),
    [
        (ScheduleKeyDeletion(ARN, 7), "KMSInvalidStateException", RetryableError),
        (CancelKeyDeletion(ARN), "KMSInvalidStateException", RetryableError),
        (TagResource(ARN, {}), "NotFoundException", NotFoundError),
        (PutKeyPolicy(ARN, "{}", bypass_policy_lockout_safety_check=False), "MalformedPolicyDocumentException", StalledError),
        (EnableKey(ARN), "LimitExceededException", BlockedError),
    ],
)
async def test_a_refused_action_says_what_to_do_next(action: KeyAction, code: str, error: type[Exception]) -> None:
    connection, _ = await scripted({type(action).__name__: refusal(code)})
    with pytest.raises(error):
        await apply(connection, action)


@pytest.mark.parametrize("arn", [ARN.replace("eu-central-1", "us-east-1"), ARN.replace("1111", "2222")])
async def test_a_key_of_another_account_or_region_is_not_touched(arn: str) -> None:
    connection, aws = await scripted({"DisableKey": {}})
    with pytest.raises(InvalidAccessError, match="is not in the provider's"):
        await apply(connection, DisableKey(arn))
    assert "DisableKey" not in aws.operations()
