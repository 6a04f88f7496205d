from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aws.channels import Channel
from aws.credentials import Access
from aws.errors import RetryableError
from aws.sts import CallerIdentity, assume_role, caller_identity
from tests.aws.worlds import FakeAws, terms

ACCOUNT = "111122223333"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arn", "role", "same"),
    [
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/keys/pod-1", f"arn:aws:iam::{ACCOUNT}:role/keys", True),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/keys/pod-1", f"arn:aws:iam::{ACCOUNT}:role/team/a/keys", True),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/keys2/pod-1", f"arn:aws:iam::{ACCOUNT}:role/keys", False),
        ("arn:aws:sts::444455556666:assumed-role/keys/pod-1", f"arn:aws:iam::{ACCOUNT}:role/keys", False),
        (f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/keys/pod-1", f"arn:aws:iam::{ACCOUNT}:role/keys", False),
        (f"arn:aws:iam::{ACCOUNT}:user/keys", f"arn:aws:iam::{ACCOUNT}:role/keys", False),
        (f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:role/keys", False),
    ],
)
def test_a_session_of_a_role_is_known_by_its_arn(arn: str, role: str, same: bool) -> None:
    assert CallerIdentity(ACCOUNT, arn).is_session_of(role) is same


def answering(answer: dict[str, Any]) -> Channel:
    def answers(_: Access, __: Mapping[str, Any]) -> dict[str, Any]:
        return answer

    aws = FakeAws({"AssumeRole": answers, "GetCallerIdentity": answers})
    return Channel(terms(aws.open), Access("eu-central-1", None, None))


async def test_a_lifetime_is_measured_by_awss_own_clock() -> None:
    credentials = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": NOON + timedelta(minutes=15)}
    about = {"HTTPHeaders": {"date": "Thu, 01 Jan 2026 12:00:00 GMT"}}
    session = await assume_role(answering({"Credentials": credentials, "ResponseMetadata": about}), "AssumeRole", {})
    assert session.seconds == 900
    assert session.credentials.session_token == "t"


@pytest.mark.parametrize("answer", [{}, {"Credentials": None}, {"Credentials": {"AccessKeyId": "ASIA"}}])
async def test_garbage_is_no_identity(answer: dict[str, Any]) -> None:
    with pytest.raises(RetryableError):
        await assume_role(answering(answer), "AssumeRole", {})
    with pytest.raises(RetryableError):
        await caller_identity(answering(answer))
