"""One cluster for all tests of the session; each test works in a namespace of its own."""

import itertools
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.operator_process import Operator
from tests.cluster.tenant import Tenant

# Keys before their provider: an operator that still runs would want it.
KINDS = ("kmsaliases", "kmsgrants", "kmskeys", "awsproviders")
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with the CRDs and the base of the manifests installed, and no operator."""
    with running_cluster() as running:
        running.install()
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A new namespace; what a test leaves there is removed without an operator's help, so that none meets it later."""
    name = f"test-{next(_numbers)}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    user = Tenant(cluster, name)
    for kind in KINDS:
        left = [obj["metadata"]["name"] for obj in user.all(kind)]
        for one in left:
            cluster.kubectl("patch", kind, one, "-n", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        if left:
            cluster.kubectl("delete", kind, "--all", "-n", name, "--timeout=30s")


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
