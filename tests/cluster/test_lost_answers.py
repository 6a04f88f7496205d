"""AWS's answers that do not arrive, and its refusals: never a second key, and a condition that says what to do."""

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.processes import wait_until
from tests.cluster.proxy import REQUEST_ID, AwsProxy, Fault, Kind, aws_proxy, operator_behind
from tests.cluster.tenant import SOON_SECONDS, Object, Tenant, condition

GRACE = "3s"
# A call is given up after 10 s.
TIMEOUT_SECONDS = 10.0
# A quota that was halved by ThrottlingException, and the queue's backoff after a few failures.
PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def running(cluster: Cluster) -> Iterator[AwsProxy]:
    with (
        aws_proxy(cluster.aws_endpoint) as between,
        operator_behind(between, cluster, create_grace=GRACE, resync_interval="1s", quota_fraction="1.0") as operator,
    ):
        yield between
        between.let_go.set()
        assert operator.process.terminate(30) == 0


@pytest.fixture
def proxy(running: AwsProxy) -> Iterator[AwsProxy]:
    running.calls.clear()
    running.held.clear()
    yield running
    running.faults.clear()


@pytest.fixture
def tenant(proxy: AwsProxy, cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    """A user with a provider, whose keys are deleted at the end by the operator that made them."""
    user = Tenant(cluster, namespace)
    user.provide()
    user.until_ready("AuthenticationSucceeded", "main", kind="awsprovider")
    yield user
    proxy.faults.clear()
    user.leave()


@pytest.mark.holds("F29", "F28")
@pytest.mark.parametrize("kind", [Kind.CUT_AFTER, Kind.FAIL_AFTER])
def test_a_key_whose_answer_is_lost_is_found_and_not_made_again(kind: Kind, proxy: AwsProxy, tenant: Tenant) -> None:
    proxy.faults.append(Fault("CreateKey", kind))
    tenant.declare("k", enableKeyRotation=True)
    status = tenant.until_settled("k")
    assert tenant.owned() == [status["keyId"]]
    assert proxy.writes == ["CreateKey", "EnableKeyRotation"]
    assert tenant.rotates(status["keyId"])
    assert tenant.until_event("k", "KeyFound")


@pytest.mark.holds("F29")
def test_a_key_whose_answer_never_comes_is_found_and_not_made_again(proxy: AwsProxy, tenant: Tenant) -> None:
    proxy.faults.append(Fault("CreateKey", Kind.HOLD_AFTER))
    tenant.declare("k")
    status = tenant.until_settled("k", TIMEOUT_SECONDS + SOON_SECONDS)
    assert tenant.owned() == [status["keyId"]]
    assert proxy.writes == ["CreateKey"]


def test_a_lost_key_is_found_where_the_tag_index_may_not_be_asked(proxy: AwsProxy, tenant: Tenant) -> None:
    proxy.faults += [Fault("CreateKey", Kind.CUT_AFTER), Fault("GetResources", Kind.REFUSE, "AccessDeniedException", "no", times=-1)]
    tenant.declare("k")
    status = tenant.until_settled("k")
    assert tenant.owned() == [status["keyId"]]
    assert proxy.writes == ["CreateKey"]


def test_a_createkey_that_never_reached_aws_is_sent_again_after_the_grace_period(proxy: AwsProxy, tenant: Tenant) -> None:
    proxy.faults.append(Fault("CreateKey", Kind.CUT_BEFORE))
    tenant.declare("k")
    seen = tenant.until_ready("CreationUnknown", "k")
    assert seen["status"] == "False"
    status = tenant.until_settled("k")
    assert tenant.owned() == [status["keyId"]]
    assert proxy.writes == ["CreateKey", "CreateKey"]


def test_a_createkey_that_was_refused_for_its_credentials_is_sent_again_without_a_grace_period(proxy: AwsProxy, tenant: Tenant) -> None:
    """A refusal is a known result: nothing was made, so there is no grace period to wait for."""
    proxy.faults.append(Fault("CreateKey", Kind.REFUSE, "UnrecognizedClientException", "The security token is invalid"))
    tenant.declare("k")
    tenant.until_settled("k")
    assert proxy.writes == ["CreateKey", "CreateKey"]
    assert proxy.calls.count("ListKeys") <= 1  # once in a process, for the keys of earlier objects


@pytest.mark.holds("F51")
def test_an_object_that_is_deleted_while_its_key_is_unknown_takes_the_key_along(proxy: AwsProxy, tenant: Tenant) -> None:
    proxy.faults += [Fault("CreateKey", Kind.CUT_AFTER), Fault("GetResources", Kind.CUT_BEFORE, times=3)]
    tenant.declare("k")
    tenant.until("k", lambda obj: "creationAttempt" in obj.get("status", {}))
    tenant.delete("k")
    (key_id,) = tenant.owned()
    assert tenant.described(key_id)["KeyState"] == "PendingDeletion"


@pytest.mark.holds("F29")
@pytest.mark.parametrize("kind", [Kind.CUT_BEFORE, Kind.CUT_AFTER, Kind.FAIL_AFTER])
def test_a_repeatable_write_whose_answer_is_lost_is_made_good(kind: Kind, proxy: AwsProxy, tenant: Tenant) -> None:
    tenant.declare("k")
    key_id = tenant.until_settled("k")["keyId"]
    proxy.faults += [Fault(operation, kind) for operation in ("UpdateKeyDescription", "EnableKeyRotation")]
    tenant.change("k", {"description": "new", "tags": {"a": "1"}, "enableKeyRotation": True})
    tenant.until_settled("k", PATIENCE_SECONDS)
    assert tenant.described(key_id)["Description"] == "new"
    assert (tenant.tags(key_id), tenant.rotates(key_id)) == ({"a": "1"}, True)


POLICY = """{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}]}"""
# AWS's code and words, the reason that the user reads, and the advice.
REFUSALS = [
    ("AccessDeniedException", "no identity-based policy allows it", "AccessDenied", "Allow kms:CreateKey to the provider's identity"),
    ("LimitExceededException", "the quota is reached", "LimitExceeded", "Ask AWS for a higher quota"),
    ("UnsupportedOperationException", "not in this region", "UnsupportedKeySpec", "Choose a keySpec and keyUsage"),
    ("MalformedPolicyDocumentException", "the policy would lock you out", "PolicyRejected", "Correct spec.keyPolicy"),
    ("MalformedPolicyDocumentException", "invalid principals", "PolicyPrincipalNotFound", "a misspelt one never is"),
    ("TagException", "a tag is not right", "RejectedByAWS", "Correct the spec"),
]


@pytest.mark.parametrize(("code", "words", "reason", "advice"), REFUSALS, ids=[reason for _, _, reason, _ in REFUSALS])
def test_a_refusal_says_what_happened_and_what_to_do(
    code: str, words: str, reason: str, advice: str, proxy: AwsProxy, tenant: Tenant
) -> None:
    proxy.faults.append(Fault("CreateKey", Kind.REFUSE, code, words))
    tenant.declare("k")
    ready = tenant.until_ready(reason, "k")
    assert ready["message"].startswith(f"CreateKey failed with {code}: {words}. ")
    assert advice in ready["message"]
    obj = tenant.get("k")
    assert condition(obj, "Stalled")["reason"] == reason
    assert without_time(obj["status"]["lastError"]) == {"code": code, "operation": "CreateKey", "requestId": REQUEST_ID}
    assert "creationAttempt" not in obj["status"]
    assert tenant.until_event("k", reason)["type"] == "Warning"
    tenant.change("k", {"description": "mended"})
    status = tenant.until_settled("k")
    assert "lastError" not in status
    assert tenant.owned() == [status["keyId"]]


def without_time(last_error: Object) -> Object:
    return {name: value for name, value in last_error.items() if name != "time"}


def test_a_refused_change_leaves_the_rest_of_the_key_alone(proxy: AwsProxy, tenant: Tenant) -> None:
    tenant.declare("k", description="old")
    key_id = tenant.until_settled("k")["keyId"]
    proxy.faults.append(Fault("EnableKeyRotation", Kind.REFUSE, "AccessDeniedException", "not allowed"))
    tenant.change("k", {"enableKeyRotation": True})
    assert "kms:EnableKeyRotation" in tenant.until_ready("AccessDenied", "k")["message"]
    assert tenant.described(key_id)["KeyState"] == "Enabled"
    tenant.change("k", {"description": "new"})
    tenant.until_settled("k")
    assert tenant.rotates(key_id)


@pytest.mark.parametrize("operation", ["CreateKey", "DescribeKey"])
def test_throttling_delays_and_is_not_the_users_problem(operation: str, proxy: AwsProxy, tenant: Tenant) -> None:
    proxy.faults.append(Fault(operation, Kind.REFUSE, "ThrottlingException", "Rate exceeded", times=2))
    tenant.declare("k")
    status = tenant.until_settled("k", PATIENCE_SECONDS)
    wait_until(lambda: proxy.calls.count(operation) > 2, SOON_SECONDS, f"{operation} after two refusals")
    assert tenant.owned() == [status["keyId"]]
    assert "Stalled" not in [one["type"] for one in tenant.get("k")["status"]["conditions"]]


def test_a_ready_key_stays_ready_while_aws_does_not_answer(proxy: AwsProxy, tenant: Tenant) -> None:
    tenant.declare("k")
    tenant.until_settled("k")
    before = condition(tenant.get("k"), "Ready")
    proxy.faults.append(Fault("DescribeKey", Kind.CUT_BEFORE, times=2))
    obj = tenant.until("k", lambda obj: condition(obj, "Synced").get("reason") == "AWSUnavailable")
    assert condition(obj, "Ready") == before
    tenant.until_settled("k", PATIENCE_SECONDS)


@pytest.mark.holds("F62")
@pytest.mark.parametrize("operation", ["DescribeKey", "ListResourceTags", "GetKeyPolicy", "GetKeyRotationStatus"])
def test_what_may_not_be_read_is_named_and_nothing_is_written(operation: str, proxy: AwsProxy, tenant: Tenant) -> None:
    tenant.declare("k", keyPolicy=POLICY, enableKeyRotation=True)
    tenant.until_settled("k")
    proxy.calls.clear()
    proxy.faults.append(Fault(operation, Kind.REFUSE, "AccessDeniedException", "not allowed", times=-1))
    assert f"Allow kms:{operation} to the provider's identity" in tenant.until_ready("AccessDenied", "k")["message"]
    proxy.faults.clear()
    tenant.kubectl("annotate", "kmskey", "k", "look=again")  # else it takes a minute
    tenant.until_settled("k")
    assert proxy.writes == []
