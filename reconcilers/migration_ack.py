"""What ACK's controller for KMS has: Key, Alias and Grant of kms.services.k8s.aws, as kubectl get -o yaml shows them."""

from collections.abc import Iterable
from typing import Any

from reconcilers.migration import Found, FoundKey, FoundPart, Json, declared, grant, rotation, tags

GROUP = "kms.services.k8s.aws"
DELETION_POLICY = "services.k8s.aws/deletion-policy"


def from_ack(objects: Iterable[Json]) -> Found:
    """Of any objects, those that are ACK's."""
    found = Found()
    for one in objects:
        if str(one.get("apiVersion", "")).partition("/")[0] == GROUP:
            _add(one, found)
    return found


def _add(one: Json, found: Found) -> None:
    kind, metadata, spec = one["kind"], one["metadata"], one.get("spec") or {}
    name, namespace = metadata["name"], metadata.get("namespace")
    where = f"{kind} {namespace or 'default'}/{name}"
    match kind:
        case "Key":
            found.keys.append(_key(where, one))
        case "Alias":
            target = _target(namespace, spec.get("targetKeyID"), spec.get("targetKeyRef"))
            found.aliases.append(FoundPart(where, name, namespace, target, {"aliasName": spec.get("name")}))
        case "Grant":
            target = _target(namespace, spec.get("keyID"), spec.get("keyRef"))
            found.grants.append(FoundPart(where, name, namespace, target, _grant(spec)))
        case _:
            found.left_out.append(f"{where}: there is no counterpart")
            return
    if (metadata.get("annotations") or {}).get(DELETION_POLICY) != "retain":
        found.notes.append(
            f"{where}: set the annotation {DELETION_POLICY}: retain before it is deleted, or ACK deletes in AWS what it stands for"
        )


def _key(where: str, one: Json) -> FoundKey:
    metadata, spec, status = one["metadata"], one.get("spec") or {}, one.get("status") or {}
    fields = declared(
        description=spec.get("description"),
        keyUsage=spec.get("keyUsage"),
        keySpec=spec.get("keySpec"),
        multiRegion=spec.get("multiRegion"),
        origin=spec.get("origin"),
        customKeyStoreId=spec.get("customKeyStoreID"),
        keyPolicy=spec.get("policy"),
        tags=tags({tag["tagKey"]: tag.get("tagValue", "") for tag in spec.get("tags") or ()}, "services.k8s.aws/"),
        **rotation(spec.get("enableKeyRotation"), None),
    )
    arn = (status.get("ackResourceMetadata") or {}).get("arn")
    namespace = metadata.get("namespace")
    return FoundKey(where, metadata["name"], namespace, status.get("keyID"), arn, fields, _called(namespace, metadata["name"]))


def _grant(spec: Json) -> Json:
    constraints = spec.get("constraints") or {}
    limits = declared(
        encryptionContextEquals=constraints.get("encryptionContextEquals"),
        encryptionContextSubset=constraints.get("encryptionContextSubset"),
    )
    more = {"name": spec.get("name"), "retiringPrincipal": spec.get("retiringPrincipal"), "constraints": limits}
    return grant(spec.get("granteePrincipal"), spec.get("operations"), **more)


def _target(namespace: str | None, key_id: str | None, reference: Any) -> str | None:
    """A reference names a Key by its object, in the same namespace if it names none."""
    named = (reference or {}).get("from") or {}
    return key_id or (_called(named.get("namespace") or namespace, named["name"]) if named.get("name") else None)


def _called(namespace: str | None, name: str) -> str:
    return f"object/{namespace or 'default'}/{name}"
