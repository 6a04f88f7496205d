"""Events in the form in which EventBridge passes CloudTrail's on, and much that is none."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcilers.cloudtrail import BY_ITSELF, CALLS, Change, KeyName, name_in, principal, read_change

ACCOUNT, REGION = "111122223333", "us-west-2"
ID, OTHER_ID = "1234abcd-12ab-34cd-56ef-1234567890ab", "0987dcba-09fe-87dc-65ba-ab0987654321"
ARN, OTHER_ARN = (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{one}" for one in (ID, OTHER_ID))
ALIAS_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/orders"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/alice"
ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin"
KEY, ALIAS = KeyName(ACCOUNT, ID), KeyName(ACCOUNT, "alias/orders")

Json = dict[str, Any]


def event(operation: str = "DisableKey", parameters: Json | None = None, *arns: str, **more: Any) -> Json:
    """What EventBridge delivers for a call; `more` goes into CloudTrail's record."""
    record = {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:alice",
            "arn": SESSION,
            "accountId": ACCOUNT,
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/Admin", "userName": "Admin"}},
        },
        "eventTime": "2026-01-01T12:00:00Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": operation,
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.0",
        "userAgent": "aws-cli/2.15.0 md/awscrt#0.19",
        "requestParameters": {"keyId": ID} if parameters is None else parameters,
        "responseElements": {"keyId": ARN},
        "readOnly": False,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn} for arn in arns or (ARN,)],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
    }
    about = {"version": "0", "id": "5d6f8a", "detail-type": "AWS API Call via CloudTrail", "source": "aws.kms", "account": ACCOUNT}
    return {**about, "time": "2026-01-01T12:00:00Z", "region": REGION, "resources": [], "detail": record | more}


def read(told: object) -> Change | None:
    return read_change(json.dumps(told))


NAMED = [
    pytest.param(event("DisableKey"), {KEY}, id="by id"),
    pytest.param(event("PutKeyPolicy", {"keyId": ARN, "policyName": "default", "policy": "{}"}), {KEY}, id="by ARN"),
    pytest.param(event("TagResource", {"keyId": ID, "tags": [{"tagKey": "a", "tagValue": "b"}]}), {KEY}, id="tags"),
    pytest.param(event("ScheduleKeyDeletion", {"keyId": ID, "pendingWindowInDays": 7}), {KEY}, id="deletion"),
    pytest.param(event("EnableKey", resources=None), {KEY}, id="without resources"),
    pytest.param(event("CreateGrant", {"granteePrincipal": "x"}), {KEY}, id="by its resources only"),
    pytest.param(event("CreateAlias", {"aliasName": "alias/orders", "targetKeyId": ID}, ALIAS_ARN, ARN), {KEY, ALIAS}, id="new alias"),
    pytest.param(event("UpdateAlias", {"aliasName": "alias/orders", "targetKeyId": ID}, ALIAS_ARN, ARN), {KEY, ALIAS}, id="moved alias"),
    pytest.param(event("DeleteAlias", {"aliasName": "alias/orders"}, ALIAS_ARN, ARN), {KEY, ALIAS}, id="deleted alias"),
    pytest.param(
        event("DisableKey", {"keyId": "mrk-1"}, f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/mrk-1"), {KeyName(ACCOUNT, "mrk-1")}, id="replica"
    ),
    pytest.param(event("DisableKey", {}, ARN, OTHER_ARN), {KEY, KeyName(ACCOUNT, OTHER_ID)}, id="two keys"),
    pytest.param(event("DisableKey", {}, ARN.replace(ACCOUNT, "444455556666")), {KeyName("444455556666", ID)}, id="another account's"),
    pytest.param(
        event("RotateKey", {}, userIdentity={"accountId": ACCOUNT, "invokedBy": "AWS Internal"}, requestParameters=None), {KEY}, id="KMS itself"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("told", "names"), NAMED)
def test_a_change_names_its_keys_and_aliases(told: Json, names: set[KeyName]) -> None:
    change = read(told)
    assert change is not None
    assert change.names == names


@pytest.mark.parametrize("operation", sorted(CALLS | BY_ITSELF))
def test_what_can_change_a_key_is_read(operation: str) -> None:
    assert read(event(operation)) == Change(operation, frozenset({KEY}), ROLE, "aws-cli/2.15.0 md/awscrt#0.19")


NO_CHANGE = [
    pytest.param(event("CreateKey"), id="no object has the key yet"),
    pytest.param(event("DescribeKey", readOnly=True), id="a read"),
    pytest.param(event("GenerateDataKey", readOnly=True), id="use"),
    pytest.param(event("DisableKey", errorCode="AccessDenied", errorMessage="no"), id="refused"),
    pytest.param(event("DisableKey", {}, resources=[]), id="names nothing"),
    pytest.param(event("DisableKey", {"keyId": 7}, resources=[{"ARN": None}, "x", None]), id="of other types"),
    pytest.param(event("DisableKey", {"keyId": "../x"}, "arn:aws:s3:::bucket"), id="no key"),
    pytest.param(event() | {"source": "aws.s3"}, id="another source"),
    pytest.param(event() | {"source": ["aws.kms"]}, id="a list for a source"),
    pytest.param(event() | {"detail": []}, id="a list for a record"),
    pytest.param(event() | {"detail": None}, id="no record"),
    pytest.param(event(eventName=["DisableKey"]), id="a list for a name"),
    pytest.param([event()], id="a list"),
    pytest.param("DisableKey", id="a word"),
    pytest.param(None, id="null"),
]


@pytest.mark.parametrize("told", NO_CHANGE)
def test_anything_else_is_no_change(told: object) -> None:
    assert read(told) is None


@pytest.mark.parametrize("body", ["", "{", "<xml/>", "[" * 100_000, "9" * 5000, '{"source": "\ud800"}', "\x00"])
def test_what_is_not_json_is_no_change(body: str) -> None:
    assert read_change(body) is None


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([ID, ARN, ALIAS_ARN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["keyId", "ARN", "arn", "aliasName"]), inner, max_size=3),
    max_leaves=6,
)
_PLACES = ("source", "account", "detail")
_RECORD = ("userIdentity", "eventName", "userAgent", "requestParameters", "resources", "errorCode")


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first example of a recursive strategy is slow on a busy machine
@given(st.dictionaries(st.sampled_from(_PLACES), _ANY, max_size=1), st.dictionaries(st.sampled_from(_RECORD), _ANY, max_size=3))
def test_no_event_is_too_odd_to_be_read(outer: Json, inner: Json) -> None:
    change = read(event(**inner) | outer)
    assert change is None or all(len(name) == 2 for name in change.names)


OWN = frozenset({ROLE})
BY = [
    (SESSION, "infra-operator/0.1.0", True),
    (SESSION, "[infra-operator/0.1.0]", True),  # as CloudTrail writes those of some clients
    (SESSION.replace("alice", "another-session"), "infra-operator/0.2.0", True),
    (SESSION, "aws-cli/2.15.0", False),  # by hand, as our role
    (SESSION.replace("Admin", "Else"), "infra-operator/0.1.0", False),  # who borrows our name
    (SESSION, "my-infra-operator/0.1.0", False),
]


@pytest.mark.parametrize(("arn", "agent", "is_own"), BY)
def test_only_our_name_and_our_principal_together_are_us(arn: str, agent: str, is_own: bool) -> None:
    change = read(event(userIdentity={"arn": arn}, userAgent=agent))
    assert change is not None
    assert change.is_own(OWN) is is_own


def test_a_nameless_principal_is_nobody_of_ours() -> None:
    change = read(event(userIdentity={"accountId": ACCOUNT, "invokedBy": "AWS Internal"}, userAgent="AWS Internal"))
    assert change is not None
    assert not change.is_own(OWN)


def test_users_and_roots_are_who_they_are() -> None:
    for arn in (f"arn:aws:iam::{ACCOUNT}:user/path/alice", f"arn:aws:iam::{ACCOUNT}:root", ""):
        assert principal(arn) == arn


def test_an_arn_of_something_else_names_no_key() -> None:
    assert name_in(ALIAS_ARN) == ALIAS
    assert name_in(f"{ARN}/x") is None
    assert name_in(f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue") is None
