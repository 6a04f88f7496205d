"""Keys that were there before their objects, on a real API server and an emulated AWS: each kind of object at once, then their ends."""

import json
from typing import Any

import pytest

from reconcilers.names import KEY_ID_ANNOTATION, KMSKEY_FINALIZER, PLAN_ANNOTATION
from tests.cluster.cluster import Cluster
from tests.cluster.kubectl import KubectlError
from tests.cluster.processes import wait_until
from tests.cluster.tenant import OWNER_TAGS, SOON_SECONDS, Tenant, key


def given(tenant: Tenant, **parameters: Any) -> str:
    """The id of a key that somebody else made."""
    return str(tenant.kms.create_key(**parameters)["KeyMetadata"]["KeyId"])


def owner(tenant: Tenant, key_id: str) -> str | None:
    """The namespace/name on the key."""
    tags = {tag["TagKey"]: tag["TagValue"] for tag in tenant.kms.list_resource_tags(KeyId=key_id)["Tags"]}
    return tags.get(OWNER_TAGS[1])


def leave_as_the_older_operator(tenant: Tenant, name: str, key_id: str, **spec: Any) -> None:
    """An object as it had left it: with its finalizer and status, and without anything of ours on the key."""
    old = key(name, **spec)
    old["metadata"]["finalizers"] = [KMSKEY_FINALIZER]
    tenant.apply(old)
    made = tenant.described(key_id)["CreationDate"].strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {"keyId": key_id, "keyState": "Enabled", "ready": True, "creationDate": made, "lastSyncTime": made}
    tenant.kubectl("patch", "kmskey", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))


def test_keys_that_were_there_before_their_objects(cluster: Cluster, namespace: str) -> None:
    tenant = Tenant(cluster, namespace)
    tenant.provide()
    mine, by_arn, by_alias, watched, old, disabled = (given(tenant, Description=str(number)) for number in range(6))
    tenant.kms.create_alias(AliasName=f"alias/{namespace}", TargetKeyId=by_alias)
    tenant.kms.disable_key(KeyId=disabled)
    leave_as_the_older_operator(tenant, "old", old, deletionPolicy="Delete")
    leave_as_the_older_operator(tenant, "old-disabled", disabled, deletionPolicy="Retain")
    with cluster.operator(resync_interval="1s", create_grace="1s"):
        tenant.apply(
            key("by-id", adopt={"keyId": mine}, deletionPolicy="Retain"),
            key("by-arn", adopt={"arn": tenant.described(by_arn)["Arn"]}, description="mine now", tags={"a": "b"}),
            key("by-alias", adopt={"alias": namespace, "policy": "AdoptOrCreate"}),
            key("or-create", adopt={"alias": f"{namespace}-none", "policy": "AdoptOrCreate"}, aliases=[f"{namespace}-none"]),
            key("watched", adopt={"keyId": watched}, managementPolicy="Observe", description="not to be written"),
            key("aws", adopt={"alias": "alias/aws/ebs"}),
            key("elsewhere", adopt={"arn": "arn:aws:kms:us-east-1:999999999999:key/k"}),
            key("none", adopt={"keyId": "00000000-0000-4000-8000-000000000000"}),
            {**key("planned"), "metadata": {"name": "planned", "annotations": {PLAN_ANNOTATION: "true"}}},
        )
        adopted = {"by-id": mine, "by-arn": by_arn, "by-alias": by_alias, "old": old}
        for name, key_id in adopted.items():
            assert tenant.until_settled(name)["keyId"] == key_id
            assert owner(tenant, key_id) == f"{namespace}/{name}"
        tenant.apply(key("second", adopt={"keyId": mine}))
        _refusals(tenant, mine)
        _what_is_left_alone(tenant, {"watched": watched, "by-id": mine, "old": old}, disabled)
        assert tenant.described(by_arn)["Description"] == "mine now"
        made = tenant.until_settled("or-create")["keyId"]
        assert owner(tenant, made) == f"{namespace}/or-create"
        assert "keyId" not in tenant.until("planned", lambda obj: "plan" in obj["status"])["status"]
        _restore_from_a_backup(tenant, "by-arn", by_arn)
        with pytest.raises(KubectlError, match="adopt cannot change once the object has its key"):
            tenant.change("by-id", {"adopt": {"keyId": watched}})
        tenant.leave()
    states = {name: tenant.described(key_id)["KeyState"] for name, key_id in {**adopted, "watched": watched, "or-create": made}.items()}
    assert states == dict.fromkeys(("by-arn", "by-alias", "old", "or-create"), "PendingDeletion") | {"by-id": "Enabled", "watched": "Enabled"}


def _refusals(tenant: Tenant, mine: str) -> None:
    for name in ("aws", "elsewhere", "second"):
        tenant.until_ready("AdoptionRefused", name)
    assert mine in tenant.until_ready("AdoptionRefused", "second")["message"]
    tenant.until_ready("KeyNotFound", "none")


def _what_is_left_alone(tenant: Tenant, keys: dict[str, str], disabled: str) -> None:
    """What the specs do not say stays; and a key that is only observed has not even owner tags."""
    described = [tenant.described(key_id) for key_id in keys.values()]
    assert {one["KeyState"] for one in described} == {"Enabled"}
    assert all(one["Description"].isdigit() for one in described)
    assert tenant.until_ready("Available", "watched")["status"] == "True"
    assert owner(tenant, keys["watched"]) is None
    tenant.until_ready("KeyDisabled", "old-disabled")
    assert (tenant.described(disabled)["KeyState"], owner(tenant, disabled)) == ("Disabled", f"{tenant.namespace}/old-disabled")


def _restore_from_a_backup(tenant: Tenant, name: str, key_id: str) -> None:
    """Without its status, as most backups have it: the annotation is enough."""
    annotated = tenant.until(name, lambda obj: KEY_ID_ANNOTATION in obj["metadata"].get("annotations", {}))
    tenant.change(name, {"deletionPolicy": "Retain"})
    tenant.until_settled(name)
    tenant.delete(name)
    metadata = {"name": name, "annotations": {KEY_ID_ANNOTATION: annotated["metadata"]["annotations"][KEY_ID_ANNOTATION]}}
    tenant.apply({**key(name, description="mine now", tags={"a": "b"}), "metadata": metadata})
    assert tenant.until_settled(name)["keyId"] == key_id
    wait_until(lambda: tenant.described(key_id)["KeyState"] == "Enabled", SOON_SECONDS, "the key")
