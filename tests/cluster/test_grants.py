"""Grants on a real API server and an emulated AWS: what admission says, and what becomes of them in AWS."""

from typing import Any

import pytest

from tests.cluster.admission import stored
from tests.cluster.api import RefusedError
from tests.cluster.cluster import Cluster
from tests.cluster.processes import wait_until
from tests.cluster.tenant import SOON_SECONDS, Object, Tenant

ROLE = "arn:aws:iam::123456789012:role/app"
GRANT: Object = {"name": "app", "granteeRoleArn": ROLE, "operations": ["Decrypt"]}
USER: Object = {"name": "user", "granteePrincipal": "arn:aws:iam::123456789012:user/app", "operations": ["Encrypt"]}
SIGNING: Object = {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}
MAC: Object = {"keySpec": "HMAC_256", "keyUsage": "GENERATE_VERIFY_MAC"}
AGREEING: Object = {"keySpec": "ECC_NIST_P256", "keyUsage": "KEY_AGREEMENT"}


def limited(**constraints: Any) -> Object:
    return GRANT | {"constraints": constraints}


def allowing(*operations: str) -> Object:
    return GRANT | {"operations": list(operations)}


GOOD: list[tuple[str, Object]] = [
    ("none", {"grants": []}),
    ("100 grants", {"grants": [GRANT | {"name": str(number)} for number in range(100)]}),
    ("all that a symmetric key does", {"grants": [allowing("Encrypt", "GenerateDataKeyPair", "ReEncryptTo", "CreateGrant", "RetireGrant")]}),
    ("signing", {**SIGNING, "grants": [allowing("Sign", "Verify", "GetPublicKey", "DescribeKey")]}),
    ("encrypting with a public key", {"keySpec": "RSA_2048", "grants": [allowing("Encrypt", "GetPublicKey")]}),
    ("MACs", {**MAC, "grants": [allowing("GenerateMac", "VerifyMac")]}),
    ("agreement", {**AGREEING, "grants": [allowing("DeriveSharedSecret")]}),
    ("a retiring principal", {"grants": [GRANT | {"retiringPrincipal": "arn:aws:iam::123456789012:root"}]}),
    ("a whole context", {"grants": [limited(encryptionContextEquals={"k" * 384: "v" * 384} | {str(n): "" for n in range(7)})]}),
    ("a source", {"grants": [limited(sourceArn="arn:aws:s3:eu-west-1:123456789012:b")]}),
    ("almost nothing of tomorrow's", {"keySpec": "ML_KEM_768", "keyUsage": "ENCAPSULATE_DECAPSULATE", "grants": [allowing("DescribeKey")]}),
]
BAD: list[tuple[str, Object, str]] = [
    ("a public key of a symmetric key", {"grants": [allowing("GetPublicKey")]}, "a grant on a key that encrypts allows Encrypt"),
    ("a data key of RSA", {"keySpec": "RSA_2048", "grants": [allowing("GenerateDataKey")]}, "encrypts with a public key allows Encrypt"),
    ("Sign on a MAC key", {**MAC, "grants": [allowing("Sign")]}, "a grant on a key that makes MACs allows GenerateMac"),
    ("Sign on a key that agrees", {**AGREEING, "grants": [allowing("Sign")]}, "a grant on a key that agrees on keys allows Derive"),
    ("everybody of an account", {"grants": [USER | {"granteePrincipal": "arn:aws:iam::123456789012:user/*"}]}, "no grant to everybody"),
    ("two grantees", {"grants": [GRANT | USER]}, "write granteeRoleArn or granteePrincipal"),
    ("no grantee", {"grants": [{"name": "a", "operations": ["Decrypt"]}]}, "write granteeRoleArn or granteePrincipal"),
    ("a bad name", {"grants": [GRANT | {"name": "a b"}]}, "a grant's name takes letters, digits and :/_- only"),
    ("a key of 385", {"grants": [limited(encryptionContextSubset={"x" * 385: "a"})]}, "has 1 to 384 characters"),
    ("a source without an account", {"grants": [limited(sourceArn="arn:aws:s3:::my-own-bucket")]}, "the ARN of the resource with its account"),
    ("101 grants", {"grants": [GRANT | {"name": str(number)} for number in range(101)]}, "must have at most 100 items"),
]


@pytest.mark.parametrize("spec", [pytest.param(spec, id=name) for name, spec in GOOD])
def test_a_grant_is_taken_as_it_is_written(cluster: Cluster, spec: Object) -> None:
    assert stored(cluster, "KMSKey", spec) == spec


@pytest.mark.parametrize(("spec", "words"), [pytest.param(spec, words, id=name) for name, spec, words in BAD])
def test_what_cannot_be_granted_is_refused_with_what_to_write(cluster: Cluster, spec: Object, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        stored(cluster, "KMSKey", spec)
    assert words in str(refused.value)


def grants(tenant: Tenant, key_id: str) -> list[Object]:
    """The grants that AWS has for a key."""
    listed: list[Object] = tenant.kms.list_grants(KeyId=key_id)["Grants"]
    return listed


def test_grants_come_change_are_repaired_and_go_with_the_spec(tenant: Tenant) -> None:
    tenant.declare("k", grants=[limited(encryptionContextEquals={"app": "orders"}), USER])
    status = tenant.until_settled("k")
    key_id, made = status["keyId"], grants(tenant, status["keyId"])
    assert {grant["grantId"] for grant in status["grants"]} == {grant["GrantId"] for grant in made}
    theirs = tenant.kms.create_grant(KeyId=key_id, GranteePrincipal=ROLE, Operations=["Decrypt"], Name="theirs")["GrantId"]
    tenant.change("k", {"grants": [allowing("Decrypt", "Encrypt")]})
    tenant.until_settled("k")
    (mine,) = (grant for grant in grants(tenant, key_id) if grant["GrantId"] != theirs)
    assert (mine["Name"], mine["GranteePrincipal"], sorted(mine["Operations"])) == ("app", ROLE, ["Decrypt", "Encrypt"])
    tenant.kms.revoke_grant(KeyId=key_id, GrantId=mine["GrantId"])
    wait_until(lambda: len(grants(tenant, key_id)) == 2, SOON_SECONDS, "the grant to be made again")
    tenant.change("k", {"grants": None})
    assert "grants" not in tenant.until_settled("k")
    assert [grant["GrantId"] for grant in grants(tenant, key_id)] == [theirs]


def test_the_same_grant_is_made_once(tenant: Tenant) -> None:
    tenant.declare("k", grants=[GRANT])
    key_id = tenant.until_settled("k")["keyId"]
    before = grants(tenant, key_id)
    tenant.change("k", {"description": "another look"})
    tenant.until_settled("k")
    assert grants(tenant, key_id) == before


def test_force_deletion_revokes_what_was_granted(tenant: Tenant) -> None:
    tenant.declare("k", grants=[GRANT, USER], deletionPolicy="ForceDelete")
    key_id = tenant.until_settled("k")["keyId"]
    tenant.delete("k")
    assert grants(tenant, key_id) == []
    assert tenant.described(key_id)["KeyState"] == "PendingDeletion"
