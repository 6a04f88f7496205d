"""A kind, and a namespace, that is removed with all that is in it, on a real kube-apiserver: each key goes its own way, and no other one."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kubectl import KubectlError
from tests.cluster.operator_process import Operator
from tests.cluster.probe import status
from tests.cluster.tenant import Tenant

CRD = "kmskeys.aws-infra-operator.runner.codes"
# What a watch that has to begin anew may wait for: the pauses after failures, which double up to 30 s.
PATIENCE = 45.0
STATES = {"Retain": "Enabled", "ScheduleKeyDeletion": "PendingDeletion", "DisableKey": "Disabled"}
POLICIES = {f"{policy.lower()}-{number}": policy for policy in STATES for number in range(2)}


@pytest.fixture
def keys(tenant: Tenant) -> dict[str, str]:
    """The ids of some keys of each deletion policy, by their objects' names."""
    for name, policy in POLICIES.items():
        tenant.declare(name, deletionPolicy=policy)
    return {name: tenant.until_settled(name)["keyId"] for name in POLICIES}


def states(tenant: Tenant, keys: dict[str, str]) -> dict[str, str]:
    return {name: tenant.described(key_id)["KeyState"] for name, key_id in keys.items()}


EXPECTED = {name: STATES[policy] for name, policy in POLICIES.items()}


@contextlib.contextmanager
def without_the_kind(cluster: Cluster) -> Iterator[None]:
    """Deletes the CRD and waits until all of its objects are gone with it; afterwards it is back."""
    try:
        cluster.kubectl("delete", "crd", CRD, f"--timeout={PATIENCE:.0f}s")
        yield
    finally:
        cluster.install()


@pytest.mark.holds("F56", "F57")
def test_with_a_kind_each_key_goes_as_its_policy_says_and_the_operator_goes_on_when_it_is_back(
    cluster: Cluster, tenant: Tenant, operator: Operator, keys: dict[str, str]
) -> None:
    with without_the_kind(cluster):
        assert states(tenant, keys) == EXPECTED
        assert status(f"{operator.health_url}/healthz") == 200
    for name, policy in POLICIES.items():
        tenant.declare(name, deletionPolicy=policy)
    assert {name: tenant.until_settled(name, PATIENCE)["keyId"] for name in POLICIES} == keys
    assert sorted(tenant.owned()) == sorted(keys.values())


@pytest.mark.holds("F55")
def test_with_a_namespace_each_key_goes_as_its_policy_says_though_events_are_refused(
    cluster: Cluster, tenant: Tenant, operator: Operator, keys: dict[str, str]
) -> None:
    """Nobody here does the namespace controller's part, so that the objects are deleted by hand, the provider with them."""
    cluster.kubectl("delete", "namespace", tenant.namespace, "--wait=false")
    with pytest.raises(KubectlError, match="being terminated"):
        tenant.declare("late")
    tenant.kubectl("delete", "kmskeys,awsproviders", "--all", f"--timeout={PATIENCE:.0f}s")
    assert states(tenant, keys) == EXPECTED
    ended = cluster.api.get(f"/api/v1/namespaces/{tenant.namespace}")["metadata"]["deletionTimestamp"]
    assert all(event["metadata"]["creationTimestamp"] <= ended for event in tenant.all("events"))
    assert status(f"{operator.health_url}/healthz") == 200
