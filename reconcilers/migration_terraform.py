"""What Terraform (or OpenTofu) has: the JSON of its state (`terraform state pull`, version 4) or of `terraform show -json`.

A state holds secrets of all kinds. Only the resources of KMS are looked at, and of these only the fields that are named here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from reconcilers.migration import Found, FoundKey, FoundPart, Json, declared, grant, rotation, tags, window

KEYS = ("aws_kms_key", "aws_kms_external_key")
REPLICAS = ("aws_kms_replica_key", "aws_kms_replica_external_key")
# A policy of its own resource shows in the key's field too; a ciphertext is data, which needs no owner.
COVERED = ("aws_kms_key_policy", "aws_kms_ciphertext")


class NoStateError(ValueError):
    """The JSON is of another form."""


@dataclass(frozen=True, slots=True)
class _Resource:
    """One instance. address: as terraform state rm wants it."""

    address: str
    kind: str
    values: Json


def from_terraform(state: Json) -> Found:
    """Of any state, the resources of KMS. Raises NoStateError."""
    found = Found()
    for one in _resources(state):
        if one.kind.startswith("aws_kms_"):
            _add(one, found)
    if found.keys or found.aliases or found.grants:
        addresses = [*(key.where for key in found.keys), *(part.where for part in (*found.aliases, *found.grants))]
        found.notes.append(f"Before Terraform's next run: terraform state rm {' '.join(map(_quoted, addresses))}")
    return found


def _add(one: _Resource, found: Found) -> None:
    values, name = one.values, one.address.replace(f"{one.kind}.", "").replace("module.", "")
    if one.kind in KEYS:
        found.keys.append(
            FoundKey(one.address, name, None, values.get("key_id") or values.get("id"), values.get("arn"), _key(one))
        )
    elif one.kind == "aws_kms_alias":
        target = values.get("target_key_arn") or values.get("target_key_id")
        found.aliases.append(FoundPart(one.address, name, None, target, {"aliasName": values.get("name")}))
    elif one.kind == "aws_kms_grant":
        found.grants.append(FoundPart(one.address, name, None, values.get("key_id"), _grant(values)))
    elif one.kind in REPLICAS:
        found.left_out.append(
            f"{one.address}: a replica is not taken over by itself; adopt its primary, and leave this one as it is"
        )
    elif one.kind not in COVERED:
        found.left_out.append(f"{one.address}: there is no counterpart")


def _key(one: _Resource) -> Json:
    values = one.values
    return declared(
        description=values.get("description"),
        keyUsage=values.get("key_usage"),
        keySpec=values.get("customer_master_key_spec") or values.get("key_spec"),
        multiRegion=values.get("multi_region") or None,
        origin="EXTERNAL" if one.kind == "aws_kms_external_key" else None,
        customKeyStoreId=values.get("custom_key_store_id"),
        xksKeyId=values.get("xks_key_id"),
        enabled=values.get("is_enabled", values.get("enabled")),
        keyPolicy=values.get("policy"),
        tags=tags(values.get("tags_all") or values.get("tags")),
        **rotation(values.get("enable_key_rotation"), values.get("rotation_period_in_days")),
        **window(values.get("deletion_window_in_days")),
    )


def _grant(values: Json) -> Json:
    """The provider keeps constraints as a set of one."""
    limits = (values.get("constraints") or [{}])[0]
    constraints = declared(
        encryptionContextEquals=limits.get("encryption_context_equals"),
        encryptionContextSubset=limits.get("encryption_context_subset"),
    )
    more = {"name": values.get("name") or None, "retiringPrincipal": values.get("retiring_principal"), "constraints": constraints}
    return grant(values.get("grantee_principal"), values.get("operations"), **more)


def _resources(state: Json) -> Iterable[_Resource]:
    """Managed ones, of either form; data sources are nobody's."""
    if isinstance(state.get("resources"), list):
        return [one for resource in state["resources"] if resource.get("mode") == "managed" for one in _instances(resource)]
    values = state.get("values")
    if isinstance(values, dict) and "root_module" in values:
        return list(_shown(values["root_module"]))
    raise NoStateError(
        "it is neither a Terraform state of version 4 (terraform state pull) nor the answer of terraform show -json"
    )


def _instances(resource: Json) -> Iterator[_Resource]:
    module = f"{resource['module']}." if resource.get("module") else ""
    for instance in resource.get("instances") or ():
        index = _index(instance.get("index_key"))
        yield _Resource(
            f"{module}{resource['type']}.{resource['name']}{index}", resource["type"], instance.get("attributes") or {}
        )


def _index(key: Any) -> str:
    if key is None:
        return ""
    return f"[{key}]" if isinstance(key, int) else f'["{key}"]'


def _shown(module: Json) -> Iterator[_Resource]:
    for resource in module.get("resources") or ():
        if resource.get("mode") == "managed":
            yield _Resource(resource["address"], resource["type"], resource.get("values") or {})
    for child in module.get("child_modules") or ():
        yield from _shown(child)


def _quoted(address: str) -> str:
    return f"'{address}'" if '"' in address or "[" in address else address
