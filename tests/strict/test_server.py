"""The strict AWS behind HTTP: a plain boto3 client gets KMS's answers and refusals, and faults do what their names say."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.cluster.emulator import Backend, emulator
from tests.strict.callers import TEST

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("strict"), Backend.STRICT) as running:
        yield running


@pytest.fixture
def ask(url: str) -> Iterator[Ask]:
    """A request to /_strict/; afterwards everything is as it was."""

    def asked(method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{url}/_strict/{path}", data, method=method)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None

    asked("DELETE", "calls")
    yield asked
    asked("DELETE", "faults")
    asked("PUT", "lags", {})
    asked("PUT", "denied", [])


def client(url: str, service: str, access_key_id: str = TEST, secret: str = TEST, token: str | None = None) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=2, proxies={})
    return boto3.client(
        service,
        "us-east-1",
        endpoint_url=url,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )


@pytest.fixture
def kms(url: str) -> Iterator[Any]:
    made = client(url, "kms")
    yield made
    made.close()


def code(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return str(refused.value.response["Error"]["Code"])


def names(ask: Ask) -> list[str]:
    return [call["operation"] for call in ask("GET", "calls")]


def test_a_key_is_made_described_listed_and_found_by_its_tag(url: str, kms: Any) -> None:
    made = kms.create_key(Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyMetadata"]
    assert kms.describe_key(KeyId=made["Arn"])["KeyMetadata"] == made
    assert made["KeyId"] in [key["KeyId"] for page in kms.get_paginator("list_keys").paginate() for key in page["Keys"]]
    tagging = client(url, "resourcegroupstaggingapi")
    found = tagging.get_resources(TagFilters=[{"Key": "a", "Values": ["1"]}])["ResourceTagMappingList"]
    tagging.close()
    assert made["Arn"] in [one["ResourceARN"] for one in found]


def test_what_kms_refuses_is_refused_in_its_words(kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert code(kms.schedule_key_deletion, KeyId=key) == "KMSInvalidStateException"
    assert code(kms.update_key_description, KeyId=key, Description="x" * 9000) == "ValidationException"
    assert code(kms.describe_key, KeyId="00000000-0000-4000-8000-000000000000") == "NotFoundException"
    assert code(kms.encrypt, KeyId=key, Plaintext=b"x") == "UnknownOperationException"


def test_roles_are_assumed_and_are_in_the_account_of_their_arn(url: str) -> None:
    sts = client(url, "sts")
    assumed = sts.assume_role(RoleArn="arn:aws:iam::999988887777:role/keys", RoleSessionName="me")["Credentials"]
    sts.close()
    session = client(url, "sts", assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
    told = session.get_caller_identity()
    session.close()
    assert (told["Account"], told["Arn"]) == ("999988887777", "arn:aws:sts::999988887777:assumed-role/keys/me")


@pytest.mark.parametrize(
    ("access_key_id", "secret", "refusal"),
    [("test", "wrong", "InvalidSignatureException"), ("AKIAUNKNOWN", "x", "UnrecognizedClientException")],
)
def test_who_cannot_sign_is_refused(url: str, access_key_id: str, secret: str, refusal: str) -> None:
    stranger = client(url, "kms", access_key_id, secret)
    assert code(stranger.list_keys) == refusal
    stranger.close()


def test_credentials_can_be_added_and_revoked(url: str, ask: Ask) -> None:
    ask("PUT", "credentials", {"accessKeyId": "AKIANEW", "secretAccessKey": "s", "accountId": "111122223333"})
    new = client(url, "sts", "AKIANEW", "s")
    assert new.get_caller_identity()["Account"] == "111122223333"
    ask("DELETE", "credentials?accessKeyId=AKIANEW")
    assert code(new.get_caller_identity) == "InvalidClientTokenId"
    new.close()


# What the client gets, and how many keys there are more afterwards.
BROKEN: list[tuple[str, type[Exception], int]] = [
    ("lost_request", ConnectionClosedError, 0),
    ("lost_answer", ConnectionClosedError, 1),
    ("hung_before", ReadTimeoutError, 0),
    ("hung_after", ReadTimeoutError, 1),
    ("error_before", ClientError, 0),
    ("error_after", ClientError, 1),
    ("throttled", ClientError, 0),
    ("expired_credentials", ClientError, 0),
]


@pytest.mark.parametrize(("kind", "error", "made"), BROKEN, ids=[kind for kind, _, _ in BROKEN])
def test_a_fault_of_one_call_happens_once(kind: str, error: type[Exception], made: int, ask: Ask, kms: Any) -> None:
    before = len(ask("GET", "keys")["keys"])
    ask("POST", "faults", {"kind": kind, "operation": "CreateKey"})
    with pytest.raises(error):
        kms.create_key()
    assert len(ask("GET", "keys")["keys"]) == before + made
    kms.create_key()
    assert len(ask("GET", "keys")["keys"]) == before + made + 1


def test_an_answer_can_be_a_proxy_s_page(ask: Ask, kms: Any) -> None:
    before = len(ask("GET", "keys")["keys"])
    ask("POST", "faults", {"kind": "invalid_body", "operation": "CreateKey"})
    assert "KeyMetadata" not in kms.create_key()
    assert len(ask("GET", "keys")["keys"]) == before + 1


def test_a_duplicate_is_done_twice_and_answered_once(ask: Ask, kms: Any) -> None:
    before = len(ask("GET", "keys")["keys"])
    ask("POST", "faults", {"kind": "duplicate", "operation": "Create*"})
    assert kms.create_key()["KeyMetadata"]["KeyState"] == "Enabled"
    assert len(ask("GET", "keys")["keys"]) == before + 2
    assert names(ask) == ["CreateKey", "CreateKey"]


def test_a_late_answer_is_late(ask: Ask, kms: Any) -> None:
    ask("POST", "faults", {"kind": "late_answer", "seconds": 0.3})
    began = time.monotonic()
    kms.list_keys()
    assert time.monotonic() - began >= 0.3


def test_reads_lag_behind_and_permissions_can_be_taken(ask: Ask, kms: Any) -> None:
    ask("PUT", "lags", {"DescribeKey": [300, 0]})
    ask("PUT", "denied", ["ListKeys"])
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert code(kms.describe_key, KeyId=key) == "NotFoundException"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyId"] == key
    assert code(kms.list_keys) == "AccessDeniedException"
    assert [call["outcome"] for call in ask("GET", "calls")] == ["OK", "NotFoundException", "OK", "AccessDeniedException"]


def test_what_is_no_fault_is_refused(ask: Ask) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask("POST", "faults", {"kind": "nonsense"})
    refused.value.close()
    assert ask("GET", "faults") == []


def test_a_key_can_be_put_into_a_state_that_no_call_leads_to(ask: Ask, kms: Any) -> None:
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    ask("POST", "keys", {"arn": arn, "state": "Unavailable"})
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Unavailable"
