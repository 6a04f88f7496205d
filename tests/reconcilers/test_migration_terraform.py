from typing import Any

import pytest

from reconcilers.migration import Found, FoundKey, FoundPart
from reconcilers.migration_terraform import NoStateError, from_terraform

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:eu-central-1:111122223333:key/{ID}"
KEY: dict[str, Any] = {
    "arn": ARN,
    "bypass_policy_lockout_safety_check": False,
    "custom_key_store_id": "",
    "customer_master_key_spec": "SYMMETRIC_DEFAULT",
    "deletion_window_in_days": None,
    "description": "Orders at rest",
    "enable_key_rotation": True,
    "id": ID,
    "is_enabled": True,
    "key_id": ID,
    "key_usage": "ENCRYPT_DECRYPT",
    "multi_region": False,
    "policy": '{"Version":"2012-10-17"}',
    "rotation_period_in_days": 365,
    "tags": {"team": "shop"},
    "tags_all": {"team": "shop", "managed-by": "platform"},
    "timeouts": None,
    "xks_key_id": "",
}
SPEC = {
    "description": "Orders at rest",
    "keyUsage": "ENCRYPT_DECRYPT",
    "keySpec": "SYMMETRIC_DEFAULT",
    "enabled": True,
    "keyPolicy": '{"Version":"2012-10-17"}',
    "tags": {"team": "shop", "managed-by": "platform"},
    "enableKeyRotation": True,
    "rotationPeriodInDays": 365,
}


def state(kind: str, *values: dict[str, Any], name: str = "orders", index: Any = None, **more: Any) -> dict[str, Any]:
    """As terraform state pull prints it."""
    keys = {"index_key": index} if index is not None else {}
    instances = [{**keys, "schema_version": 0, "attributes": one, "sensitive_attributes": []} for one in values]
    provider = 'provider["registry.terraform.io/hashicorp/aws"]'
    resource = {"mode": "managed", "type": kind, "name": name, "provider": provider, "instances": instances, **more}
    return {"version": 4, "terraform_version": "1.9.0", "serial": 3, "lineage": "x", "outputs": {}, "resources": [resource]}


def shown(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """As terraform show -json prints it, in a module."""
    address = f"module.shop.{kind}.orders"
    resource = {"address": address, "mode": "managed", "type": kind, "name": "orders", "values": values}
    module = {"child_modules": [{"address": "module.shop", "resources": [resource]}]}
    return {"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": module}}


def test_a_key_of_a_state_is_found() -> None:
    found = from_terraform(state("aws_kms_key", KEY))
    assert found.keys == [FoundKey("aws_kms_key.orders", "orders", None, ID, ARN, SPEC)]
    assert found.notes == ["Before Terraform's next run: terraform state rm aws_kms_key.orders"]


def test_a_key_that_is_shown_as_json_is_found() -> None:
    found = from_terraform(shown("aws_kms_key", KEY))
    assert found.keys == [FoundKey("module.shop.aws_kms_key.orders", "shop.orders", None, ID, ARN, SPEC)]
    assert found.notes == ["Before Terraform's next run: terraform state rm module.shop.aws_kms_key.orders"]


@pytest.mark.parametrize(
    ("more", "index", "address"),
    [
        ({}, 0, "aws_kms_key.orders[0]"),
        ({"module": "module.shop"}, None, "module.shop.aws_kms_key.orders"),
        ({"module": 'module.shop["eu"]'}, "a", 'module.shop["eu"].aws_kms_key.orders["a"]'),
    ],
)
def test_the_address_is_the_one_that_terraform_wants(more: dict[str, Any], index: Any, address: str) -> None:
    found = from_terraform(state("aws_kms_key", KEY, index=index, **more))
    assert found.keys[0].where == address
    quoted = f"'{address}'" if "[" in address else address
    assert found.notes == [f"Before Terraform's next run: terraform state rm {quoted}"]


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"is_enabled": False}, "enabled", False),
        ({"multi_region": True}, "multiRegion", True),
        ({"deletion_window_in_days": 7}, "pendingWindowInDays", 7),
        ({"custom_key_store_id": "cks-1"}, "customKeyStoreId", "cks-1"),
        ({"enable_key_rotation": False}, "rotationPeriodInDays", None),
        ({"tags_all": None}, "tags", {"team": "shop"}),
    ],
)
def test_what_is_declared_otherwise_is_found(change: dict[str, Any], field: str, value: object) -> None:
    assert from_terraform(state("aws_kms_key", {**KEY, **change})).keys[0].spec.get(field) == value


def test_imported_material_is_told_by_the_type() -> None:
    values = {
        "arn": ARN,
        "id": ID,
        "enabled": True,
        "expiration_model": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        "key_material_base64": "secret",
    }
    (found,) = from_terraform(state("aws_kms_external_key", values)).keys
    assert (found.key_id, found.spec) == (ID, {"origin": "EXTERNAL", "enabled": True})


def test_an_alias_is_found_with_its_target() -> None:
    values = {"name": "alias/orders", "name_prefix": "", "target_key_arn": ARN, "target_key_id": ID}
    (found,) = from_terraform(state("aws_kms_alias", values)).aliases
    assert found == FoundPart("aws_kms_alias.orders", "orders", None, ARN, {"aliasName": "alias/orders"})


def test_a_grant_is_found_with_its_terms() -> None:
    values = {
        "constraints": [{"encryption_context_equals": {"Department": "Finance"}, "encryption_context_subset": {}}],
        "grant_id": "abc",
        "grantee_principal": "arn:aws:iam::111122223333:role/app",
        "id": f"{ID}:abc",
        "key_id": ID,
        "name": "app",
        "operations": ["Encrypt", "Decrypt"],
        "retiring_principal": "",
    }
    (found,) = from_terraform(state("aws_kms_grant", values)).grants
    assert (found.target, found.spec) == (
        ID,
        {
            "granteeRoleArn": "arn:aws:iam::111122223333:role/app",
            "operations": ["Decrypt", "Encrypt"],
            "name": "app",
            "constraints": {"encryptionContextEquals": {"Department": "Finance"}},
        },
    )


def test_a_grant_that_terraform_left_without_a_name_has_none() -> None:
    values = {"key_id": ID, "name": "", "grantee_principal": "arn:aws:iam::111122223333:role/app", "operations": ["Decrypt"]}
    assert "name" not in from_terraform(state("aws_kms_grant", values)).grants[0].spec


@pytest.mark.parametrize(
    ("kind", "words"),
    [("aws_kms_replica_key", "a replica is not taken over"), ("aws_kms_custom_key_store", "there is no counterpart")],
)
def test_what_has_no_counterpart_is_told(kind: str, words: str) -> None:
    (told,) = from_terraform(state(kind, {})).left_out
    assert told.startswith(f"{kind}.orders: {words}")


@pytest.mark.parametrize("kind", ["aws_kms_key_policy", "aws_kms_ciphertext", "aws_s3_bucket"])
def test_what_needs_no_owner_is_passed_over(kind: str) -> None:
    assert from_terraform(state(kind, {})) == Found()


def test_data_sources_are_passed_over() -> None:
    assert from_terraform(state("aws_kms_key", KEY, mode="data")) == Found()


@pytest.mark.parametrize("document", [{}, {"resources": "x"}, {"values": None}, {"version": 4, "values": {}}])
def test_another_document_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(NoStateError):
        from_terraform(document)
