"""The CustomResourceDefinitions, generated from the models: one source for the API, its documentation and its checks.

pydantic writes JSON schema; Kubernetes wants structural schema. The difference is small and handled here: references are put in place,
`X or null` becomes X (an absent field is absent, never null), titles go, sets and maps keep their x-kubernetes marks, and CEL rules come
from the models. Patterns come as CEL rules with a message, in the syntax that Go's RE2 and pydantic's regex share.

Source of the rules: "Extend the Kubernetes API with CustomResourceDefinitions", structural schemas.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from reconcilers.fields import UNSEEN, Model
from reconcilers.names import GROUP, VERSION
from reconcilers.resources import AWSProvider, KMSAlias, KMSGrant, KMSKey

Json = dict[str, Any]


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice: anchors are not for people."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is yaml's
        return True


def _column(name: str, path: str, kind: str = "string", description: str = "", priority: int = 0) -> Json:
    column: Json = {"name": name, "type": kind, "jsonPath": path}
    if description:
        column["description"] = description
    return column | ({"priority": priority} if priority else {})


_READY = '.status.conditions[?(@.type=="Ready")]'
_AGE = _column("Age", ".metadata.creationTimestamp", "date")
_REASON = _column("Reason", f"{_READY}.reason", priority=1)

_KMSKEY_COLUMNS = [
    _column("KeyId", ".status.keyId"),
    _column("State", ".status.keyState", description="AWS's own word"),
    _column("Ready", f"{_READY}.status"),
    _AGE,
    _REASON,
    _column("Spec", ".status.keySpec", priority=1),
    _column("Usage", ".status.keyUsage", priority=1),
    _column("Rotation", ".status.rotationEnabled", "boolean", priority=1),
    _column("Alias", ".status.aliases[0]", description="The first of them", priority=1),
    _column("Provider", ".spec.providerRef.name", priority=1),
]
_AWSPROVIDER_COLUMNS = [
    _column("Region", ".spec.region"),
    _column("Ready", f"{_READY}.status"),
    _column("Account", ".status.accountID"),
    _AGE,
    _REASON,
    _column("Identity", ".status.callerIdentity", priority=1),
    _column("Keys", ".status.keysInUse", "integer", priority=1),
]
_TARGET_COLUMNS = [
    _column("Target", ".status.targetKeyId", description="Id of the key"),
    _column("Ready", f"{_READY}.status"),
    _AGE,
    _REASON,
    _column("Provider", ".status.provider", priority=1),
]
_KMSALIAS_COLUMNS = [_column("Alias", ".spec.aliasName"), *_TARGET_COLUMNS]
_KMSGRANT_COLUMNS = [
    *_TARGET_COLUMNS,
    _column("GrantId", ".status.grantId", priority=1),
    _column("Role", ".spec.granteeRoleArn", priority=1),
    _column("Principal", ".spec.granteePrincipal", priority=1),
]


def crds() -> list[Json]:
    """All definitions as plain data."""
    return [
        _crd(AWSProvider, {"plural": "awsproviders", "singular": "awsprovider", "shortNames": ["awsp"]}, _AWSPROVIDER_COLUMNS),
        _crd(KMSKey, {"plural": "kmskeys", "singular": "kmskey", "shortNames": ["kms"]}, _KMSKEY_COLUMNS),
        _crd(KMSAlias, {"plural": "kmsaliases", "singular": "kmsalias", "shortNames": ["kmsa"]}, _KMSALIAS_COLUMNS),
        _crd(KMSGrant, {"plural": "kmsgrants", "singular": "kmsgrant", "shortNames": ["kmsg"]}, _KMSGRANT_COLUMNS),
    ]


def render() -> str:
    """All definitions as YAML documents."""
    return "".join(f"---\n{document}" for document in files().values())


def files() -> Mapping[str, str]:
    """File name to YAML, as manifests/crds holds them."""
    return {f"{crd['spec']['names']['plural']}.yaml": yaml.dump(crd, Dumper=_Plain, sort_keys=False, width=130) for crd in crds()}


def _crd(model: type[Model], names: Json, columns: list[Json]) -> Json:
    kind = model.__name__
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": _root(model)},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"kind": kind, "listKind": f"{kind}List", **names, "categories": ["aws", "infra"]},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _root(model: type[Model]) -> Json:
    schema = _object(model)
    schema["properties"]["status"]["default"] = UNSEEN
    fields = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    return schema | {"properties": fields | schema["properties"]}


def _object(model: type[Model]) -> Json:
    """The structural schema of a model, with the schemas of the models inside it."""
    raw = model.model_json_schema(by_alias=True)
    rules = {found.__name__: list(found.cel) for found in _models(model) if found.cel}
    return _structural(raw, raw.get("$defs", {}), rules, model.__name__)


def _models(model: type[Model]) -> set[type[Model]]:
    """The model and all models that its fields name."""
    found = {model}
    for field in model.model_fields.values():
        for part in _types(field.annotation):
            if isinstance(part, type) and issubclass(part, Model):
                found |= _models(part)
    return found


def _types(annotation: Any) -> list[Any]:
    inside = [t for argument in getattr(annotation, "__args__", ()) for t in _types(argument)]
    return [annotation, *inside]


def _structural(schema: Json, definitions: Json, rules: Json, name: str = "") -> Json:
    """One node: references resolved, null and titles gone, children likewise."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        schema = {**definitions[name], **{key: value for key, value in schema.items() if key != "$ref"}}
    if "anyOf" in schema:
        (only,) = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return _structural({**only, **rest}, definitions, rules)
    node = {key: value for key, value in schema.items() if key in _KEPT}
    if "properties" in schema:
        node["properties"] = {key: _structural(value, definitions, rules) for key, value in schema["properties"].items()}
    for child in ("items", "additionalProperties"):
        if isinstance(schema.get(child), dict):
            node[child] = _structural(schema[child], definitions, rules)
    if name in rules:
        node["x-kubernetes-validations"] = rules[name]
    return node


_KEPT = frozenset(
    {
        "type", "description", "format", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
        "minProperties", "maxProperties", "required", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
    }
)  # fmt: skip
