"""A key's life as AWS itself tells it, and in how few calls; each field by itself is taken through its life in test_each_field.py."""

import json
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kubectl import KubectlError
from tests.cluster.processes import wait_until
from tests.cluster.proxy import AwsProxy, aws_proxy, operator_behind
from tests.cluster.tenant import OWNER_TAGS, SOON_SECONDS, Tenant, condition, key

ROOT = {"Sid": "Admin", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}
READER = {
    "Sid": "Readers",
    "Effect": "Allow",
    "Principal": {"AWS": ["arn:aws:iam::123456789012:role/b", "arn:aws:iam::123456789012:role/a"]},
    "Action": ["kms:DescribeKey", "kms:Decrypt"],
    "Resource": "*",
}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [ROOT, READER]})
# The same again: other order, other case, one value instead of a list of one, the account's id instead of its root.
SAME_POLICY = json.dumps(
    {
        "Statement": [
            READER
            | {
                "Principal": {"AWS": ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"]},
                "Action": ["kms:decrypt", "kms:describekey"],
            },
            ROOT | {"Principal": {"AWS": ["123456789012"]}, "Action": ["kms:*"]},
        ],
        "Version": "2012-10-17",
    }
)


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[AwsProxy]:
    """An operator that compares each second, as a process of its own; what it says to AWS passes this proxy."""
    with (
        aws_proxy(cluster.aws_endpoint) as between,
        operator_behind(between, cluster, resync_interval="1s", quota_fraction="1.0") as operator,
    ):
        yield between
        assert operator.process.terminate(30) == 0


@pytest.fixture
def tenant(proxy: AwsProxy, cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    """A user whose namespace has one provider."""
    proxy.calls.clear()
    user = Tenant(cluster, namespace)
    user.provide(defaultTags={"team": "platform", "stage": "test"})
    yield user
    user.leave()


def made(tenant: Tenant, **spec: object) -> str:
    """The id of the key of a new object `k` that has reached its spec."""
    tenant.declare("k", **spec)
    return str(tenant.until_settled("k")["keyId"])


def until_seen_again(proxy: AwsProxy) -> None:
    """Waits until the operator has compared with AWS once more, and begun to do it again.

    Before that, what somebody sets back to its former value would be taken for a late read of that value.
    """
    before = proxy.calls.count("DescribeKey")
    wait_until(lambda: proxy.calls.count("DescribeKey") >= before + 2, SOON_SECONDS, "a further look at AWS")


def test_an_object_becomes_a_key_that_says_whose_it_is(tenant: Tenant) -> None:
    key_id = made(tenant, description="first")
    obj, seen = tenant.get("k"), tenant.described(key_id)
    owner = {tag["TagKey"]: tag["TagValue"] for tag in tenant.kms.list_resource_tags(KeyId=key_id)["Tags"] if tag["TagKey"] in OWNER_TAGS}
    assert (seen["KeyState"], seen["Description"], seen["KeySpec"]) == ("Enabled", "first", "SYMMETRIC_DEFAULT")
    assert list(owner.values())[1:] == [f"{tenant.namespace}/k", obj["metadata"]["uid"]]
    assert tenant.owned() == [key_id]


def test_the_status_says_what_aws_says(tenant: Tenant) -> None:
    key_id = made(tenant)
    status, seen = tenant.get("k")["status"], tenant.described(key_id)
    assert status["keyArn"] == seen["Arn"]
    assert (status["accountId"], status["region"]) == ("123456789012", "us-east-1")
    assert (status["keyState"], status["ready"], status["rotationEnabled"]) == ("Enabled", True, False)
    assert (status["keySpec"], status["keyUsage"], status["origin"]) == ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
    assert status["keyManager"] == "CUSTOMER"
    assert status["effectiveDeletionPolicy"] == "ScheduleKeyDeletion"
    assert "creationAttempt" not in status
    assert datetime.fromisoformat(status["creationDate"]) == seen["CreationDate"]


def test_a_new_key_with_everything_takes_two_calls(tenant: Tenant, proxy: AwsProxy) -> None:
    made(tenant, description="all", enableKeyRotation=True, keyPolicy=POLICY, tags={"a": "1", "b": "2"})
    until_seen_again(proxy)
    assert proxy.writes == ["CreateKey", "EnableKeyRotation"]


def test_spec_and_usage_are_what_was_asked_for(tenant: Tenant) -> None:
    pairs = (
        ("RSA_2048", "SIGN_VERIFY"),
        ("RSA_3072", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_P384", "KEY_AGREEMENT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    )
    names = {f"k{number}": pair for number, pair in enumerate(pairs)}
    tenant.apply(*(key(name, keySpec=spec, keyUsage=usage) for name, (spec, usage) in names.items()))
    seen = {name: tenant.described(tenant.until_settled(name)["keyId"]) for name in names}
    assert {name: (one["KeySpec"], one["KeyUsage"]) for name, one in seen.items()} == names


def test_a_multi_region_key_is_a_primary(tenant: Tenant) -> None:
    seen = tenant.described(made(tenant, multiRegion=True))
    assert (seen["MultiRegion"], seen["KeyId"][:4]) == (True, "mrk-")


def test_a_rotation_period_that_aws_does_not_tell_is_written_once(tenant: Tenant, proxy: AwsProxy) -> None:
    """moto never tells the period; AWS's own answer is the simulation's."""
    made(tenant, enableKeyRotation=True, rotationPeriodInDays=180)
    until_seen_again(proxy)
    assert proxy.writes == ["CreateKey", "EnableKeyRotation"]


def test_a_key_is_disabled_stays_so_and_is_enabled_again(tenant: Tenant, proxy: AwsProxy) -> None:
    key_id = made(tenant)
    tenant.change("k", {"enabled": False})
    status = tenant.until_settled("k")
    assert tenant.described(key_id)["KeyState"] == "Disabled"
    assert (status["ready"], status["keyState"]) == (False, "Disabled")
    assert tenant.until_ready("DisabledAsRequested", "k")["status"] == "True"
    until_seen_again(proxy)
    tenant.kms.enable_key(KeyId=key_id)
    wait_until(lambda: tenant.described(key_id)["KeyState"] == "Disabled", SOON_SECONDS, "the repair")
    until_seen_again(proxy)
    assert tenant.described(key_id)["KeyState"] == "Disabled"
    tenant.change("k", {"enabled": None})
    assert tenant.until_settled("k")["ready"] is True
    assert tenant.described(key_id)["KeyState"] == "Enabled"


def test_a_key_can_be_made_disabled_and_rotating(tenant: Tenant) -> None:
    key_id = made(tenant, enabled=False, enableKeyRotation=True)
    assert tenant.described(key_id)["KeyState"] == "Disabled"
    assert tenant.rotates(key_id)


def test_a_key_that_was_disabled_by_hand_is_enabled(tenant: Tenant) -> None:
    key_id = made(tenant)
    tenant.kms.disable_key(KeyId=key_id)
    wait_until(lambda: tenant.described(key_id)["KeyState"] == "Enabled", SOON_SECONDS, "the repair")
    event = tenant.until_event("k", "DriftCorrected")
    assert event["type"] == "Warning"
    assert event["note"] == f"{key_id} was changed outside the operator; corrected: enable the key."


def test_a_key_that_was_scheduled_for_deletion_by_hand_is_taken_back(tenant: Tenant, proxy: AwsProxy) -> None:
    key_id = made(tenant)
    tenant.kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    wait_until(lambda: tenant.described(key_id)["KeyState"] == "Enabled", SOON_SECONDS, "the repair")
    tenant.until_settled("k")
    assert proxy.writes == ["CreateKey", "CancelKeyDeletion", "EnableKey"]


def test_drift_is_told_and_left_where_that_is_asked_for(tenant: Tenant, proxy: AwsProxy) -> None:
    key_id = made(tenant, description="ours", tags={"a": "1", "b": "2"}, driftPolicy="Report", ignoreDrift=["tags.b"])
    until_seen_again(proxy)
    proxy.calls.clear()
    tenant.kms.update_key_description(KeyId=key_id, Description="theirs")
    tenant.kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "a", "TagValue": "9"}, {"TagKey": "b", "TagValue": "9"}])
    wait_until(lambda: len(tenant.get("k")["status"].get("drift", ())) == 2, SOON_SECONDS, "the report")
    found = tenant.get("k")
    assert [(one["field"], one["actual"]) for one in found["status"]["drift"]] == [("description", "theirs"), ("tags.a", "9")]
    assert condition(found, "Synced")["reason"] == "DriftDetected"
    assert condition(found, "Ready")["status"] == "True"
    until_seen_again(proxy)
    assert proxy.writes == []
    tenant.change("k", {"driftPolicy": None})
    assert "drift" not in tenant.until_settled("k")
    assert tenant.described(key_id)["Description"] == "ours"
    assert tenant.tags(key_id)["b"] == "9"


def test_a_policy_that_means_the_same_is_not_written(tenant: Tenant, proxy: AwsProxy) -> None:
    key_id = made(tenant, keyPolicy=POLICY)
    tenant.change("k", {"keyPolicy": SAME_POLICY})
    tenant.until_settled("k")
    tenant.kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=json.dumps(json.loads(SAME_POLICY), indent=4))
    until_seen_again(proxy)
    assert proxy.writes == ["CreateKey"]


def test_a_policy_that_is_no_longer_declared_stays(tenant: Tenant, proxy: AwsProxy) -> None:
    key_id = made(tenant, keyPolicy=POLICY)
    tenant.change("k", {"keyPolicy": None})
    tenant.until_settled("k")
    tenant.kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=json.dumps({"Statement": [ROOT]}))
    until_seen_again(proxy)
    assert tenant.policy(key_id) == {"Statement": [ROOT]}


def test_the_account_is_put_into_a_policy(tenant: Tenant) -> None:
    key_id = made(tenant, keyPolicy=POLICY.replace("123456789012", "${AWS_ACCOUNT_ID}"))
    assert tenant.policy(key_id) == json.loads(POLICY)


def test_tags_are_added_changed_and_removed_and_those_of_others_stay(tenant: Tenant) -> None:
    key_id = made(tenant, tags={"purpose": "one", "stage": "production"})
    assert tenant.tags(key_id) == {"team": "platform", "stage": "production", "purpose": "one"}
    tenant.kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "theirs", "TagValue": "x"}])
    tenant.change("k", {"tags": {"purpose": None, "stage": None, "extra": "new"}})
    tenant.until_settled("k")
    assert tenant.tags(key_id) == {"team": "platform", "stage": "test", "extra": "new", "theirs": "x"}
    tenant.change("k", {"tags": None})
    tenant.until_settled("k")
    assert tenant.tags(key_id) == {"team": "platform", "stage": "test", "theirs": "x"}


def test_a_change_of_the_providers_tags_reaches_its_keys(tenant: Tenant) -> None:
    key_id = made(tenant, tags={"purpose": "one"})
    tenant.provide(defaultTags={"team": "security"})
    wait_until(lambda: tenant.tags(key_id) == {"team": "security", "purpose": "one"}, SOON_SECONDS, "the new default tags")


def test_what_cannot_change_is_refused_and_the_key_left_alone(tenant: Tenant) -> None:
    key_id = made(tenant)
    with pytest.raises(KubectlError, match="keySpec cannot change once the key exists"):
        tenant.change("k", {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"})
    assert tenant.owned() == [key_id]


def test_a_repair_flips_synced_and_leaves_ready(tenant: Tenant) -> None:
    key_id = made(tenant)
    before = condition(tenant.get("k"), "Ready")
    tenant.kms.update_key_description(KeyId=key_id, Description="by hand")
    wait_until(lambda: tenant.described(key_id)["Description"] == "", SOON_SECONDS, "the repair")
    tenant.until_settled("k")
    assert condition(tenant.get("k"), "Ready") == before


def test_each_change_is_told_by_an_event(tenant: Tenant) -> None:
    key_id = made(tenant, enableKeyRotation=True)
    tenant.change("k", {"description": "new"})
    told = {reason: tenant.until_event("k", reason)["note"] for reason in ("KeyCreated", "DescriptionUpdated")}
    assert told == {
        "KeyCreated": f"{key_id}: create a SYMMETRIC_DEFAULT key for ENCRYPT_DECRYPT, enable automatic rotation. "
        "The key is as declared and can be used.",
        "DescriptionUpdated": f"{key_id}: update the description.",
    }
