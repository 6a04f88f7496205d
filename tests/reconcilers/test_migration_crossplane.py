from typing import Any

import pytest
import yaml

from reconcilers.migration import Found, FoundKey, FoundPart
from reconcilers.migration_crossplane import from_crossplane

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:eu-central-1:111122223333:key/{ID}"
UPBOUND: dict[str, Any] = yaml.safe_load(f"""
apiVersion: kms.aws.upbound.io/v1beta1
kind: Key
metadata:
  annotations: {{crossplane.io/external-name: {ID}}}
  finalizers: [finalizer.managedresource.crossplane.io]
  name: orders
spec:
  deletionPolicy: Orphan
  forProvider:
    customerMasterKeySpec: SYMMETRIC_DEFAULT
    deletionWindowInDays: 7
    description: Orders at rest
    enableKeyRotation: true
    isEnabled: true
    keyUsage: ENCRYPT_DECRYPT
    multiRegion: false
    policy: '{{"Version": "2012-10-17"}}'
    region: eu-central-1
    rotationPeriodInDays: 365
    tags:
      crossplane-kind: key.kms.aws.upbound.io
      crossplane-name: orders
      crossplane-providerconfig: default
      team: shop
  managementPolicies: ['*']
  providerConfigRef: {{name: default}}
status:
  atProvider:
    arn: {ARN}
    id: {ID}
    keyId: {ID}
""")
COMMUNITY: dict[str, Any] = yaml.safe_load(f"""
apiVersion: kms.aws.crossplane.io/v1alpha1
kind: Key
metadata:
  annotations: {{crossplane.io/external-name: {ID}}}
  name: dev-key
spec:
  deletionPolicy: Delete
  forProvider:
    enableKeyRotation: false
    enabled: false
    pendingWindowInDays: 10
    policy: '{{"Version": "2012-10-17"}}'
    region: eu-central-1
    tags:
    - {{tagKey: k1, tagValue: v1}}
status:
  atProvider:
    arn: {ARN}
    keyID: {ID}
""")


def crossplane(
    kind: str, wish: dict[str, Any], external: str | None = None, group: str = "kms.aws.upbound.io", **spec: Any
) -> Any:
    annotations = {"crossplane.io/external-name": external} if external else {}
    whole = {"deletionPolicy": "Orphan", "forProvider": wish, **spec}
    return {
        "apiVersion": f"{group}/v1beta1",
        "kind": kind,
        "metadata": {"name": "part", "annotations": annotations},
        "spec": whole,
    }


def test_a_key_of_upbounds_provider_is_found() -> None:
    spec = {
        "description": "Orders at rest",
        "keyUsage": "ENCRYPT_DECRYPT",
        "keySpec": "SYMMETRIC_DEFAULT",
        "multiRegion": False,
        "enabled": True,
        "keyPolicy": '{"Version": "2012-10-17"}',
        "tags": {"team": "shop"},
        "enableKeyRotation": True,
        "rotationPeriodInDays": 365,
        "pendingWindowInDays": 7,
    }
    assert from_crossplane([UPBOUND]) == Found([FoundKey("Key orders", "orders", None, ID, ARN, spec, "object/orders")])


def test_a_key_of_the_communitys_provider_is_found() -> None:
    spec = {
        "enabled": False,
        "keyPolicy": '{"Version": "2012-10-17"}',
        "tags": {"k1": "v1"},
        "enableKeyRotation": False,
        "pendingWindowInDays": 10,
    }
    found = from_crossplane([COMMUNITY])
    assert found.keys == [FoundKey("Key dev-key", "dev-key", None, ID, ARN, spec, "object/dev-key")]
    assert found.notes == [
        "Key dev-key: set spec.deletionPolicy: Orphan before it is deleted, or Crossplane deletes in AWS what it stands for"
    ]


def test_the_name_that_crossplane_gives_a_key_before_it_is_made_is_no_id() -> None:
    (found,) = from_crossplane([crossplane("Key", {}, external="part")]).keys
    assert (found.key_id, found.arn) == (None, None)


def test_imported_material_is_told_by_the_kind() -> None:
    (found,) = from_crossplane([crossplane("ExternalKey", {"enabled": True}, external=ID)]).keys
    assert found.spec == {"origin": "EXTERNAL", "enabled": True}


@pytest.mark.parametrize(
    ("wish", "target"),
    [
        ({"targetKeyId": ID}, ID),
        ({"targetKeyId": ARN, "targetKeyIdRef": {"name": "orders"}}, ARN),
        ({"targetKeyIdRef": {"name": "orders"}}, "object/orders"),
        ({"targetKeyIdSelector": {"matchLabels": {"a": "b"}}}, None),
    ],
)
def test_an_alias_is_found_with_its_target(wish: dict[str, Any], target: str | None) -> None:
    found = from_crossplane([crossplane("Alias", wish, "alias/orders", "kms.aws.crossplane.io")])
    assert found == Found(aliases=[FoundPart("Alias part", "part", None, target, {"aliasName": "alias/orders"})])


def test_references_stay_within_a_namespace_where_there_are_some() -> None:
    alias = crossplane("Alias", {"targetKeyIdRef": {"name": "orders"}}, "alias/a", "kms.aws.m.upbound.io")
    alias["metadata"]["namespace"] = "shop"
    (found,) = from_crossplane([alias]).aliases
    assert (found.where, found.namespace, found.target) == ("Alias shop/part", "shop", "object/shop/orders")


@pytest.mark.parametrize("constraints", [[{"encryptionContextSubset": {"a": "b"}}], {"encryptionContextSubset": {"a": "b"}}])
def test_a_grant_is_found_whichever_way_its_constraints_are_kept(constraints: Any) -> None:
    wish = {"name": "app", "keyId": ID, "granteePrincipal": "arn:aws:iam::111122223333:user/root", "operations": ["Verify"]}
    (found,) = from_crossplane([crossplane("Grant", {**wish, "constraints": constraints})]).grants
    assert (found.target, found.spec) == (
        ID,
        {
            "granteePrincipal": "arn:aws:iam::111122223333:user/root",
            "operations": ["Verify"],
            "name": "app",
            "constraints": {"encryptionContextSubset": {"a": "b"}},
        },
    )


@pytest.mark.parametrize(
    ("spec", "is_left"),
    [
        ({"deletionPolicy": "Orphan"}, True),
        ({"deletionPolicy": "Delete"}, False),
        ({"deletionPolicy": None}, False),
        ({"deletionPolicy": "Orphan", "managementPolicies": ["*"]}, True),
        ({"deletionPolicy": "Delete", "managementPolicies": ["Observe", "Create", "Update"]}, True),
        ({"deletionPolicy": "Orphan", "managementPolicies": ["Observe", "Delete"]}, False),
    ],
)
def test_what_crossplane_would_delete_in_aws_is_told(spec: dict[str, Any], is_left: bool) -> None:
    assert (from_crossplane([crossplane("Key", {}, ID, **spec)]).notes == []) is is_left


@pytest.mark.parametrize(
    ("kind", "words"),
    [("ReplicaKey", "a replica is not taken over"), ("Ciphertext", "it holds data"), ("New", "there is no counterpart")],
)
def test_what_has_no_counterpart_is_told(kind: str, words: str) -> None:
    (told,) = from_crossplane([crossplane(kind, {})]).left_out
    assert told.startswith(f"{kind} part: {words}")


def test_other_objects_are_passed_over() -> None:
    assert from_crossplane([{"apiVersion": "s3.aws.upbound.io/v1beta1", "kind": "Bucket", "metadata": {"name": "x"}}]) == Found()
