"""The Helm chart installs what kustomize does, option by option; the real API server takes it; wrong values are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import BASE, Cluster
from tests.cluster.emulator import REPOSITORY
from tests.cluster.helm import CHART, HelmError, render
from tests.cluster.operator_process import NAMESPACE

COMPONENTS = REPOSITORY / "manifests" / "components"
CHART_S_OWN = ("helm.sh/chart", "app.kubernetes.io/managed-by")
ROLE = "eks.amazonaws.com/role-arn"
ARN = "arn:aws:iam::123456789012:role/infra-operator-kms-role"

Objects = dict[tuple[str, str, str], dict[str, Any]]

# Components beside the values that say the same.
OPTIONS: dict[str, dict[str, Any]] = {
    "chosen-secrets": {"secretNamespaces": ["team-a"]},
    "namespaced": {"watchNamespaces": ["team-a"]},
    "irsa": {"serviceAccount": {"annotations": {ROLE: ARN, "eks.amazonaws.com/sts-regional-endpoints": "true"}}},
    "pod-monitor": {"metrics": {"monitor": "pod"}},
    "service-monitor": {"metrics": {"monitor": "service"}},
    "metrics-tls": {"metrics": {"tlsSecret": "infra-operator-metrics-tls"}},
    "metrics-tls service-monitor-tls": {"metrics": {"tlsSecret": "infra-operator-metrics-tls", "monitor": "service"}},
    "prometheus-rules": {"metrics": {"alerts": True}},
    "controller-ring": {"controllerRing": {"enabled": True}},
    "network-policy": {"networkPolicy": {"enabled": True}},
    "admission-policies": {"admissionPolicies": {"enabled": True}},
}


def kustomized(cluster: Cluster, folder: Path, *components: str) -> Objects:
    """The base with components, as a user's own kustomization would have them."""
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [relative(BASE, folder)],
        "components": [relative(COMPONENTS / name, folder) for name in components],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    return comparable(list(yaml.safe_load_all(cluster.kubectl("kustomize", str(folder)))))


def relative(path: Path, folder: Path) -> str:
    """kustomize takes no absolute paths."""
    return str(Path(*[".."] * (len(folder.resolve().parts) - 1), *path.resolve().parts[1:]))


def comparable(objects: list[dict[str, Any]]) -> Objects:
    """By kind, namespace and name; without what only one of the two tools writes."""
    found: Objects = {}
    for entry in objects:
        metadata = entry["metadata"]
        for name in CHART_S_OWN:
            metadata.get("labels", {}).pop(name, None)
        metadata.get("annotations", {}).pop("helm.sh/resource-policy", None)
        if not metadata.get("annotations", True):
            del metadata["annotations"]
        if entry["kind"] == "Deployment":  # the order of variables means nothing
            entry["spec"]["template"]["spec"]["containers"][0]["env"].sort(key=lambda variable: variable["name"])
        if entry["kind"] != "Namespace":  # Helm makes it with --create-namespace
            found[entry["kind"], metadata.get("namespace", ""), metadata["name"]] = entry
    return found


def test_every_component_has_its_values() -> None:
    assert {path.parent.name for path in COMPONENTS.glob("*/kustomization.yaml")} == {name for names in OPTIONS for name in names.split()}


def container(values: dict[str, Any]) -> dict[str, Any]:
    """The one container that the chart makes."""
    deployment = comparable(render(NAMESPACE, values))["Deployment", NAMESPACE, "infra-operator-controller-manager"]
    (one,) = deployment["spec"]["template"]["spec"]["containers"]
    assert isinstance(one, dict)
    return one


def test_the_defaults_install_what_the_base_does(cluster: Cluster, tmp_path: Path) -> None:
    assert comparable(render(NAMESPACE, {})) == kustomized(cluster, tmp_path)


@pytest.mark.parametrize("components", OPTIONS)
def test_a_component_and_its_values_are_the_same(cluster: Cluster, tmp_path: Path, components: str) -> None:
    assert comparable(render(NAMESPACE, OPTIONS[components])) == kustomized(cluster, tmp_path, *components.split())


def test_the_api_server_takes_the_chart_with_all_that_it_can_have(cluster: Cluster) -> None:
    """But for monitors and rings, whose kinds this server does not know, and for what is in other namespaces."""
    chosen = [values for name, values in OPTIONS.items() if not {"monitor", "rules", "ring"} & set(name.split("-"))]
    values = {name: value for one in chosen for name, value in one.items()}
    objects = [entry for entry in render(NAMESPACE, values) if entry["metadata"].get("namespace", NAMESPACE) == NAMESPACE]
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(objects))


def test_flags_reach_the_command_line() -> None:
    flags = {"log-level": "debug", "leader-elect": False, "allow-custom-endpoints": True}
    assert container({"flags": flags})["args"] == ["run", "--allow-custom-endpoints", "--no-leader-elect", "--log-level=debug"]


def test_a_digest_wins_over_the_tag() -> None:
    digest = "sha256:" + "0" * 64
    image = {"repository": "registry/infra-operator", "tag": "1", "digest": digest}
    assert container({"image": image})["image"] == f"registry/infra-operator@{digest}"


def test_the_definitions_can_be_installed_on_their_own_and_outlive_the_release() -> None:
    definitions = [entry for entry in render(NAMESPACE, {}) if entry["kind"] == "CustomResourceDefinition"]
    assert definitions
    assert all(entry["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for entry in definitions)
    without = render(NAMESPACE, {"crds": {"install": False}})
    assert "CustomResourceDefinition" not in {entry["kind"] for entry in without}


@pytest.mark.parametrize(
    "values",
    [
        {"replica": 3},
        {"replicas": 0},
        {"metrics": {"monitor": "both"}},
        {"watchNamespaces": ["Team_A"]},
        {"image": {"digest": "latest"}},
        {"flags": {"watch-namespaces": "a"}},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(HelmError, match="values don't meet the specifications of the schema"):
        render(NAMESPACE, values)


def test_every_value_has_its_schema() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(values) == set(schema["properties"]) - {"global"}
