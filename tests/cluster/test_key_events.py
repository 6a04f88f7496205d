"""News of keys, through a real queue: what somebody changes behind an object's back is set right within seconds, and not with the resync."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.emulator import ACCOUNT_ID
from tests.cluster.processes import wait_until
from tests.cluster.proxy import AwsProxy, aws_proxy, operator_behind
from tests.cluster.tenant import SOON_SECONDS, Tenant, is_settled, key
from tests.cluster.test_kmsaliases import alias
from tests.reconcilers.test_cloudtrail import event

REPAIRED_SECONDS = 5.0
KEYS = 5
QUEUE_URL = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT_ID}/kms-events"


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[AwsProxy]:
    with aws_proxy(cluster.aws_endpoint) as between, operator_behind(between, cluster, resync_interval="1h") as operator:
        yield between
        assert operator.process.terminate(30) == 0


@pytest.fixture
def tenant(proxy: AwsProxy, cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    assert proxy
    user = Tenant(cluster, namespace)
    yield user
    user.kubectl("delete", "kmsaliases", "--all", f"--timeout={SOON_SECONDS:.0f}s")
    user.leave()


class EventBridge:
    """Puts events into a queue of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self._sqs = cluster.boto("sqs")
        self._url = self._sqs.create_queue(QueueName="kms-events")["QueueUrl"]

    def put(self, *told: Any) -> None:
        for one in told:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=one if isinstance(one, str) else json.dumps(one))

    def left(self) -> int:
        """How many messages are in the queue, those that were received and not deleted among them."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        return sum(int(told[name]) for name in names)


def test_a_change_behind_the_back_is_set_right_when_its_event_comes(proxy: AwsProxy, cluster: Cluster, tenant: Tenant) -> None:
    bridge = EventBridge(cluster)
    tenant.provide(events={"queueURL": QUEUE_URL})
    name = f"{tenant.namespace}-front"
    tenant.apply(*(key(f"key-{number}", description="as declared") for number in range(KEYS)), alias(name, targetRef={"name": "key-1"}))
    wait_until(lambda: all(map(is_settled, tenant.all())), 30, "all keys ready")
    ids = [tenant.key_id(f"key-{number}") for number in range(KEYS)]
    arns = [tenant.described(one)["Arn"] for one in ids]
    tenant.until(name, is_settled, kind="kmsalias")
    caller = tenant.get("main", "awsprovider")["status"]["callerIdentity"]

    bridge.put("<xml/>", "{}", event("UpdateKeyDescription", {"keyId": "00000000-0000-0000-0000-000000000000"}))
    own = {"userIdentity": {"arn": caller}, "userAgent": "infra-operator/0.1.0"}
    bridge.put(*(event("UpdateKeyDescription", {"keyId": one}, arn, **own) for one, arn in zip(ids, arns, strict=True)))
    wait_until(lambda: bridge.left() == 0, REPAIRED_SECONDS, "an empty queue")
    proxy.calls.clear()

    tenant.kms.update_key_description(KeyId=ids[0], Description="changed")
    told = event("UpdateKeyDescription", {"keyId": ids[0], "description": "changed"}, arns[0])
    bridge.put(told, told)
    wait_until(lambda: tenant.described(ids[0])["Description"] == "as declared", REPAIRED_SECONDS, "a key as declared")
    wait_until(lambda: bridge.left() == 0, REPAIRED_SECONDS, "an empty queue")
    assert proxy.writes.count("UpdateKeyDescription") == 1
    assert 1 <= proxy.calls.count("DescribeKey") <= 2  # one of the five keys; the second event may come after the first look

    tenant.kms.delete_alias(AliasName=f"alias/{name}")
    bridge.put(event("DeleteAlias", {"aliasName": f"alias/{name}"}, arns[1].replace(f"key/{ids[1]}", f"alias/{name}")))
    wait_until(lambda: aliases(tenant, ids[1]) == [f"alias/{name}"], REPAIRED_SECONDS, "the alias")


def aliases(tenant: Tenant, key_id: str) -> list[str]:
    return [one["AliasName"] for one in tenant.kms.list_aliases(KeyId=key_id)["Aliases"]]


def test_a_queue_that_is_not_there_is_told_of_and_keys_are_ready_all_the_same(cluster: Cluster, tenant: Tenant) -> None:
    assert cluster
    tenant.provide(events={"queueURL": QUEUE_URL.replace("kms-events", "none")})
    tenant.declare("key")
    tenant.until_settled("key")
    assert "sqs.us-east-1" in tenant.until_event("main", "EventsUnavailable")["note"]
    tenant.until_ready("AuthenticationSucceeded", "main", kind="awsprovider")
