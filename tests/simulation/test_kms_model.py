"""The model of KMS refuses what KMS refuses: each line is a sentence of AWS's documentation."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_keys import STATES
from tests.simulation.kms_model import Kms, late
from tests.simulation.kms_policies import default_policy
from tests.simulation.kms_quotas import RequestQuotas
from tests.simulation.kms_writes import Caller

CALLER = Caller("123456789012", "arn:aws:iam::123456789012:user/operator", "us-east-1")
RSA = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}
TAGS = [{"TagKey": f"tag-{number}", "TagValue": "x"} for number in range(51)]
GRANT = {"Name": "g", "GranteePrincipal": "arn:aws:iam::123456789012:role/app", "Operations": ["Decrypt", "DescribeKey"]}
LOCKOUT = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/eve"}, "Action": "kms:*"}]})


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kms(clock: Clock) -> Kms:
    return Kms(clock)


def call(kms: Kms, operation: str, **parameters: Any) -> dict[str, Any]:
    return kms.handle("kms", operation, parameters, CALLER)


def make(kms: Kms, **parameters: Any) -> str:
    return str(call(kms, "CreateKey", **parameters)["KeyMetadata"]["Arn"])


def refusal(kms: Kms, operation: str, **parameters: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        call(kms, operation, **parameters)
    return caught.value.code


def test_each_create_key_makes_a_key(kms: Kms) -> None:
    assert make(kms, Description="x") != make(kms, Description="x")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"KeyUsage": "SIGN_VERIFY"}, "ValidationException"),
        ({"KeySpec": "RSA_2048"}, "ValidationException"),
        ({"KeySpec": "HMAC_256", "KeyUsage": "ENCRYPT_DECRYPT"}, "ValidationException"),
        ({"KeySpec": "AES_999"}, "ValidationException"),
        ({"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException"),
        ({"Origin": "AWS_CLOUDHSM"}, "ValidationException"),
        ({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-0"}, "CustomKeyStoreNotFoundException"),
        ({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-off"}, "CustomKeyStoreInvalidStateException"),
        ({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-on", "MultiRegion": True}, "UnsupportedOperationException"),
        ({"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": "cks-on"}, "ValidationException"),
        ({"Description": "x" * 8193}, "ValidationException"),
        ({"Tags": TAGS}, "LimitExceededException"),
        ({"Tags": [{"TagKey": "AWS:x", "TagValue": ""}]}, "TagException"),
        ({"Tags": TAGS[:1] * 2}, "TagException"),
        ({"Tags": [{"TagKey": "k" * 129, "TagValue": ""}]}, "ValidationException"),
        ({"Policy": "{"}, "MalformedPolicyDocumentException"),
        ({"Policy": "[]"}, "MalformedPolicyDocumentException"),
        ({"Policy": LOCKOUT}, "MalformedPolicyDocumentException"),
        ({"Policy": LOCKOUT + " " * 33_000}, "LimitExceededException"),
    ],
)
def test_what_cannot_be_a_key_is_refused(kms: Kms, parameters: dict[str, Any], code: str) -> None:
    kms.stores = {"cks-on": True, "cks-off": False}
    assert refusal(kms, "CreateKey", **parameters) == code
    assert kms.keys == []


def test_the_sdk_does_not_send_what_it_does_not_know(kms: Kms) -> None:
    with pytest.raises(ParamValidationError):
        call(kms, "CreateKey", Colour="green")


def test_a_policy_may_lock_out_by_its_makers_word(kms: Kms) -> None:
    assert make(kms, Policy=LOCKOUT, BypassPolicyLockoutSafetyCheck=True)


@pytest.mark.parametrize(
    ("operation", "more", "refused"),
    [
        ("CancelKeyDeletion", {}, STATES - {"PendingDeletion", "PendingReplicaDeletion"}),
        ("EnableKey", {}, STATES - {"Enabled", "Disabled", "Unavailable"}),
        ("DisableKey", {}, STATES - {"Enabled", "Disabled", "Unavailable"}),
        ("EnableKeyRotation", {}, STATES - {"Enabled"}),
        ("DisableKeyRotation", {}, STATES - {"Enabled"}),
        ("RotateKeyOnDemand", {}, STATES - {"Enabled"}),
        ("ListKeyRotations", {}, set()),
        ("DeleteImportedKeyMaterial", {}, STATES - {"Enabled", "Disabled", "PendingDeletion", "PendingReplicaDeletion"}),
        ("ScheduleKeyDeletion", {}, {"Creating", "Updating", "PendingDeletion", "PendingReplicaDeletion"}),
        ("TagResource", {"Tags": TAGS[:1]}, {"Creating", "Updating", "PendingDeletion", "PendingReplicaDeletion"}),
        ("UntagResource", {"TagKeys": ["x"]}, {"Creating", "Updating", "PendingDeletion", "PendingReplicaDeletion"}),
        ("UpdateKeyDescription", {"Description": ""}, {"Creating", "Updating", "PendingDeletion", "PendingReplicaDeletion"}),
        ("PutKeyPolicy", {"Policy": default_policy("123456789012")}, {"Creating", "Updating"}),
        ("CreateGrant", GRANT, STATES - {"Enabled", "Unavailable"}),
        ("GetPublicKey", {}, STATES - {"Enabled"}),
        ("ListGrants", {}, set()),
        ("DescribeKey", {}, set()),
        ("GetKeyPolicy", {}, set()),
        ("GetKeyRotationStatus", {}, set()),
        ("ListResourceTags", {}, set()),
    ],
)
def test_states_allow_what_the_developer_guide_says(kms: Kms, operation: str, more: dict[str, Any], refused: set[str]) -> None:
    arn = make(kms, Origin="EXTERNAL" if "Imported" in operation else "AWS_KMS", **(RSA if operation == "GetPublicKey" else {}))
    for state in sorted(STATES):
        kms.edit(arn, state=state)
        if state in refused:
            assert refusal(kms, operation, KeyId=arn, **more) in {"KMSInvalidStateException", "DisabledException"}, state
        else:
            call(kms, operation, KeyId=arn, **more)


def named(kms: Kms, arn: str) -> set[str]:
    return {alias["AliasName"] for alias in call(kms, "ListAliases", KeyId=arn)["Aliases"]}


def test_an_alias_leads_to_one_key(kms: Kms) -> None:
    first, second = make(kms), make(kms)
    call(kms, "CreateAlias", AliasName="alias/a", TargetKeyId=first)
    for key in (first, second):
        assert refusal(kms, "CreateAlias", AliasName="alias/a", TargetKeyId=key) == "AlreadyExistsException"
    assert call(kms, "DescribeKey", KeyId="alias/a")["KeyMetadata"]["Arn"] == first
    call(kms, "UpdateAlias", AliasName="alias/a", TargetKeyId=second)
    assert (named(kms, first), named(kms, second)) == (set(), {"alias/a"})
    call(kms, "DeleteAlias", AliasName="alias/a")
    assert refusal(kms, "DeleteAlias", AliasName="alias/a") == "NotFoundException"
    assert refusal(kms, "DescribeKey", KeyId="alias/a") == "NotFoundException"


@pytest.mark.parametrize(
    ("alias", "code"),
    [("a", "ValidationException"), ("alias/aws/s3", "InvalidAliasNameException"), ("alias/a:b", "InvalidAliasNameException")],
)
def test_some_names_cannot_be_an_alias(kms: Kms, alias: str, code: str) -> None:
    assert refusal(kms, "CreateAlias", AliasName=alias, TargetKeyId=make(kms)) == code


def test_a_key_has_at_most_50_aliases(kms: Kms) -> None:
    arn = make(kms)
    for number in range(50):
        call(kms, "CreateAlias", AliasName=f"alias/{number}", TargetKeyId=arn)
    assert refusal(kms, "CreateAlias", AliasName="alias/50", TargetKeyId=arn) == "LimitExceededException"


def test_an_alias_leads_to_no_key_that_is_to_be_deleted(kms: Kms) -> None:
    living, dying = make(kms), make(kms)
    call(kms, "CreateAlias", AliasName="alias/a", TargetKeyId=living)
    call(kms, "CreateAlias", AliasName="alias/b", TargetKeyId=dying)
    call(kms, "ScheduleKeyDeletion", KeyId=dying)
    assert refusal(kms, "CreateAlias", AliasName="alias/c", TargetKeyId=dying) == "KMSInvalidStateException"
    assert refusal(kms, "UpdateAlias", AliasName="alias/a", TargetKeyId=dying) == "KMSInvalidStateException"
    call(kms, "UpdateAlias", AliasName="alias/b", TargetKeyId=living)
    assert named(kms, living) == {"alias/a", "alias/b"}


def test_an_alias_keeps_to_one_kind_of_key(kms: Kms) -> None:
    call(kms, "CreateAlias", AliasName="alias/a", TargetKeyId=make(kms))
    assert refusal(kms, "UpdateAlias", AliasName="alias/a", TargetKeyId=make(kms, **RSA)) == "KMSInvalidStateException"


def test_a_grant_of_a_name_is_made_once_for_what_it_says(kms: Kms) -> None:
    arn = make(kms)
    first = call(kms, "CreateGrant", KeyId=arn, **GRANT)["GrantId"]
    again = call(kms, "CreateGrant", KeyId=arn, **GRANT | {"Operations": ["DescribeKey", "Decrypt"]})["GrantId"]
    other = call(kms, "CreateGrant", KeyId=arn, **GRANT | {"Operations": ["Encrypt"]})["GrantId"]
    assert (again, other == first) == (first, False)
    call(kms, "RevokeGrant", KeyId=arn, GrantId=first)
    assert [grant["GrantId"] for grant in call(kms, "ListGrants", KeyId=arn)["Grants"]] == [other]
    assert refusal(kms, "RevokeGrant", KeyId=arn, GrantId=first) == "NotFoundException"
    assert call(kms, "CreateGrant", KeyId=arn, **GRANT)["GrantId"] != first


def test_a_grant_without_a_name_is_made_each_time(kms: Kms) -> None:
    arn = make(kms)
    nameless = {name: value for name, value in GRANT.items() if name != "Name"}
    assert len({call(kms, "CreateGrant", KeyId=arn, **nameless)["GrantId"] for _ in range(2)}) == 2


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ({}, {"Operations": []}),
        ({}, {"Operations": ["Sign"]}),
        ({}, {"Operations": ["Fly"]}),
        ({}, {"GranteePrincipal": "*"}),
        ({}, {"Constraints": {"EncryptionContextEquals": {str(number): "x" for number in range(9)}}}),
        (RSA, {"Operations": ["Decrypt"]}),
        (RSA, {"Operations": ["Sign"], "Constraints": {"EncryptionContextSubset": {"a": "b"}}}),
    ],
)
def test_what_cannot_be_granted_is_refused(kms: Kms, key: dict[str, Any], change: dict[str, Any]) -> None:
    assert refusal(kms, "CreateGrant", KeyId=make(kms, **key), **GRANT | change) == "ValidationException"


def test_only_some_keys_have_a_public_half(kms: Kms) -> None:
    assert call(kms, "GetPublicKey", KeyId=make(kms, **RSA))["PublicKey"]
    assert refusal(kms, "GetPublicKey", KeyId=make(kms)) == "UnsupportedOperationException"


def test_imported_material_is_waited_for_and_goes_at_once(kms: Kms) -> None:
    arn = make(kms, Origin="EXTERNAL")
    assert refusal(kms, "EnableKey", KeyId=arn) == "KMSInvalidStateException"
    assert refusal(kms, "GetKeyRotationStatus", KeyId=arn) == "UnsupportedOperationException"
    kms.edit(arn, state="Enabled", imported=True)
    assert "ExpirationModel" in call(kms, "DescribeKey", KeyId=arn)["KeyMetadata"]
    call(kms, "DeleteImportedKeyMaterial", KeyId=arn)
    found = call(kms, "DescribeKey", KeyId=arn)["KeyMetadata"]
    assert (found["KeyState"], "ExpirationModel" in found) == ("PendingImport", False)
    assert refusal(kms, "DeleteImportedKeyMaterial", KeyId=make(kms)) == "UnsupportedOperationException"


def test_rotation_is_for_symmetric_keys(kms: Kms) -> None:
    arn = make(kms, **RSA)
    assert refusal(kms, "EnableKeyRotation", KeyId=arn) == "UnsupportedOperationException"
    assert call(kms, "GetKeyRotationStatus", KeyId=arn)["KeyRotationEnabled"] is False


def test_a_rotation_on_demand_is_under_way_first_and_listed_then(kms: Kms, clock: Clock) -> None:
    arn = make(kms)
    call(kms, "RotateKeyOnDemand", KeyId=arn)
    assert call(kms, "GetKeyRotationStatus", KeyId=arn)["OnDemandRotationStartDate"] == clock.now
    assert call(kms, "ListKeyRotations", KeyId=arn)["Rotations"] == []
    assert refusal(kms, "RotateKeyOnDemand", KeyId=arn) == "ConflictException"
    clock.now += timedelta(minutes=1)
    assert "OnDemandRotationStartDate" not in call(kms, "GetKeyRotationStatus", KeyId=arn)
    assert [one["RotationType"] for one in call(kms, "ListKeyRotations", KeyId=arn)["Rotations"]] == ["ON_DEMAND"]


def test_a_key_is_rotated_on_demand_25_times(kms: Kms, clock: Clock) -> None:
    arn = make(kms)
    for _ in range(25):
        call(kms, "RotateKeyOnDemand", KeyId=arn)
        clock.now += timedelta(minutes=1)
    assert refusal(kms, "RotateKeyOnDemand", KeyId=arn) == "LimitExceededException"


def test_no_rotation_on_demand_is_near_an_automatic_one(kms: Kms, clock: Clock) -> None:
    arn = make(kms)
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=90)
    clock.now += timedelta(days=90, minutes=-10)
    assert refusal(kms, "RotateKeyOnDemand", KeyId=arn) == "ConflictException"
    clock.now += timedelta(minutes=40)
    call(kms, "RotateKeyOnDemand", KeyId=arn)


@pytest.mark.parametrize("days", [6, 31])
def test_the_window_has_7_to_30_days(kms: Kms, days: int) -> None:
    assert refusal(kms, "ScheduleKeyDeletion", KeyId=make(kms), PendingWindowInDays=days) == "ValidationException"


def test_a_cancelled_deletion_leaves_the_key_disabled(kms: Kms) -> None:
    arn = make(kms)
    call(kms, "ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=7)
    call(kms, "CancelKeyDeletion", KeyId=arn)
    assert call(kms, "DescribeKey", KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"


def test_a_key_is_gone_when_its_window_is_over(kms: Kms, clock: Clock) -> None:
    arn = make(kms)
    call(kms, "ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=7)
    clock.now += timedelta(days=7)
    assert refusal(kms, "DescribeKey", KeyId=arn) == "NotFoundException"


def test_late_reads_tell_the_past(kms: Kms, clock: Clock) -> None:
    kms.lags["DescribeKey"] = late(60)
    arn = make(kms, Description="old")
    assert refusal(kms, "DescribeKey", KeyId=arn) == "NotFoundException"
    clock.now += timedelta(seconds=60)
    call(kms, "UpdateKeyDescription", KeyId=arn, Description="new")
    assert call(kms, "DescribeKey", KeyId=arn)["KeyMetadata"]["Description"] == "old"
    clock.now += timedelta(seconds=60)
    assert call(kms, "DescribeKey", KeyId=arn)["KeyMetadata"]["Description"] == "new"


def test_lists_are_paged_and_markers_are_checked(kms: Kms) -> None:
    arns = {make(kms) for _ in range(5)}
    listed: set[str] = set()
    marker: dict[str, str] = {}
    while True:
        page = call(kms, "ListKeys", Limit=1000, **marker)
        listed |= {key["KeyArn"] for key in page["Keys"]}
        if not page["Truncated"]:
            break
        marker = {"Marker": page["NextMarker"]}
    assert listed == arns
    assert refusal(kms, "ListKeys", Marker="stale") == "InvalidMarkerException"


def test_another_account_has_other_keys(kms: Kms) -> None:
    stranger = Caller("999988887777", "arn:aws:iam::999988887777:user/eve", "us-east-1")
    arn = make(kms)
    with pytest.raises(RefusedError, match="not authorized"):
        kms.handle("kms", "DescribeKey", {"KeyId": arn}, stranger)
    assert kms.handle("kms", "ListKeys", {}, stranger)["Keys"] == []


EU = "eu-west-1"


def in_eu(kms: Kms, operation: str, **parameters: Any) -> dict[str, Any]:
    return kms.handle("kms", operation, parameters, replace(CALLER, region=EU))


@pytest.fixture
def replicated(kms: Kms, clock: Clock) -> str:
    """The ARN of a rotating primary with a settled replica in eu-west-1."""
    arn = make(kms, MultiRegion=True)
    call(kms, "EnableKeyRotation", KeyId=arn, RotationPeriodInDays=200)
    call(kms, "ReplicateKey", KeyId=arn, ReplicaRegion=EU)
    clock.now += timedelta(seconds=10)
    return arn


def seen_in(region: str, kms: Kms, arn: str) -> tuple[str, str]:
    """State and type of the key there."""
    told = kms.handle("kms", "DescribeKey", {"KeyId": arn.rpartition("/")[2]}, replace(CALLER, region=region))["KeyMetadata"]
    return told["KeyState"], told["MultiRegionConfiguration"]["MultiRegionKeyType"]


def test_a_moved_primary_changes_places_with_its_replica_and_takes_the_rotation_along(kms: Kms, clock: Clock, replicated: str) -> None:
    assert call(kms, "UpdatePrimaryRegion", KeyId=replicated, PrimaryRegion=EU) == {}
    assert seen_in("us-east-1", kms, replicated) == seen_in(EU, kms, replicated) == ("Updating", "REPLICA")
    assert refusal(kms, "DisableKey", KeyId=replicated) == "KMSInvalidStateException"
    clock.now += timedelta(seconds=10)
    assert seen_in("us-east-1", kms, replicated) == ("Enabled", "REPLICA")
    assert seen_in(EU, kms, replicated) == ("Enabled", "PRIMARY")
    there = replicated.rpartition("/")[2]
    assert in_eu(kms, "GetKeyRotationStatus", KeyId=there)["RotationPeriodInDays"] == 200
    assert refusal(kms, "EnableKeyRotation", KeyId=replicated) == "UnsupportedOperationException"
    assert refusal(kms, "ReplicateKey", KeyId=replicated, ReplicaRegion="ap-south-1") == "UnsupportedOperationException"
    in_eu(kms, "UpdatePrimaryRegion", KeyId=there, PrimaryRegion="us-east-1")


def test_a_primary_moves_only_to_a_replica_of_its_own_and_only_while_both_are_enabled(kms: Kms, replicated: str) -> None:
    there = replicated.rpartition("/")[2]
    assert refusal(kms, "UpdatePrimaryRegion", KeyId=make(kms), PrimaryRegion=EU) == "UnsupportedOperationException"
    for region in ("ap-south-1", "us-east-1"):
        assert refusal(kms, "UpdatePrimaryRegion", KeyId=replicated, PrimaryRegion=region) == "NotFoundException"
    with pytest.raises(RefusedError, match="not a multi-Region primary"):
        in_eu(kms, "UpdatePrimaryRegion", KeyId=there, PrimaryRegion="us-east-1")
    in_eu(kms, "DisableKey", KeyId=there)
    assert refusal(kms, "UpdatePrimaryRegion", KeyId=replicated, PrimaryRegion=EU) == "DisabledException"
    in_eu(kms, "ScheduleKeyDeletion", KeyId=there, PendingWindowInDays=7)
    assert refusal(kms, "UpdatePrimaryRegion", KeyId=replicated, PrimaryRegion=EU) == "KMSInvalidStateException"


def test_a_move_of_the_primary_counts_in_both_regions(kms: Kms, replicated: str) -> None:
    kms.quotas = RequestQuotas({"UpdatePrimaryRegion": 1})
    with pytest.raises(RefusedError):
        in_eu(kms, "UpdatePrimaryRegion", KeyId=replicated.rpartition("/")[2], PrimaryRegion="us-east-1")
    assert refusal(kms, "UpdatePrimaryRegion", KeyId=replicated, PrimaryRegion=EU) == "ThrottlingException"
    assert seen_in("us-east-1", kms, replicated) == ("Enabled", "PRIMARY")
