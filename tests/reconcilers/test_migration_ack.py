from typing import Any

import pytest
import yaml

from reconcilers.migration import Found, FoundKey, FoundPart
from reconcilers.migration_ack import from_ack

ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
# As kubectl get keys.kms.services.k8s.aws -o yaml prints one.
KEY: dict[str, Any] = yaml.safe_load("""
apiVersion: kms.services.k8s.aws/v1alpha1
kind: Key
metadata:
  annotations:
    services.k8s.aws/deletion-policy: retain
  finalizers: [finalizers.kms.services.k8s.aws/Key]
  name: orders
  namespace: shop
spec:
  bypassPolicyLockoutSafetyCheck: false
  description: Orders at rest
  enableKeyRotation: true
  keySpec: SYMMETRIC_DEFAULT
  keyUsage: ENCRYPT_DECRYPT
  multiRegion: false
  origin: AWS_KMS
  policy: '{"Version": "2012-10-17", "Statement": []}'
  tags:
  - {tagKey: team, tagValue: shop}
  - {tagKey: services.k8s.aws/namespace, tagValue: shop}
status:
  ackResourceMetadata:
    arn: arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
    ownerAccountID: "111122223333"
    region: eu-central-1
  awsAccountID: "111122223333"
  enabled: true
  keyID: 1234abcd-12ab-34cd-56ef-1234567890ab
  keyState: Enabled
""")
RETAIN = {"annotations": {"services.k8s.aws/deletion-policy": "retain"}}


def ack(kind: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    named = {"name": "part", "namespace": "shop", **(metadata or RETAIN)}
    return {"apiVersion": "kms.services.k8s.aws/v1alpha1", "kind": kind, "metadata": named, "spec": spec}


def test_a_key_is_found_with_all_that_it_declares() -> None:
    spec = {
        "description": "Orders at rest",
        "keyUsage": "ENCRYPT_DECRYPT",
        "keySpec": "SYMMETRIC_DEFAULT",
        "multiRegion": False,
        "origin": "AWS_KMS",
        "keyPolicy": '{"Version": "2012-10-17", "Statement": []}',
        "tags": {"team": "shop"},
        "enableKeyRotation": True,
    }
    found = FoundKey("Key shop/orders", "orders", "shop", ARN.rpartition("/")[2], ARN, spec, "object/shop/orders")
    assert from_ack([KEY]) == Found([found])


def test_a_key_that_is_not_made_yet_is_found_without_an_id() -> None:
    (found,) = from_ack([ack("Key", {})]).keys
    assert (found.key_id, found.arn, found.spec) == (None, None, {})


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        ({"targetKeyID": ARN}, ARN),
        ({"targetKeyRef": {"from": {"name": "orders"}}}, "object/shop/orders"),
        ({"targetKeyRef": {"from": {"name": "orders", "namespace": "other"}}}, "object/other/orders"),
        ({}, None),
    ],
)
def test_an_alias_is_found_with_its_target(spec: dict[str, Any], target: str | None) -> None:
    found = from_ack([ack("Alias", {"name": "alias/orders", **spec})])
    assert found == Found(aliases=[FoundPart("Alias shop/part", "part", "shop", target, {"aliasName": "alias/orders"})])


def test_a_grant_is_found_with_its_terms() -> None:
    spec = {
        "constraints": {"encryptionContextEquals": {"Department": "Finance"}},
        "granteePrincipal": "arn:aws:iam::111122223333:role/app",
        "keyRef": {"from": {"name": "orders"}},
        "name": "app",
        "operations": ["Encrypt", "Decrypt"],
        "retiringPrincipal": "arn:aws:iam::111122223333:role/admin",
    }
    (found,) = from_ack([ack("Grant", spec)]).grants
    assert (found.target, found.spec) == (
        "object/shop/orders",
        {
            "granteeRoleArn": "arn:aws:iam::111122223333:role/app",
            "operations": ["Decrypt", "Encrypt"],
            "name": "app",
            "retiringPrincipal": "arn:aws:iam::111122223333:role/admin",
            "constraints": {"encryptionContextEquals": {"Department": "Finance"}},
        },
    )


@pytest.mark.parametrize("policy", [None, "delete"])
def test_what_ack_would_delete_in_aws_is_told(policy: str | None) -> None:
    annotations = {"services.k8s.aws/deletion-policy": policy} if policy else None
    (note,) = from_ack([ack("Key", {}, annotations=annotations)]).notes
    assert note.startswith("Key shop/part: set the annotation services.k8s.aws/deletion-policy: retain before it is deleted")


def test_other_objects_are_passed_over_and_other_kinds_of_ack_told() -> None:
    assert from_ack([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}]) == Found()
    assert from_ack([ack("Novelty", {})]).left_out == ["Novelty shop/part: there is no counterpart"]
