"""The manifests against a real API server, and the facts about the image that no server checks."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import BASE, Cluster
from tests.cluster.emulator import REPOSITORY
from tests.cluster.kubectl import KubectlError
from tests.cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT

SAMPLES = sorted((REPOSITORY / "manifests" / "samples").rglob("*.yaml"))
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()


def installed(cluster: Cluster, kind: str, name: str) -> dict[str, Any]:
    """An object of the base, as the server has it."""
    parsed: dict[str, Any] = json.loads(cluster.kubectl("get", kind, name, "-n", NAMESPACE, "-o", "json"))
    return parsed


def pod(cluster: Cluster) -> dict[str, Any]:
    """The Deployment's pod, as the Deployment's controller would create it."""
    template = installed(cluster, "deployment", SERVICE_ACCOUNT)["spec"]["template"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", **template["metadata"]}, "spec": template["spec"]}


def admit(cluster: Cluster, manifest: dict[str, Any]) -> str:
    """Sends an object through every admission check and keeps nothing. Raises KubectlError."""
    return cluster.kubectl("create", "--dry-run=server", "-n", NAMESPACE, "-f", "-", stdin=json.dumps(manifest))


def test_applying_the_base_again_changes_nothing(cluster: Cluster) -> None:
    query = ["get", "-k", str(BASE), "-o", "jsonpath={range .items[*]}{.kind} {.metadata.resourceVersion}{'\\n'}{end}"]
    before = cluster.kubectl(*query)
    cluster.kubectl("apply", "-k", str(BASE))
    assert cluster.kubectl(*query) == before


def test_the_pod_is_admitted_where_pod_security_is_restricted(cluster: Cluster) -> None:
    assert "pod/probe created" in admit(cluster, pod(cluster))


@pytest.mark.parametrize("field", ["runAsNonRoot", "seccompProfile"])
def test_the_namespace_refuses_a_pod_that_is_less_restricted(cluster: Cluster, field: str) -> None:
    lax = pod(cluster)
    del lax["spec"]["securityContext"][field]
    with pytest.raises(KubectlError, match=r'violates PodSecurity "restricted'):
        admit(cluster, lax)


@pytest.mark.holds("F47")
def test_the_container_cannot_write_to_its_root_nor_gain_rights(cluster: Cluster) -> None:
    (container,) = pod(cluster)["spec"]["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.holds("F46")
def test_a_drain_takes_one_of_two_replicas_at_a_time(cluster: Cluster) -> None:
    deployment = installed(cluster, "deployment", SERVICE_ACCOUNT)["spec"]
    budget = installed(cluster, "poddisruptionbudget", SERVICE_ACCOUNT)["spec"]
    assert (deployment["replicas"], budget["maxUnavailable"]) == (2, 1)
    assert budget["selector"] == deployment["selector"]


def test_the_metrics_service_leads_to_the_pods(cluster: Cluster) -> None:
    service = installed(cluster, "service", "infra-operator-metrics")["spec"]
    (container,) = pod(cluster)["spec"]["containers"]
    assert service["selector"].items() <= pod(cluster)["metadata"]["labels"].items()
    assert service["ports"][0]["targetPort"] in [port["name"] for port in container["ports"]]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_sample_is_admitted(cluster: Cluster, sample: Path) -> None:
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(sample))


def test_the_image_is_the_version_of_the_project(cluster: Cluster) -> None:
    project = re.search(r'^version = "(.+)"$', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert project is not None
    (container,) = pod(cluster)["spec"]["containers"]
    assert container["image"] == f"infra-operator:{project.group(1)}"


def test_every_base_image_is_pinned_by_a_version() -> None:
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE}"}
    assert re.search(r"^ARG BASE=python:3\.\d+\.\d+-slim-[a-z]+$", DOCKERFILE, re.MULTILINE)


def test_the_image_runs_as_a_numbered_user_that_is_not_root() -> None:
    """kubelet can tell that a user is not root only by its number."""
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)[-1] == "65532:65532"


def test_the_image_installs_nothing_without_a_hash() -> None:
    installs = [line for line in DOCKERFILE.replace("\\\n", " ").splitlines() if "pip" in line and " install" in line]
    assert installs
    assert [line for line in installs if "--require-hashes" not in line and "--no-index" not in line] == []
