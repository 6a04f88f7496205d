import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconcilers.alias_fields import KMSAliasSpec
from reconcilers.crds import crds, files, render
from reconcilers.fields import Model
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmsgrant_fields import KMSGrantSpec
from reconcilers.names import GROUP, VERSION
from reconcilers.provider_fields import AWSProviderSpec

MANIFESTS = Path(__file__).parents[2] / "manifests" / "crds"
STRUCTURAL = {
    *("type", "description", "format", "enum", "pattern", "items", "properties", "additionalProperties", "required"),
    *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"),
}
Node = dict[str, Any]


def schema(kind: str) -> Node:
    (crd,) = (crd for crd in crds() if crd["spec"]["names"]["kind"] == kind)
    (version,) = crd["spec"]["versions"]
    root: Node = version["schema"]["openAPIV3Schema"]
    return root


def nodes(schema: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every node of a schema with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if name in schema:
            yield from nodes(schema[name], f"{path}[]")


KINDS = ("AWSProvider", "KMSKey", "KMSAlias", "KMSGrant")
ALL = [pytest.param(node, id=f"{kind}{path}") for kind in KINDS for path, node in nodes(schema(kind)) if path != ".status"]
# The spec is what rules of ours run over; the status is written by us alone.
JUDGED = [pytest.param(node, id=f"{kind}.spec{path}") for kind in KINDS for path, node in nodes(schema(kind)["properties"]["spec"])]
RULES = [(kind, path, rule) for kind in KINDS for path, node in nodes(schema(kind)) for rule in node.get("x-kubernetes-validations", [])]


def test_the_manifests_are_the_models() -> None:
    stored = {path.name: path.read_text() for path in MANIFESTS.glob("*.yaml") if path.name != "kustomization.yaml"}
    assert stored == dict(files()), "manifests/crds is stale: run `make crds`"


def test_the_kustomization_names_every_crd() -> None:
    assert yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"] == sorted(files())


def test_what_is_printed_is_what_the_files_hold() -> None:
    assert list(yaml.safe_load_all(render())) == crds()
    assert [yaml.safe_load(text) for text in files().values()] == crds()


NAMES = [
    ("AWSProvider", "awsproviders", "awsp"),
    ("KMSKey", "kmskeys", "kms"),
    ("KMSAlias", "kmsaliases", "kmsa"),
    ("KMSGrant", "kmsgrants", "kmsg"),
]


@pytest.mark.parametrize(("kind", "plural", "short"), NAMES)
def test_a_crd_is_known_by_its_names(kind: str, plural: str, short: str) -> None:
    (crd,) = (crd for crd in crds() if crd["spec"]["names"]["kind"] == kind)
    names = crd["spec"]["names"]
    assert crd["metadata"]["name"] == f"{plural}.{GROUP}"
    assert (names["plural"], names["listKind"], names["shortNames"]) == (plural, f"{kind}List", [short])
    assert names["categories"] == ["aws", "infra"]
    (version,) = crd["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"], version["subresources"]) == (VERSION, True, True, {"status": {}})


@pytest.mark.parametrize("node", ALL)
def test_a_node_is_structural_and_has_no_default(node: Node) -> None:
    """A default would be written into the user's object, and unset could no longer be told from set."""
    assert set(node) <= STRUCTURAL
    assert isinstance(node["type"], str)
    assert "properties" not in node or "additionalProperties" not in node


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_object_is_not_taken_for_a_finished_one(kind: str) -> None:
    status = schema(kind)["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert set(status) <= STRUCTURAL | {"default"}


@pytest.mark.parametrize("node", JUDGED)
def test_what_rules_run_over_is_bounded(node: Node) -> None:
    """The API server refuses a CRD whose rules could cost too much, and it counts with the worst case."""
    match node:
        case {"type": "string"}:
            assert "maxLength" in node or "enum" in node or node.get("format") == "date-time"
        case {"type": "array"}:
            assert "maxItems" in node
        case {"type": "object", "additionalProperties": _}:
            assert "maxProperties" in node


PATTERNS = sorted({found for _, _, rule in RULES for found in re.findall(r"matches\(r?'([^']*)'\)", rule["rule"])})


def test_no_pattern_is_left_to_the_schema_which_could_not_say_what_to_write() -> None:
    assert [path for kind in KINDS for path, node in nodes(schema(kind)) if "pattern" in node] == []
    assert len(PATTERNS) > 10


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_holds_from_end_to_end(pattern: str) -> None:
    """Whether it compiles is for Go's engine to say: the API server takes no CRD whose patterns do not."""
    assert re.fullmatch(r"\^.*\$", pattern)
    assert not re.search(r"\(\?[=!<]|\\[1-9]", pattern), "Go's engine has neither look-around nor back references"


@pytest.mark.parametrize(("kind", "path", "rule"), RULES, ids=lambda value: value if isinstance(value, str) else value["message"][:40])
def test_a_rule_says_what_to_write_at_a_field_that_exists(kind: str, path: str, rule: dict[str, str]) -> None:
    assert set(rule) <= {"rule", "message", "messageExpression", "fieldPath"}
    assert len(rule["message"]) <= 2048
    assert "\n" not in rule["message"]
    assert f"{path}{rule.get('fieldPath', '')}" in dict(nodes(schema(kind)))


def test_every_field_of_a_spec_says_what_it_is() -> None:
    described = {kind: schema(kind)["properties"]["spec"]["properties"] for kind in KINDS}
    assert [f"{kind}.{name}" for kind in KINDS for name, node in described[kind].items() if not node.get("description")] == []


SPECS = [("KMSKey", KMSKeySpec), ("AWSProvider", AWSProviderSpec), ("KMSAlias", KMSAliasSpec), ("KMSGrant", KMSGrantSpec)]


@pytest.mark.parametrize(("kind", "model"), SPECS)
def test_the_spec_in_the_schema_has_the_fields_of_the_model(kind: str, model: type[Model]) -> None:
    assert list(schema(kind)["properties"]["spec"]["properties"]) == [field.alias for field in model.model_fields.values()]


def test_conditions_are_merged_by_type_and_managed_tags_are_a_set() -> None:
    status = schema("KMSKey")["properties"]["status"]["properties"]
    assert status["conditions"]["x-kubernetes-list-map-keys"] == ["type"]
    assert status["managedTagKeys"]["x-kubernetes-list-type"] == "set"
    assert status["aliases"]["x-kubernetes-list-type"] == "set"
    assert list(status) == [field.alias for field in KMSKeyStatus.model_fields.values()]


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_spec_is_required(kind: str) -> None:
    assert schema(kind)["required"] == ["spec"]
    assert schema("KMSKey")["properties"]["spec"].get("required") is None
    assert schema("AWSProvider")["properties"]["spec"]["required"] == ["region"]
