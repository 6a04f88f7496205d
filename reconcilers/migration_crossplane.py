"""What Crossplane's two providers for AWS have: Upbound's (kms.aws.upbound.io, and kms.aws.m.upbound.io with namespaces) and the community's
(kms.aws.crossplane.io), as kubectl get -o yaml shows them. They differ in names of fields, and are read alike.
"""

from collections.abc import Iterable
from typing import Any

from reconcilers.arns import id_of
from reconcilers.migration import KEY_ARN, Found, FoundKey, FoundPart, Json, declared, grant, rotation, tags, window

GROUPS = ("kms.aws.upbound.io", "kms.aws.m.upbound.io", "kms.aws.crossplane.io")
EXTERNAL_NAME = "crossplane.io/external-name"
REPLICAS = ("ReplicaKey", "ReplicaExternalKey")


def from_crossplane(objects: Iterable[Json]) -> Found:
    """Of any objects, those that are Crossplane's."""
    found = Found()
    for one in objects:
        if str(one.get("apiVersion", "")).partition("/")[0] in GROUPS:
            _add(one, found)
    return found


def _add(one: Json, found: Found) -> None:
    kind, metadata = one["kind"], one["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace")
    where, wish = f"{kind} {_path(namespace, name)}", _wish(one)
    external = (metadata.get("annotations") or {}).get(EXTERNAL_NAME)
    match kind:
        case "Key" | "ExternalKey":
            found.keys.append(_key(where, one, external))
        case "Alias":
            target = _target(namespace, wish, "targetKeyId")
            spec = {"aliasName": external or f"alias/{name}"}
            found.aliases.append(FoundPart(where, name, namespace, target, spec))
        case "Grant":
            found.grants.append(FoundPart(where, name, namespace, _target(namespace, wish, "keyId"), _grant(wish)))
        case "Ciphertext":
            found.left_out.append(f"{where}: it holds data, which needs no owner once it is encrypted")
            return
        case _ if kind in REPLICAS:
            found.left_out.append(
                f"{where}: a replica is not taken over by itself; adopt its primary, and leave this one as it is"
            )
        case _:
            found.left_out.append(f"{where}: there is no counterpart")
            return
    if not _is_left(one):
        found.notes.append(
            f"{where}: set spec.deletionPolicy: Orphan before it is deleted, or Crossplane deletes in AWS what it stands for"
        )


def _is_left(one: Json) -> bool:
    """Whether the deletion of the object leaves AWS alone; managementPolicies win over deletionPolicy."""
    spec = one.get("spec") or {}
    policies = spec.get("managementPolicies")
    if policies and "*" not in policies:
        return "Delete" not in policies
    return bool(spec.get("deletionPolicy") == "Orphan")


def _key(where: str, one: Json, external: str | None) -> FoundKey:
    metadata, wish, seen = one["metadata"], _wish(one), (one.get("status") or {}).get("atProvider") or {}
    key_id = seen.get("keyId") or seen.get("keyID") or external
    fields = declared(
        description=wish.get("description"),
        keyUsage=wish.get("keyUsage"),
        keySpec=wish.get("keySpec") or wish.get("customerMasterKeySpec"),
        multiRegion=wish.get("multiRegion"),
        origin=wish.get("origin") or ("EXTERNAL" if one["kind"] == "ExternalKey" else None),
        customKeyStoreId=wish.get("customKeyStoreId") or wish.get("customKeyStoreID"),
        xksKeyId=wish.get("xksKeyId") or wish.get("xksKeyID"),
        enabled=wish.get("isEnabled", wish.get("enabled")),
        keyPolicy=wish.get("policy"),
        tags=_tags(wish.get("tags")),
        **rotation(wish.get("enableKeyRotation"), wish.get("rotationPeriodInDays")),
        **window(wish.get("deletionWindowInDays") or wish.get("pendingWindowInDays")),
    )
    namespace, name = metadata.get("namespace"), metadata["name"]
    arn = seen.get("arn")
    known = id_of(key_id) if key_id and key_id != name else None  # Crossplane's first guess at a name is the object's own
    called = f"object/{_path(namespace, name)}"
    return FoundKey(where, name, namespace, known, arn if arn and KEY_ARN.match(arn) else None, fields, called)


def _tags(given: Any) -> Json:
    """A map at Upbound's, a list of pairs at the community's."""
    if isinstance(given, list):
        given = {tag["tagKey"]: tag.get("tagValue", "") for tag in given}
    return tags(given, "crossplane-")


def _grant(wish: Json) -> Json:
    """Upbound's has its constraints in a list of one."""
    constraints = wish.get("constraints") or {}
    constraints = (constraints or [{}])[0] if isinstance(constraints, list) else constraints
    limits = declared(
        encryptionContextEquals=constraints.get("encryptionContextEquals"),
        encryptionContextSubset=constraints.get("encryptionContextSubset"),
    )
    more = {"name": wish.get("name"), "retiringPrincipal": wish.get("retiringPrincipal"), "constraints": limits}
    return grant(wish.get("granteePrincipal"), wish.get("operations"), **more)


def _target(namespace: str | None, wish: Json, key: str) -> str | None:
    """A reference or a selector is resolved into the field itself; before that the reference has to do."""
    named = (wish.get(f"{key}Ref") or {}).get("name")
    return wish.get(key) or (f"object/{_path(namespace, named)}" if named else None)


def _wish(one: Json) -> Json:
    wish: Json = (one.get("spec") or {}).get("forProvider") or {}
    return wish


def _path(namespace: str | None, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name
