"""An object for a key whose object is gone: written from what AWS shows, so that the key comes back to it, and not a second one is made.

Rules:
1. Whose the key was is said by its owner tags, of this cluster; the object has to have the same namespace and name again.
2. One key, or nothing: between several only a person can choose.
3. A key that a living object has is nobody else's to restore.
4. AWS does not show what was to become of the key: deletionPolicy is Retain, until somebody says otherwise.
5. A key that is pending deletion was disabled by that alone, so nothing is said of `enabled`; a key that is disabled stays so.
6. Default tags of the provider come from the provider again. A grant without a name was not made by a KMSKey, and one for an AWS service
   was made by that service.
7. A replica is named with what differs there from the key, so that nothing is changed on it. One that cannot be read is left out, and told.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from reconcilers.aliases import on_key
from reconcilers.names import API_VERSION, OWNER_TAG, OWNER_TAGS, UID_TAG
from reconcilers.ownership import owner
from reconcilers.repairs import PENDING_DELETION
from reconcilers.states import Grant, ObservedKey, Rotation, Unobservable

Json = dict[str, Any]

DEFAULTS = {"keySpec": "SYMMETRIC_DEFAULT", "keyUsage": "ENCRYPT_DECRYPT", "origin": "AWS_KMS", "description": ""}


class NotRestorableError(ValueError):
    """There is no such key, or not one alone; the message says what there is."""


def the_lost_key(keys: Iterable[ObservedKey], namespace: str, name: str, uids: Collection[str], key_ids: Collection[str]) -> ObservedKey:
    """The one key of this cluster's that was this object's. uids and key_ids: of all living KMSKeys. Raises NotRestorableError."""
    wanted = owner(namespace, name)
    theirs = [key for key in keys if _tag(key, OWNER_TAG) == wanted and key.multi_region_key_type != "REPLICA"]
    free = [key for key in theirs if _tag(key, UID_TAG) not in uids and key.key_id not in key_ids]
    if len(free) == 1:
        return free[0]
    if free:
        told = ", ".join(f"{key.key_id} ({key.state}, of {key.creation_date:%Y-%m-%d})" for key in free)
        raise NotRestorableError(f"several keys were {namespace}/{name}'s: {told}. Adopt the right one by its id: kubectl kms adopt")
    if theirs:
        raise NotRestorableError(f"the key {theirs[0].key_id} of {namespace}/{name} has an object: there is nothing to restore")
    raise NotRestorableError(f"no key of this cluster's carries the owner tag {wanted}, in the account and region of this provider")


def restored(key: ObservedKey, namespace: str, name: str, provider: Json, default_tags: Mapping[str, str]) -> Json:
    """The KMSKey. key: observed with policy, aliases and grants; provider: its providerRef, {} for none."""
    spec = {**({"providerRef": provider} if provider else {}), **_spec(key, default_tags), "deletionPolicy": "Retain"}
    return {"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def gaps(key: ObservedKey) -> tuple[str, ...]:
    """What may be missing from the object, and what has to be thought of."""
    parts = {"tags": key.tags, "keyPolicy": key.policy, "rotation": key.rotation, "aliases": key.aliases, "grants": key.grants}
    told = [f"{name} cannot be read: {part.message}" for name, part in parts.items() if isinstance(part, Unobservable)]
    told += [f"the replica in {region} cannot be read, and is not in spec.replicas" for region in key.replicas if region not in _readable(key)]
    if key.state in PENDING_DELETION:
        told.append("its aliases, if it had any, were freed when its deletion was scheduled: add them to spec.aliases")
    if key.state == "Disabled":
        told.append("the key is disabled: remove enabled: false if it shall be used")
    return (*told, "spec.deletionPolicy is Retain, because AWS does not show what it was")


def _spec(key: ObservedKey, default_tags: Mapping[str, str]) -> Json:
    plain = {
        "description": key.description,
        "keyUsage": key.key_usage,
        "keySpec": key.key_spec,
        "origin": key.origin,
        "customKeyStoreId": key.custom_key_store_id,
        "xksKeyId": key.xks_key_id,
    }
    spec: Json = {name: value for name, value in plain.items() if value and value != DEFAULTS.get(name)}
    if key.multi_region:
        spec["multiRegion"] = True
    if key.state == "Disabled":
        spec["enabled"] = False
    if isinstance(key.policy, str):
        spec["keyPolicy"] = key.policy
    return {**spec, **_rotation(key), **_tags(key, default_tags), **_aliases(key), **_grants(key), **_replicas(key, default_tags)}


def _rotation(key: ObservedKey) -> Json:
    if not isinstance(key.rotation, Rotation) or not key.rotation.enabled:
        return {}
    period = key.rotation.period_in_days
    return {"enableKeyRotation": True, **({"rotationPeriodInDays": period} if period else {})}


def _tags(key: ObservedKey, default_tags: Mapping[str, str]) -> Json:
    if isinstance(key.tags, Unobservable):
        return {}
    own = {
        name: value
        for name, value in sorted(key.tags.items())
        if name not in OWNER_TAGS and not name.lower().startswith("aws:") and default_tags.get(name) != value
    }
    return {"tags": own} if own else {}


def _aliases(key: ObservedKey) -> Json:
    found = sorted(on_key(key))
    return {"aliases": found} if found else {}


def _replicas(key: ObservedKey, default_tags: Mapping[str, str]) -> Json:
    found = [_replica(key, region, replica, default_tags) for region, replica in sorted(_readable(key).items())]
    return {"replicas": found} if found else {}


def _replica(key: ObservedKey, region: str, replica: ObservedKey, default_tags: Mapping[str, str]) -> Json:
    """What is unset of a replica is as it is for the key."""
    told: Json = {"region": region}
    if replica.description != key.description:
        told["description"] = replica.description
    if isinstance(replica.policy, str) and replica.policy != key.policy:
        told["keyPolicy"] = replica.policy
    if (tags := _tags(replica, default_tags)) != _tags(key, default_tags):
        told["tags"] = tags.get("tags", {})
    if (replica.state == "Disabled") != (key.state == "Disabled"):
        told["enabled"] = replica.state != "Disabled"
    return told


def _readable(key: ObservedKey) -> dict[str, ObservedKey]:
    """The replicas of which all is known that is to be said."""
    replicas = {region: seen for region, seen in key.replicas.items() if isinstance(seen, ObservedKey)}
    return {region: seen for region, seen in replicas.items() if isinstance(seen.policy, str) and not isinstance(seen.tags, Unobservable)}


def _grants(key: ObservedKey) -> Json:
    grants = key.grants if isinstance(key.grants, Mapping) else {}
    ours = (grant for grant in grants.values() if grant is not None and grant.name and grant.grantee.startswith("arn:"))
    named = sorted(ours, key=lambda grant: grant.name)
    return {"grants": [_grant(grant) for grant in named]} if named else {}


def _grant(grant: Grant) -> Json:
    constraints = {
        "encryptionContextEquals": dict(grant.context_equals),
        "encryptionContextSubset": dict(grant.context_subset),
        "sourceArn": grant.source_arn,
    }
    limits = {name: value for name, value in constraints.items() if value}
    return {
        "name": grant.name,
        "granteeRoleArn" if ":role/" in grant.grantee else "granteePrincipal": grant.grantee,
        "operations": sorted(grant.operations),
        **({"retiringPrincipal": grant.retiring} if grant.retiring else {}),
        **({"constraints": limits} if limits else {}),
    }


def _tag(key: ObservedKey, name: str) -> str | None:
    return None if isinstance(key.tags, Unobservable) else key.tags.get(name)
