import pytest

from aws.credentials import AccessRequest
from aws.errors import InvalidAccessError
from aws.partitions import check, partition_of
from reconcilers.reasons import Reason

CHINA_ROLE = "arn:aws-cn:iam::111122223333:role/keys"
ROLE = "arn:aws:iam::111122223333:role/keys"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-nowhere-1", None), ("aws-global", None)],
)
def test_a_region_has_a_partition_if_it_exists(region: str, partition: str | None) -> None:
    assert partition_of(region) == partition


@pytest.mark.parametrize(
    "request_",
    [
        AccessRequest("ns/p", "eu-central-1", role_arn=ROLE, assume_role_arn=ROLE),
        AccessRequest("ns/p", "cn-north-1", assume_role_arn=CHINA_ROLE),
        AccessRequest("ns/p", "eu-nowhere-1", endpoint="http://127.0.0.1:1", assume_role_arn=ROLE),
    ],
)
def test_what_can_work_passes(request_: AccessRequest) -> None:
    check(request_)


def test_an_endpoint_from_the_environment_allows_any_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    check(AccessRequest("ns/p", "eu-nowhere-1"))


@pytest.mark.parametrize(
    ("request_", "reason", "named"),
    [
        (AccessRequest("ns/p", "eu-nowhere-1"), Reason.INVALID_REGION, "eu-nowhere-1"),
        (AccessRequest("ns/p", "eu-central-1", role_arn=CHINA_ROLE), Reason.INVALID_ROLE_ARN, "spec.roleARN"),
        (AccessRequest("ns/p", "cn-north-1", assume_role_arn=ROLE), Reason.INVALID_ROLE_ARN, "spec.assumeRoleARN"),
    ],
)
def test_what_no_call_could_reach_is_refused(request_: AccessRequest, reason: Reason, named: str) -> None:
    with pytest.raises(InvalidAccessError) as refused:
        check(request_)
    assert refused.value.reason is reason
    assert named in refused.value.message
