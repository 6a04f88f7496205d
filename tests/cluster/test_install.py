"""Ways to install it, each with an operator at work under exactly the rights that they give: chosen namespaces, metrics by TLS."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.emulator import REPOSITORY
from tests.cluster.operator_process import NAMESPACE, Surroundings, running_operator
from tests.cluster.tenant import Tenant
from tests.controller.test_tls import write_certificate

COMPONENTS = REPOSITORY / "manifests" / "components"


def in_the_hands_of(cluster: Cluster, path: Path, namespace: str, account: str) -> None:
    """Applies a component's bindings for another ServiceAccount and namespace than those that it names."""
    documents = list(yaml.safe_load_all(path.read_text()))
    for document in documents:
        if document["kind"] == "RoleBinding":
            document["metadata"]["namespace"] = namespace
            document["subjects"][0]["name"] = account
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))


@pytest.fixture
def narrow(cluster: Cluster, namespace: str) -> Surroundings:
    """An operator's surroundings with the rights of the component `namespaced`, for one namespace."""
    cluster.kubectl("create", "serviceaccount", "narrow", "-n", NAMESPACE)
    in_the_hands_of(cluster, COMPONENTS / "namespaced/role-bindings.yaml", namespace, "narrow")
    account = f"--serviceaccount={NAMESPACE}:narrow"
    cluster.kubectl("create", "clusterrolebinding", "narrow", "--clusterrole=infra-operator-cluster", account)
    cluster.kubectl("create", "rolebinding", "narrow", "--role=infra-operator-leader-election", account, "-n", NAMESPACE)
    return Surroundings(cluster.folder, cluster.kubeconfig_for(NAMESPACE, "narrow"), cluster.aws_endpoint)


def test_with_rights_in_one_namespace_it_works_there_and_sees_no_other(cluster: Cluster, namespace: str, narrow: Surroundings) -> None:
    tenant, stranger = Tenant(cluster, namespace), Tenant(cluster, "default")
    with running_operator(narrow, "narrow", {"watch_namespaces": namespace}):
        for user in (tenant, stranger):
            user.provide()
            user.declare("orders", deletionPolicy="Delete")
        tenant.until_settled("orders")
        tenant.delete("orders")
        tenant.kubectl("delete", "awsprovider", "main", "--timeout=30s")
        unseen = stranger.get("orders")
        assert "finalizers" not in unseen["metadata"]
        assert "keyId" not in unseen.get("status", {})
    for verb, what in (("get", "secrets"), ("list", "kmskeys"), ("patch", "kmskeys")):
        assert may(cluster, verb, what, namespace)
        assert not may(cluster, verb, what, "default")
    for kind in ("kmskey", "awsprovider"):
        stranger.kubectl("delete", kind, "--all", "--timeout=30s")


def may(cluster: Cluster, verb: str, what: str, namespace: str) -> bool:
    """What the authorizer says of the narrow ServiceAccount."""
    asked = {"verb": verb, "resource": what, "namespace": namespace}
    asked["group"] = "" if what == "secrets" else "aws-infra-operator.runner.codes"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": f"system:serviceaccount:{NAMESPACE}:narrow", "resourceAttributes": asked},
    }
    return cluster.kubectl("create", "-f", "-", "-o", "jsonpath={.status.allowed}", stdin=json.dumps(review)) == "true"


@pytest.fixture
def scraped(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """The URL of /metrics with the component `metrics-tls`."""
    documents = list(yaml.safe_load_all((COMPONENTS / "metrics-tls/rbac.yaml").read_text()))
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))
    for name in ("prometheus", "stranger"):
        cluster.kubectl("create", "serviceaccount", name, "-n", NAMESPACE)
    account = f"--serviceaccount={NAMESPACE}:prometheus"
    cluster.kubectl("create", "clusterrolebinding", "prometheus", "--clusterrole=infra-operator-metrics-reader", account)
    write_certificate(tmp_path, "infra-operator-metrics")
    with cluster.operator(replica=7, metrics_auth=True, metrics_tls_dir=str(tmp_path), leader_elect=False) as operator:
        yield operator.metrics_url.replace("http:", "https:")
    cluster.kubectl("delete", "-f", "-", stdin=yaml.safe_dump_all(documents))


def answer(url: str, token: str | None) -> int:
    """The status of a scrape with this token."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=10, context=anybody) as scraped:  # noqa: S310 - of 127.0.0.1
            assert b"leader_election_master_status" in scraped.read()
            return int(scraped.status)
    except HTTPError as error:
        return error.code


def test_metrics_are_for_those_whom_rbac_lets_read_them(cluster: Cluster, scraped: str) -> None:
    prometheus, stranger = (cluster.kubectl.token(NAMESPACE, name) for name in ("prometheus", "stranger"))
    assert [answer(scraped, token) for token in (None, "made-up", stranger, prometheus)] == [401, 401, 403, 200]
