"""One cluster for all tests of the session; each test works in a namespace of its own."""

import itertools
from collections.abc import Iterator

import pytest

from reconcilers.names import API_VERSION
from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.operator_process import Operator
from tests.cluster.tenant import KINDS, Tenant

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with the CRDs and the base of the manifests installed, and no operator.

    The operator of one file would work on what another one has left, and its tests would see calls that are not theirs.
    """
    with running_cluster() as running:
        running.install()
        yield running
        assert left_in(running) == []


def left_in(cluster: Cluster) -> list[str]:
    """All objects of ours, as kind/namespace/name."""
    paths = {kind: f"/apis/{API_VERSION}/{kind}" for kind in KINDS}
    metadata = [(kind, obj["metadata"]) for kind, path in paths.items() for obj in cluster.api.get(path)["items"]]
    return [f"{kind}/{meta['namespace']}/{meta['name']}" for kind, meta in metadata]


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A new namespace; what a test leaves there is swept away."""
    name = f"test-{next(_numbers)}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    Tenant(cluster, name).sweep()


@pytest.fixture(scope="module")
def operator(cluster: Cluster) -> Iterator[Operator]:
    """One that looks at each object every second; it ends in order. For the tests of one file."""
    with cluster.operator(resync_interval="1s", quota_fraction="1.0") as running:
        yield running
        assert running.process.terminate(30) == 0


@pytest.fixture
def tenant(operator: Operator, cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    """A user of a new namespace that has a provider; the keys that a test leaves there go by the operator's hand."""
    assert operator
    user = Tenant(cluster, namespace)
    user.provide()
    yield user
    user.leave()
