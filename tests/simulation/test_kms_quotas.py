"""KMS's request quotas in the model."""

import pytest

from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_quotas import PER_SECOND, RequestQuotas

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
