"""Grants: part of the key that they are about, never changed, and made once for each name that says the same.

Source: CreateGrant, RevokeGrant, RetireGrant, ListGrants and "Grant operations" of the KMS documentation.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tests.simulation.kms_errors import RefusedError, invalid_arn, limit_exceeded, validation
from tests.simulation.kms_keys import Key

MAX_GRANTS = 50_000
_ONLY_FOR_THE_CALL = ("KeyId", "DryRun", "GrantTokens")
_ALWAYS = {"DescribeKey", "CreateGrant", "RetireGrant"}
_ENCRYPTING = {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"}
_DATA_KEYS = {"GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"}
_BY_USAGE = {
    "ENCRYPT_DECRYPT": _ENCRYPTING | {"GetPublicKey"},
    "SIGN_VERIFY": {"Sign", "Verify", "GetPublicKey"},
    "GENERATE_VERIFY_MAC": {"GenerateMac", "VerifyMac"},
    "KEY_AGREEMENT": {"DeriveSharedSecret", "GetPublicKey"},
}


def create_grant(key: Key, parameters: Mapping[str, Any]) -> tuple[Key, dict[str, Any]]:
    """The key with the grant, and the answer. Raises RefusedError."""
    _check(key, parameters)
    said = {name: value for name, value in parameters.items() if name not in _ONLY_FOR_THE_CALL}
    known = next((grant["GrantId"] for grant in key.grants if "Name" in said and _said(grant) == _said(said)), None)
    grant_id = known or hashlib.sha256(f"{key.arn} {key.grants_made}".encode()).hexdigest()
    answer = {"GrantId": grant_id, "GrantToken": token_of(grant_id)}
    if known:
        return key, answer
    if len(key.grants) >= MAX_GRANTS:
        raise limit_exceeded(f"The number of grants of {key.arn} has reached its quota")
    grant = {**said, "GrantId": grant_id, "KeyId": key.arn}
    return replace(key, grants=(*key.grants, grant), grants_made=key.grants_made + 1), answer


def revoke_grant(key: Key, grant_id: str) -> Key:
    """The key without it. Raises RefusedError."""
    left = tuple(grant for grant in key.grants if grant["GrantId"] != grant_id)
    if len(left) == len(key.grants):
        raise RefusedError("NotFoundException", f"Grant ID {grant_id} not found")
    return replace(key, grants=left)


def token_of(grant_id: str) -> str:
    """What the answer to CreateGrant gives for the time until the grant is seen everywhere, and RetireGrant takes."""
    return f"token-of-{grant_id}"


def retired(keys: Iterable[Key], parameters: Mapping[str, Any]) -> dict[str, str]:
    """Which grant of which key a RetireGrant is about: one token, or the ARN of the key and the grant's id. Raises RefusedError."""
    token, arn, grant_id = (parameters.get(name) for name in ("GrantToken", "KeyId", "GrantId"))
    if (token is None) == (arn is None) or (arn is None) != (grant_id is None):
        raise validation("Either a GrantToken, or a KeyId with a GrantId, has to be given")
    if arn is not None and grant_id is not None:
        if not arn.startswith("arn:"):
            raise invalid_arn(f"Invalid arn {arn}")
        return {"KeyId": arn, "GrantId": grant_id}
    for key in keys:
        for grant in key.grants:
            if token_of(grant["GrantId"]) == token:
                return {"KeyId": key.arn, "GrantId": grant["GrantId"]}
    raise RefusedError("InvalidGrantTokenException", "The grant token is not one of a grant")


def _said(grant: Mapping[str, Any]) -> str:
    said = {name: value for name, value in grant.items() if name not in ("GrantId", "KeyId")}
    return json.dumps({**said, "Operations": sorted(said["Operations"])}, sort_keys=True)


def _check(key: Key, parameters: Mapping[str, Any]) -> None:
    if "GranteePrincipal" not in parameters:
        raise validation("A grant needs a grantee")
    own = _ENCRYPTING | _DATA_KEYS if key.spec == "SYMMETRIC_DEFAULT" else _BY_USAGE[key.usage]
    if not parameters["Operations"] or not set(parameters["Operations"]) <= own | _ALWAYS:
        raise validation(f"The operations of a grant are not valid for a {key.spec} key for {key.usage}")
    limits = parameters.get("Constraints", {})
    if key.spec != "SYMMETRIC_DEFAULT" and limits.keys() & {"EncryptionContextEquals", "EncryptionContextSubset"}:
        raise validation("An encryption context is for symmetric keys")
    if any(len(pairs) > 8 for name, pairs in limits.items() if name != "SourceArn"):
        raise validation("An encryption context of a grant has at most 8 pairs")
