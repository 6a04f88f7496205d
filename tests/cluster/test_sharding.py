"""Three operators of one ring on a real API server; the tests play its sharder, which labels objects, drains them, and gives them to others."""

import contextlib
import itertools
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controller.leases import DRAIN_LABELS, RING_LABEL, SHARD_LABELS
from tests.bench.meters import scrape, total
from tests.cluster.cluster import Cluster
from tests.cluster.emulator import REPOSITORY
from tests.cluster.operator_process import NAMESPACE, Operator
from tests.cluster.processes import wait_until
from tests.cluster.proxy import AwsProxy, aws_proxy, operator_behind
from tests.cluster.tenant import Tenant

RIGHTS = REPOSITORY / "manifests" / "components" / "controller-ring" / "rbac.yaml"
RING = "infra-operator"
SHARD, DRAIN = f"{SHARD_LABELS}{RING}", f"{DRAIN_LABELS}{RING}"
NAMES = ("first", "second", "third")
_numbers = itertools.count(1)
SOON_SECONDS = 20.0
# A shard's lease as shipped, and what a busy machine needs to look at it.
LEASE_SECONDS = 15.0 + 5.0
STOP_SECONDS = 30.0


@dataclass
class Shard:
    """An operator of the ring, and all that it says to AWS. name: that of its Lease."""

    name: str
    operator: Operator
    proxy: AwsProxy
    log: Path

    def living(self) -> float:
        """How many shards it divides the quotas with, itself included."""
        return total(scrape(self.operator.metrics_url), "controller_ring_shards")

    def passes(self, name: str) -> int:
        """How often it has done something to this object."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return sum(line["event"] == "action" and line.get("name") == name for line in lines)


@pytest.fixture(scope="module", autouse=True)
def rights(cluster: Cluster) -> Iterator[None]:
    """What a shard may do beside what the base lets it do."""
    cluster.kubectl("apply", "-f", str(RIGHTS))
    yield
    cluster.kubectl("delete", "-f", str(RIGHTS))


@pytest.fixture
def shards(cluster: Cluster) -> Iterator[list[Shard]]:
    with contextlib.ExitStack() as stack:
        number = next(_numbers)
        yield [stack.enter_context(shard(cluster, f"{name}{number}")) for name in NAMES]


@contextlib.contextmanager
def shard(cluster: Cluster, name: str) -> Iterator[Shard]:
    with aws_proxy(cluster.aws_endpoint) as proxy, operator_behind(proxy, cluster, name, controller_ring=RING) as operator:
        wait_until(lambda: bool(leases(cluster, name)), SOON_SECONDS, f"{name} has a Lease")
        (lease,) = leases(cluster, name)
        yield Shard(lease["metadata"]["name"], operator, proxy, cluster.folder / f"{name}.log")
        operator.process.terminate(STOP_SECONDS)  # else the next test's shards would share the quotas with it for a while


def leases(cluster: Cluster, pod: str) -> list[dict[str, Any]]:
    """Those of the ring that a process of this pod holds."""
    listed = json.loads(cluster.kubectl("get", "lease", "-n", NAMESPACE, "-l", f"{RING_LABEL}={RING}", "-o", "json"))["items"]
    return [lease for lease in listed if lease["spec"].get("holderIdentity", "").startswith(f"{pod}-")]


@pytest.fixture
def tenant(shards: list[Shard], cluster: Cluster, namespace: str) -> Tenant:
    assert shards
    user = Tenant(cluster, namespace)
    user.provide()
    return user


def assign(tenant: Tenant, shard: Shard | None, *names: str) -> None:
    """What the sharder does at admission, and again when a shard is dead."""
    for name in names:
        tenant.kubectl("label", "kmskey", name, f"{SHARD}={shard.name}" if shard else f"{SHARD}-", "--overwrite")


def made(shard: Shard) -> int:
    return shard.proxy.writes.count("CreateKey")


def test_each_shard_works_on_its_own_objects_and_shares_the_quotas(shards: list[Shard], tenant: Tenant) -> None:
    names = {one.name: [f"{one.name}-{number}" for number in range(4)] for one in shards}
    for one in shards:
        for name in names[one.name]:
            tenant.declare(name)
        assign(tenant, one, *names[one.name])
    for name in (name for mine in names.values() for name in mine):
        tenant.until_settled(name, SOON_SECONDS)
    assert [made(one) for one in shards] == [4, 4, 4]
    assert len(tenant.owned()) == 12
    for one in shards:
        others = [name for other, mine in names.items() if other != one.name for name in mine]
        assert [one.passes(name) for name in others] == [0] * 8
    assert [one.living() for one in shards] == [3, 3, 3]


def test_a_drained_object_is_given_back_and_goes_on_elsewhere(shards: list[Shard], tenant: Tenant) -> None:
    first, second, _ = shards
    tenant.declare("k", description="Before")
    assign(tenant, first, "k")
    key_id = tenant.until_settled("k", SOON_SECONDS)["keyId"]
    tenant.kubectl("label", "kmskey", "k", f"{DRAIN}=true")
    tenant.until("k", lambda obj: not obj["metadata"].get("labels"), SOON_SECONDS)
    done = first.passes("k")
    tenant.change("k", {"description": "After"})
    assign(tenant, second, "k")
    assert tenant.until_settled("k", SOON_SECONDS)["keyId"] == key_id
    assert tenant.described(key_id)["Description"] == "After"
    assert tenant.owned() == [key_id]
    assert (first.passes("k"), second.passes("k")) == (done, 1)


def test_the_objects_of_a_killed_shard_are_finished_by_others(shards: list[Shard], tenant: Tenant) -> None:
    first, *others = shards
    names = [f"k{number}" for number in range(6)]
    for name in names:
        tenant.declare(name, enableKeyRotation=True)
    assign(tenant, first, *names)
    wait_until(lambda: made(first) >= 2, SOON_SECONDS, "the first shard has begun")
    os.kill(first.operator.process.pid, signal.SIGKILL)
    wait_until(lambda: [one.living() for one in others] == [2, 2], LEASE_SECONDS, "the others know")
    for number, name in enumerate(names):  # the sharder has taken the dead shard's Lease by then
        assign(tenant, others[number % 2], name)
    for name in names:
        tenant.until_settled(name, SOON_SECONDS)
    assert len(tenant.owned()) == len(names)


def test_a_shard_that_is_ended_gives_its_lease_back(shards: list[Shard], cluster: Cluster) -> None:
    held = json.loads(cluster.kubectl("get", "lease", shards[2].name, "-n", NAMESPACE, "-o", "json"))["spec"]["holderIdentity"]
    assert held == shards[2].name
    assert shards[2].operator.process.terminate(STOP_SECONDS) == 0
    after = json.loads(cluster.kubectl("get", "lease", shards[2].name, "-n", NAMESPACE, "-o", "json"))["spec"]
    assert after.get("holderIdentity", "") == ""
    wait_until(lambda: shards[0].living() == 2, SOON_SECONDS, "the others know at once")
