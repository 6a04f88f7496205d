"""Two replicas: one works, the other waits, and takes over soon after the first one ends, however that happens."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.operator_process import NAMESPACE, Operator
from tests.cluster.probe import status
from tests.cluster.processes import wait_until
from tests.cluster.proxy import AwsProxy, aws_proxy, operator_behind
from tests.cluster.tenant import Tenant

LEASE = "infra-operator.aws-infra-operator.runner.codes"
LEASE_SECONDS = 15.0  # as shipped
RENEW_SECONDS = 10.0  # as shipped
# What a machine busy with two operators and an API server needs for a look at the lease and a new key.
MARGIN_SECONDS = 5.0
HANDOVER_SECONDS = 3.0


@dataclass
class Replica:
    """An operator and all that it says to AWS."""

    name: str
    operator: Operator
    proxy: AwsProxy

    def signal(self, which: signal.Signals) -> None:
        os.kill(self.operator.process.pid, which)


@contextlib.contextmanager
def replica(cluster: Cluster, name: str) -> Iterator[Replica]:
    with aws_proxy(cluster.aws_endpoint) as proxy, operator_behind(proxy, cluster, name) as operator:
        yield Replica(name, operator, proxy)


def holder(cluster: Cluster) -> str:
    """The pod that the lease names; empty while it names nobody."""
    leases = json.loads(cluster.kubectl("get", "lease", "-n", NAMESPACE, "-o", "json"))["items"]
    identities = [lease["spec"].get("holderIdentity") or "" for lease in leases if lease["metadata"]["name"] == LEASE]
    return "".join(identities).rpartition("_")[0]


@pytest.fixture
def pair(cluster: Cluster) -> Iterator[tuple[Replica, Replica]]:
    """The leader and a standby."""
    with replica(cluster, "first") as first:
        wait_until(lambda: holder(cluster) == "first", LEASE_SECONDS + MARGIN_SECONDS, "the first one leads")
        with replica(cluster, "second") as second:
            yield first, second
            for one in (first, second):
                one.operator.process.terminate(30)


@pytest.fixture
def tenant(pair: tuple[Replica, Replica], cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    assert pair
    user = Tenant(cluster, namespace)
    user.provide()
    yield user
    user.leave()


def test_a_standby_is_ready_and_writes_nothing(pair: tuple[Replica, Replica], tenant: Tenant) -> None:
    leader, standby = pair
    tenant.declare("k", enableKeyRotation=True)
    tenant.until_settled("k")
    assert leader.proxy.writes == ["CreateKey", "EnableKeyRotation"]
    assert standby.proxy.calls == []
    assert [status(f"{standby.operator.health_url}/{probe}") for probe in ("healthz", "readyz")] == [200, 200]


@pytest.mark.holds("F45")
def test_after_sigterm_the_other_one_works_within_three_seconds(pair: tuple[Replica, Replica], tenant: Tenant) -> None:
    leader, standby = pair
    tenant.until_ready("AuthenticationSucceeded", "main", kind="awsprovider")
    leader.signal(signal.SIGTERM)
    asked = time.monotonic()
    tenant.declare("k")
    tenant.until_settled("k", HANDOVER_SECONDS)
    assert time.monotonic() - asked < HANDOVER_SECONDS
    assert leader.operator.process.wait(HANDOVER_SECONDS) == 0
    assert (leader.proxy.writes, standby.proxy.writes) == ([], ["CreateKey"])


def test_after_kill_9_the_other_one_works_soon_after_the_lease_has_ended(pair: tuple[Replica, Replica], tenant: Tenant) -> None:
    leader, standby = pair
    leader.signal(signal.SIGKILL)
    tenant.declare("k")
    tenant.until_settled("k", LEASE_SECONDS + MARGIN_SECONDS)
    assert (leader.proxy.writes, standby.proxy.writes) == ([], ["CreateKey"])


@pytest.mark.holds("F43")
def test_a_leader_that_wakes_from_a_long_pause_ends_without_a_write(pair: tuple[Replica, Replica], tenant: Tenant) -> None:
    leader, standby = pair
    leader.signal(signal.SIGSTOP)
    tenant.declare("k")
    tenant.until_settled("k", LEASE_SECONDS + MARGIN_SECONDS)
    leader.signal(signal.SIGCONT)
    assert leader.operator.process.wait(MARGIN_SECONDS) == 1
    assert (leader.proxy.writes, standby.proxy.writes) == ([], ["CreateKey"])


@pytest.mark.holds("F42")
def test_a_leader_whose_lease_was_given_to_another_ends_at_once(pair: tuple[Replica, Replica], cluster: Cluster) -> None:
    leader, standby = pair
    give_lease_to(cluster, "somebody")
    assert leader.operator.process.wait(RENEW_SECONDS) == 1
    assert "lease_lost" in leader.operator.process.tail()
    assert status(f"{standby.operator.health_url}/readyz") == 200
    give_lease_to(cluster, "")  # else the next one to lead would wait until it is sure that somebody is gone


def give_lease_to(cluster: Cluster, name: str) -> None:
    patch = json.dumps({"spec": {"holderIdentity": name}})
    cluster.kubectl("patch", "lease", LEASE, "-n", NAMESPACE, "--type=merge", "-p", patch)


@pytest.mark.holds("F42")
def test_a_lease_that_was_deleted_ends_up_with_one_of_the_two(pair: tuple[Replica, Replica], cluster: Cluster, tenant: Tenant) -> None:
    leader, standby = pair
    cluster.kubectl("delete", "lease", LEASE, "-n", NAMESPACE)
    wait_until(lambda: holder(cluster) != "", LEASE_SECONDS + MARGIN_SECONDS, "somebody leads")
    tenant.declare("k")
    tenant.until_settled("k", LEASE_SECONDS + MARGIN_SECONDS)
    assert sorted([*leader.proxy.writes, *standby.proxy.writes]) == ["CreateKey"]
