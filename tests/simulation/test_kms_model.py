"""The model of KMS refuses what KMS refuses, and shows what it shows: what takes more than a line of test_kms_facts.py."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_model import Kms, late
from tests.simulation.kms_quotas import RequestQuotas
from tests.simulation.kms_requests import EU, GRANT, LOCKOUT, RSA, TAGS, Clock, call, caller_in, make, refusal
from tests.simulation.kms_writes import Caller


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
    told = kms.handle("kms", "DescribeKey", {"KeyId": arn.rpartition("/")[2]}, caller_in(region))["KeyMetadata"]
    return told["KeyState"], told["MultiRegionConfiguration"]["MultiRegionKeyType"]


def test_a_moved_primary_changes_places_with_its_replica_and_takes_the_rotation_along(kms: Kms, clock: Clock, replicated: str) -> None:
    assert call(kms, "UpdatePrimaryRegion", KeyId=replicated, PrimaryRegion=EU) == {}
    assert seen_in("us-east-1", kms, replicated) == seen_in(EU, kms, replicated) == ("Updating", "REPLICA")
    assert refusal(kms, "DisableKey", KeyId=replicated) == "KMSInvalidStateException"
    clock.now += timedelta(seconds=10)
    assert seen_in("us-east-1", kms, replicated) == ("Enabled", "REPLICA")
    assert seen_in(EU, kms, replicated) == ("Enabled", "PRIMARY")
    there = replicated.replace("us-east-1", EU)
    assert call(kms, "GetKeyRotationStatus", KeyId=there)["RotationPeriodInDays"] == 200
    assert refusal(kms, "EnableKeyRotation", KeyId=replicated) == "UnsupportedOperationException"
    assert refusal(kms, "ReplicateKey", KeyId=replicated, ReplicaRegion="ap-south-1") == "UnsupportedOperationException"
    call(kms, "UpdatePrimaryRegion", KeyId=there, PrimaryRegion="us-east-1")


def test_a_primary_moves_only_to_a_replica_of_its_own_and_only_while_both_are_enabled(kms: Kms, replicated: str) -> None:
    there = replicated.replace("us-east-1", EU)
    assert refusal(kms, "UpdatePrimaryRegion", KeyId=make(kms), PrimaryRegion=EU) == "UnsupportedOperationException"
    for region in ("ap-south-1", "us-east-1"):
        assert refusal(kms, "UpdatePrimaryRegion", KeyId=replicated, PrimaryRegion=region) == "NotFoundException"
    with pytest.raises(RefusedError, match="not a multi-Region primary"):
        call(kms, "UpdatePrimaryRegion", KeyId=there, PrimaryRegion="us-east-1")
    call(kms, "DisableKey", KeyId=there)
    assert refusal(kms, "UpdatePrimaryRegion", KeyId=replicated, PrimaryRegion=EU) == "DisabledException"
    call(kms, "ScheduleKeyDeletion", KeyId=there, PendingWindowInDays=7)
    assert refusal(kms, "UpdatePrimaryRegion", KeyId=replicated, PrimaryRegion=EU) == "KMSInvalidStateException"


def test_a_move_of_the_primary_counts_in_both_regions(kms: Kms, replicated: str) -> None:
    kms.quotas = RequestQuotas({"UpdatePrimaryRegion": 1})
    with pytest.raises(RefusedError):
        call(kms, "UpdatePrimaryRegion", KeyId=replicated.replace("us-east-1", EU), PrimaryRegion="us-east-1")
    assert refusal(kms, "UpdatePrimaryRegion", KeyId=replicated, PrimaryRegion=EU) == "ThrottlingException"
    assert seen_in("us-east-1", kms, replicated) == ("Enabled", "PRIMARY")
