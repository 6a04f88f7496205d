"""One cluster for all tests of the session; each test works in a namespace of its own."""

import itertools
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster, running_cluster

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
    cluster.kubectl("create", "namespace", name)
    yield name
    kinds = "kmsaliases,kmsgrants,kmskeys,awsproviders"
    for leftover in cluster.kubectl("get", kinds, "-n", name, "-o", "name").split():
        cluster.kubectl("patch", leftover, "-n", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    for kind in kinds.split(","):  # keys first: an operator that still runs would want their provider
        cluster.kubectl("delete", kind, "--all", "-n", name, "--timeout=30s")
