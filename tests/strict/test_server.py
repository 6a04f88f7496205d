"""The strict AWS behind HTTP: a plain boto3 client gets KMS's answers and refusals, and faults do what their names say."""

import time
import urllib.error
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.cluster.emulator import Backend, emulator
from tests.strict.ask import ask as ask_strict
from tests.strict.callers import TEST

Ask = Callable[..., Any]

PAGE = 10


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("strict"), Backend.STRICT) as running:
        yield running


@pytest.fixture
def ask(url: str) -> Iterator[Ask]:
    """A request to /_strict/; afterwards everything is as it was."""

    asked = partial(ask_strict, url)
    asked("DELETE", "calls")
    yield asked
    asked("DELETE", "faults")
    asked("PUT", "lags", {})
    asked("PUT", "denied", [])
    asked("PUT", "quotas", False)
    asked("PUT", "page-size", PAGE)


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


def refusal(ask: Ask, method: str, path: str, body: object = None) -> tuple[int, str]:
    """The status of the answer to a test, and what it says."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(method, path, body)
    with refused.value as answer:
        return answer.code, answer.read().decode()


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


# What cannot be done to the same key twice: the operation, and how the key and its parameters are made ready.
ONCE: list[tuple[str, Callable[[Any], dict[str, Any]]]] = [
    ("schedule_key_deletion", lambda kms: {"KeyId": _key(kms)}),
    ("create_alias", lambda kms: {"AliasName": "alias/new", "TargetKeyId": _key(kms)}),
    ("delete_alias", lambda kms: _aliased(kms, "alias/old")),
    ("revoke_grant", lambda kms: _granted(kms, _key(kms))),
]


def _key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["KeyId"])


def _aliased(kms: Any, alias: str) -> dict[str, Any]:
    kms.create_alias(AliasName=alias, TargetKeyId=_key(kms))
    return {"AliasName": alias}


def _granted(kms: Any, key: str) -> dict[str, Any]:
    grantee = "arn:aws:iam::123456789012:role/app"
    grant = kms.create_grant(KeyId=key, GranteePrincipal=grantee, Operations=["Decrypt"])["GrantId"]
    return {"KeyId": key, "GrantId": grant}


@pytest.mark.parametrize(("method", "made_ready"), ONCE, ids=[method for method, _ in ONCE])
def test_a_duplicate_that_is_refused_is_answered_as_the_first(
    method: str, made_ready: Callable[[Any], dict[str, Any]], ask: Ask, kms: Any
) -> None:
    parameters = made_ready(kms)
    ask("DELETE", "calls")
    ask("POST", "faults", {"kind": "duplicate"})
    getattr(kms, method)(**parameters)
    outcomes = [call["outcome"] for call in ask("GET", "calls")]
    assert len(outcomes) == 2
    assert outcomes.index("OK") == 0
    assert outcomes.count("OK") == 1


def test_what_comes_before_a_fault_passes(ask: Ask, kms: Any) -> None:
    ask("POST", "faults", {"kind": "throttled", "operation": "List*", "skip": 2})
    kms.list_keys()
    kms.create_key()
    kms.list_aliases()
    assert code(kms.list_keys) == "ThrottlingException"
    kms.list_keys()


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


# What a test may have meant, and what it is told.
NO_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "nonsense"}, "write one of lost_request, lost_answer"),
    ({"operation": "CreateKey"}, "kind: Field required"),
    ({"kind": "lost_answer", "operation": "CreateKeys"}, "is called CreateKeys: write one, such as CreateKey"),
    ({"kind": "lost_answer", "operation": "kms:*"}, "write one, such as CreateKey, Describe* or *"),
    ({"kind": "lost_answer", "times": "2"}, "times: Input should be a valid integer, not '2'"),
    ({"kind": "lost_answer", "times": 0}, "write 1 or more, or -1 for all"),
    ({"kind": "lost_answer", "skip": -1}, "skip: Input should be greater than or equal to 0"),
    ({"kind": "lost_answer", "probability": 0}, "probability: Input should be greater than 0"),
    ({"kind": "lost_answer", "tims": 2}, "tims: Unexpected keyword argument"),
    ({"kind": "lost_answer", "code": "AccessDenied"}, "lost_answer has no use for code"),
    ({"kind": "late_answer"}, "late_answer needs seconds"),
]


@pytest.mark.parametrize(("told", "words"), NO_FAULTS, ids=[words for _, words in NO_FAULTS])
def test_a_fault_that_would_do_nothing_is_refused(told: dict[str, Any], words: str, ask: Ask) -> None:
    status, said = refusal(ask, "POST", "faults", told)
    assert (status, words in said) == (400, True), said
    assert ask("GET", "faults") == []


WRONG: list[tuple[str, str, object, str]] = [
    ("PUT", "lags", {"DescribKey": 3}, "such as DescribeKey"),
    ("PUT", "lags", {"DescribeKey": []}, "at least 1 item"),
    ("PUT", "denied", "CreateKey", "Input should be a valid array"),
    ("PUT", "denied", ["PutPolicy"], "such as PutKeyPolicy"),
    ("PUT", "quotas", "on", "Input should be a valid boolean"),
    ("PUT", "page-size", 0, "greater than or equal to 1"),
    ("PUT", "credentials", {"accessKeyId": "AKIA"}, "secretAccessKey: Field required"),
    ("DELETE", "credentials", None, "?accessKeyId="),
    ("POST", "keys", {"arn": "arn:aws:kms:us-east-1:1:key/1", "state": "Enabled"}, "GET /_strict/keys"),
]


@pytest.mark.parametrize(("method", "path", "told", "words"), WRONG, ids=[f"{path} {words}" for _, path, _, words in WRONG])
def test_what_would_switch_nothing_is_refused(method: str, path: str, told: object, words: str, ask: Ask) -> None:
    status, said = refusal(ask, method, path, told)
    assert (status, words in said) == (400, True), said


def test_a_key_has_no_other_parts_than_its_own(ask: Ask, kms: Any) -> None:
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    assert refusal(ask, "POST", "keys", {"arn": arn, "stat": "Enabled"})[0] == 400
    assert refusal(ask, "POST", "keys", {"arn": arn})[0] == 400


def test_quotas_hold_while_they_are_on(ask: Ask, kms: Any) -> None:
    ask("PUT", "quotas", True)
    for _ in range(5):
        kms.create_key()
    assert code(kms.create_key) == "ThrottlingException"
    ask("PUT", "quotas", False)
    kms.create_key()


def test_lists_come_in_small_pages(ask: Ask, kms: Any) -> None:
    for _ in range(PAGE + 1):
        kms.create_key()
    assert len(kms.list_keys(Limit=1000)["Keys"]) == PAGE
    ask("PUT", "page-size", 2)
    assert len(kms.list_keys()["Keys"]) == 2


def test_a_session_can_be_given_and_all_of_them_are_told(url: str, ask: Ask) -> None:
    ask("PUT", "credentials", {"accessKeyId": "ASIAGIVEN", "secretAccessKey": "s", "sessionToken": "t"})
    sts = client(url, "sts", "ASIAGIVEN", "s", "t")
    made = sts.assume_role(RoleArn="arn:aws:iam::999988887777:role/keys", RoleSessionName="me")["Credentials"]
    sts.close()
    told = {one["access_key_id"]: (one["secret_access_key"], one["token"]) for one in ask("GET", "sessions")["sessions"]}
    assert told["ASIAGIVEN"] == ("s", "t")
    assert told[made["AccessKeyId"]] == (made["SecretAccessKey"], made["SessionToken"])


def test_a_key_can_be_put_into_a_state_that_no_call_leads_to(ask: Ask, kms: Any) -> None:
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    ask("POST", "keys", {"arn": arn, "state": "Unavailable"})
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Unavailable"
