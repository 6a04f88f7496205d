"""What becomes of a key whose object is deleted: by policy, with and without a provider."""

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.proxy import AwsProxy, aws_proxy, operator_behind
from tests.cluster.tenant import SOON_SECONDS, Object, Tenant


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[AwsProxy]:
    with aws_proxy(cluster.aws_endpoint) as between, operator_behind(between, cluster, quota_fraction="1.0") as operator:
        yield between
        assert operator.process.terminate(30) == 0


@pytest.fixture
def tenant(proxy: AwsProxy, cluster: Cluster, namespace: str) -> Tenant:
    """A user whose namespace has one provider."""
    assert proxy
    user = Tenant(cluster, namespace)
    user.provide()
    return user


def made(tenant: Tenant, **spec: object) -> str:
    """The id of the key of a new object `k` that has reached its spec."""
    tenant.declare("k", **spec)
    return str(tenant.until_settled("k")["keyId"])


@pytest.mark.parametrize(
    ("spec", "state", "days"),
    [
        ({}, "PendingDeletion", 30),
        ({"deletionPolicy": "ScheduleKeyDeletion", "pendingWindowInDays": 14}, "PendingDeletion", 14),
        ({"deletionPolicy": "Delete", "pendingWindowInDays": 7}, "PendingDeletion", 7),
        ({"deletionPolicy": "ForceDelete", "pendingWindowInDays": 30}, "PendingDeletion", 7),
        ({"deletionPolicy": "DisableKey"}, "Disabled", None),
        ({"deletionPolicy": "Retain"}, "Enabled", None),
    ],
    ids=["unset", "ScheduleKeyDeletion", "Delete", "ForceDelete", "DisableKey", "Retain"],
)
def test_a_deleted_object_goes_and_its_key_goes_its_way(tenant: Tenant, spec: Object, state: str, days: int | None) -> None:
    key_id = made(tenant, **spec)
    tenant.delete("k")
    seen = tenant.described(key_id)
    assert seen["KeyState"] == state
    if days is not None:
        left = seen["DeletionDate"] - seen["CreationDate"]
        assert round(left.total_seconds() / 86400) == days


def test_what_was_done_to_a_deleted_objects_key_is_told_by_an_event(tenant: Tenant) -> None:
    key_id = made(tenant)
    tenant.delete("k")
    assert tenant.until_event("k", "DeletionScheduled")["note"] == f"{key_id}: schedule the key's deletion in 30 days."


def test_a_key_that_is_disabled_already_lets_its_object_go_on_the_word_of_kms(tenant: Tenant, proxy: AwsProxy) -> None:
    key_id = made(tenant, enabled=False, deletionPolicy="DisableKey")
    proxy.calls.clear()
    tenant.delete("k")
    assert proxy.writes == ["DisableKey"]
    assert tenant.described(key_id)["KeyState"] == "Disabled"


@pytest.mark.holds("F40")
def test_a_retained_key_lets_its_object_go_without_a_provider(proxy: AwsProxy, tenant: Tenant) -> None:
    key_id = made(tenant, deletionPolicy="Retain")
    remove_provider(tenant)
    proxy.calls.clear()
    tenant.delete("k")
    assert proxy.calls == []
    assert tenant.described(key_id)["KeyState"] == "Enabled"


@pytest.mark.holds("F40")
def test_a_deletion_that_needs_its_provider_waits_for_it_and_says_so(tenant: Tenant) -> None:
    key_id = made(tenant)
    remove_provider(tenant)
    tenant.kubectl("delete", "kmskey", "k", "--wait=false")
    message = tenant.until_ready("DeletionBlocked", "k")["message"]
    assert "There is no AWSProvider" in message
    assert message.endswith("Or set spec.deletionPolicy: Retain to let go of the key as it is.")
    assert tenant.until_event("k", "DeletionBlocked")["type"] == "Warning"
    tenant.provide()
    tenant.kubectl("wait", "--for=delete", "kmskey/k", f"--timeout={SOON_SECONDS:.0f}s")
    assert tenant.described(key_id)["KeyState"] == "PendingDeletion"


def test_a_blocked_deletion_ends_when_the_key_is_let_go(tenant: Tenant) -> None:
    key_id = made(tenant)
    remove_provider(tenant)
    tenant.kubectl("delete", "kmskey", "k", "--wait=false")
    tenant.until_ready("DeletionBlocked", "k")
    tenant.change("k", {"deletionPolicy": "Retain"})
    tenant.kubectl("wait", "--for=delete", "kmskey/k", f"--timeout={SOON_SECONDS:.0f}s")
    assert tenant.described(key_id)["KeyState"] == "Enabled"


def remove_provider(tenant: Tenant) -> None:
    """As somebody who knows no mercy: without its finalizer, where it has one, it goes in spite of its keys."""
    tenant.kubectl("patch", "awsprovider", "main", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    tenant.kubectl("delete", "awsprovider", "main")
