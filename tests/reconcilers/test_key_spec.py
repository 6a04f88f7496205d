"""The spec of a key is read as strictly as the API server judges it."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from reconcilers.key_spec import KMSKeySpec

FULL = {
    "providerRef": {"name": "production", "namespace": "shop"},
    "description": "Orders",
    "keyUsage": "SIGN_VERIFY",
    "keySpec": "RSA_2048",
    "customerMasterKeySpec": "RSA_2048",
    "origin": "EXTERNAL_KEY_STORE",
    "customKeyStoreId": "cks-1234567890abcdef0",
    "xksKeyId": "xks.key-1",
    "multiRegion": True,
    "enabled": False,
    "enableKeyRotation": False,
    "rotateOnDemand": "2026-03",
    "rotationPeriodInDays": 90,
    "keyPolicy": '{"Statement": []}',
    "bypassPolicyLockoutSafetyCheck": True,
    "tags": {"team": "shop", "empty": ""},
    "aliases": ["orders", "alias/shop/orders"],
    "grants": [
        {
            "name": "verifier",
            "granteeRoleArn": "arn:aws:iam::123456789012:role/verifier",
            "granteePrincipal": "arn:aws:iam::123456789012:user/verifier",
            "operations": ["Verify", "GetPublicKey"],
            "retiringPrincipal": "arn:aws:iam::123456789012:root",
            "constraints": {
                "encryptionContextEquals": {"a": "b"},
                "encryptionContextSubset": {"a": "b"},
                "sourceArn": "arn:aws:s3:eu-west-1:123456789012:bucket",
            },
        }
    ],
    "exportTo": {"kind": "Secret", "name": "orders-key"},
    "grantableFrom": {"names": ["mail"], "selector": None},
    "replicas": [
        {
            "region": "eu-west-1",
            "description": "Europe",
            "keyPolicy": '{"Statement": []}',
            "tags": {"team": "mail"},
            "aliases": ["europe"],
            "enabled": False,
            "pendingWindowInDays": 9,
        }
    ],
    "deletionPolicy": "Retain",
    "pendingWindowInDays": 7,
    "deletionProtection": True,
    "driftPolicy": "Report",
    "ignoreDrift": ["description", "tags", "tags.cost:center", "deletionState"],
    "resyncInterval": "1h30m",
    "suspend": True,
    "adopt": {"keyId": "k", "arn": "arn:aws:kms:us-east-1:123456789012:key/k", "alias": "orders", "policy": "AdoptOrCreate"},
    "managementPolicy": "Observe",
}


def spec(**fields: Any) -> KMSKeySpec:
    return KMSKeySpec.model_validate_json(json.dumps(fields))


def test_a_spec_comes_back_as_it_was_written() -> None:
    assert json.loads(spec(**FULL).model_dump_json(by_alias=True)) == FULL


def test_what_is_unset_stays_unset() -> None:
    assert spec().model_dump(exclude_none=True) == {}
    assert spec(enabled=False).model_dump(exclude_none=True) == {"enabled": False}


@pytest.mark.parametrize(
    "bad",
    [
        *({"enabled": value} for value in ("no", "true", 0, 1)),
        *({"pendingWindowInDays": value} for value in (6, 31, 0, 7.5, 10**9, "30", True)),
        *({"rotationPeriodInDays": value} for value in (89, 2561)),
        *({"keySpec": value} for value in ("", "rsa_2048", "RSA 2048", "A" * 65, 7)),
        *({"deletionPolicy": value} for value in ("delete", "Orphan", "")),
        *({"keyPolicy": value} for value in ("", "   ", "{\u20ac}", "{\x00}", "x" * 131_073)),
        {"keyPolicy": {}},
        *({"description": value} for value in ("x" * 8193, "\x00", "\x07")),
        *({"tags": {"team": value}} for value in ("x" * 257, " x", "x ", "a\nb", "\U0001f511")),
        *({"aliases": [value]} for value in ("", "a:b", "a b", "aws/s3", "alias/aws/s3", "x" * 257, 7)),
        {"aliases": [str(number) for number in range(51)]},
        {"aliases": "orders"},
        {"tags": {"team": None}},
        {"tags": {"team": 7}},
        {"tags": {str(number): "x" for number in range(48)}},
        *({"providerRef": value} for value in ({}, {"name": ""}, {"name": "Production"}, {"name": "a", "namespace": ""}, "production")),
        [],
    ],
    ids=lambda bad: str(bad)[:40],
)
def test_what_the_server_refuses_is_refused_here_too(bad: Any) -> None:
    with pytest.raises(ValidationError):
        KMSKeySpec.model_validate_json(json.dumps(bad))


def test_fields_of_tomorrow_are_ignored() -> None:
    assert spec(tomorrow=True) == spec()


@pytest.mark.parametrize("value", ["SYMMETRIC_DEFAULT", "SM2", "AES_999", "ML_DSA_87"])
def test_specs_of_tomorrow_are_read(value: str) -> None:
    assert spec(keySpec=value).resolved_key_spec == value


@pytest.mark.parametrize(
    ("fields", "resolved"),
    [
        ({}, ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", True)),
        ({"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}, ("RSA_2048", "SIGN_VERIFY", True)),
        ({"customerMasterKeySpec": "RSA_2048", "enabled": True}, ("RSA_2048", "ENCRYPT_DECRYPT", True)),
        ({"enabled": False}, ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", False)),
    ],
)
def test_the_defaults(fields: dict[str, Any], resolved: tuple[str, str, bool]) -> None:
    made = spec(**fields)
    assert (made.resolved_key_spec, made.resolved_key_usage, made.wants_enabled) == resolved


def test_tag_keys_that_differ_in_case_or_form_are_different() -> None:
    tags = {"team": "a", "Team": "b", "caf\u00e9": "c", "cafe\u0301": "d"}
    assert spec(tags=tags).tags == tags
