"""Grants: read, made and revoked.

Rules:
1. A grant is made under its name. KMS answers the repetition of a call that says the same with the grant that there is.
2. A grant that is gone when it shall be revoked counts as revoked.
3. The grant token of an answer is dropped: it is a right, and nobody here needs it.
"""

from collections.abc import Mapping
from typing import Any

from aws.answers import GRANTS, decode
from aws.clients import Connection
from aws.errors import NotFoundError
from reconcilers.actions import CreateGrant, GrantChange, RevokeGrant
from reconcilers.states import Grant


async def read_grants(connection: Connection, key_id: str) -> Mapping[str, Grant]:
    """All grants of the key by id. Raises AWSError."""
    listed = await GRANTS.read(connection, {"KeyId": key_id})
    return decode("ListGrants", lambda: {told["GrantId"]: _decode(told) for told in listed})


async def change_grant(connection: Connection, action: GrantChange, key_id: str) -> dict[str, str]:
    """Carries the action out on the key of that id; the GrantId of a new grant. Raises AWSError and FencedError."""
    match action:
        case CreateGrant(grant=grant):
            answer = await connection.call("kms", "CreateGrant", {"KeyId": key_id, **_encode(grant)})
            return decode("CreateGrant", lambda: {"GrantId": answer["GrantId"]})
        case RevokeGrant(grant_id=grant_id):
            try:
                await connection.call("kms", "RevokeGrant", {"KeyId": key_id, "GrantId": grant_id})
            except NotFoundError:
                return {}
            return {}


def _encode(grant: Grant) -> dict[str, Any]:
    limits = {
        "EncryptionContextEquals": dict(grant.context_equals),
        "EncryptionContextSubset": dict(grant.context_subset),
        "SourceArn": grant.source_arn,
    }
    optional = {"RetiringPrincipal": grant.retiring, "Constraints": {name: limit for name, limit in limits.items() if limit}}
    return {
        "Name": grant.name,
        "GranteePrincipal": grant.grantee,
        "Operations": sorted(grant.operations),
        **{name: value for name, value in optional.items() if value},
    }


def _decode(told: Mapping[str, Any]) -> Grant:
    """AWS shows grants to its services, and grants without a name, too; they are like none of ours."""
    limits = told.get("Constraints", {})
    return Grant(
        name=told.get("Name", ""),
        grantee=told.get("GranteePrincipal") or told.get("GranteeServicePrincipal", ""),
        operations=frozenset(told["Operations"]),
        retiring=told.get("RetiringPrincipal") or told.get("RetiringServicePrincipal"),
        context_equals=tuple(sorted(limits.get("EncryptionContextEquals", {}).items())),
        context_subset=tuple(sorted(limits.get("EncryptionContextSubset", {}).items())),
        source_arn=limits.get("SourceArn"),
    )
