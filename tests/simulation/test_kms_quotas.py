"""KMS's request quotas in the model."""

from dataclasses import replace

import pytest

from aws.quotas import PER_SECOND as KNOWN_TO_THE_OPERATOR
from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_model import Kms
from tests.simulation.kms_quotas import PER_SECOND, RequestQuotas
from tests.simulation.kms_requests import CALLER, EU, call, make, refusal

HERE = ("123456789012", "us-east-1")


def test_a_sixth_creation_within_a_second_is_throttled_and_a_later_one_is_not() -> None:
    quotas = RequestQuotas(PER_SECOND)
    for _ in range(5):
        quotas.admit(*HERE, "CreateKey", 0.0)
    with pytest.raises(RefusedError, match="ThrottlingException"):
        quotas.admit(*HERE, "CreateKey", 0.1)
    quotas.admit(*HERE, "CreateKey", 0.2)


def test_regions_and_operations_have_quotas_of_their_own() -> None:
    quotas = RequestQuotas({"CreateKey": 1, "DeleteAlias": 1})
    for region, operation in (
        ("us-east-1", "CreateKey"),
        ("eu-west-1", "CreateKey"),
        ("us-east-1", "DeleteAlias"),
        ("us-east-1", "Other"),
    ):
        quotas.admit("123456789012", region, operation, 0.0)
    with pytest.raises(RefusedError):
        quotas.admit("123456789012", "eu-west-1", "CreateKey", 0.0)


def test_a_replica_counts_as_two_new_keys_in_its_region_and_none_is_made_where_there_is_no_room_for_both(kms: Kms) -> None:
    arn = make(kms, MultiRegion=True)
    kms.quotas = RequestQuotas(PER_SECOND)
    there = replace(CALLER, region=EU)
    for _ in range(2):
        call(kms, "CreateKey", there)
    call(kms, "ReplicateKey", KeyId=arn, ReplicaRegion=EU)
    other = make(kms, MultiRegion=True)
    assert refusal(kms, "ReplicateKey", KeyId=other, ReplicaRegion=EU) == "ThrottlingException"
    call(kms, "CreateKey", there)
    assert sum(key.region == EU for key in kms.keys) == 4
    call(kms, "ReplicateKey", KeyId=other, ReplicaRegion="ap-south-1")


def test_the_operator_knows_the_same_quotas() -> None:
    assert {operation: PER_SECOND[operation] for operation in KNOWN_TO_THE_OPERATOR} == KNOWN_TO_THE_OPERATOR


@pytest.mark.parametrize(
    ("rate", "operations"),
    [
        (1, "GetParametersForImport"),
        (5, "CreateKey UpdateKeyDescription EnableKey DisableKey DisableKeyRotation RotateKeyOnDemand CancelKeyDeletion UntagResource"),
        (5, "CreateAlias UpdateAlias ReplicateKey UpdatePrimaryRegion GetKeyLastUsage"),
        (10, "TagResource"),
        (15, "PutKeyPolicy EnableKeyRotation ScheduleKeyDeletion DeleteAlias ImportKeyMaterial DeleteImportedKeyMaterial"),
        (50, "CreateGrant RevokeGrant RetireGrant"),
        (100, "ListKeyPolicies ListKeyRotations ListGrants ListRetirableGrants"),
        (500, "ListAliases ListKeys"),
        (1000, "GetKeyPolicy GetKeyRotationStatus"),
        (2000, "DescribeKey ListResourceTags GetPublicKey"),
    ],
)
def test_an_operation_has_so_many_requests_a_second(rate: int, operations: str) -> None:
    assert {PER_SECOND[operation] for operation in operations.split()} == {rate}
