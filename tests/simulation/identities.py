"""Who calls: access keys and what AWS knows about them, and STS's answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_writes import Caller

ACCOUNT_ID = "123456789012"
OTHER_ACCOUNT_ID = "999988887777"


@dataclass(frozen=True)
class Credentials:
    """An access key as AWS's own records hold it."""

    access_key_id: str
    secret_access_key: str
    account_id: str = ACCOUNT_ID
    user: str = "operator"

    def caller(self, region: str) -> Caller:
        return Caller(self.account_id, f"arn:aws:iam::{self.account_id}:user/{self.user}", region)


class Identities:
    """All access keys that are valid now."""

    def __init__(self, *known: Credentials) -> None:
        self._known = {one.access_key_id: one for one in known}
        self._expired: set[str] = set()

    def add(self, credentials: Credentials) -> None:
        """Also those that were not valid for a while."""
        self._known[credentials.access_key_id] = credentials
        self._expired.discard(credentials.access_key_id)

    def revoke(self, access_key_id: str) -> None:
        self._known.pop(access_key_id, None)

    def expire(self, access_key_id: str) -> None:
        """The session is over."""
        self._expired.add(access_key_id)

    def recognise(self, service: str, access_key_id: str, secret_access_key: str, region: str) -> Caller:
        """Raises RefusedError in the words of the service: KMS and STS have different ones."""
        if access_key_id in self._expired:
            code = "ExpiredToken" if service == "sts" else "ExpiredTokenException"
            raise RefusedError(code, "The security token included in the request is expired", 403)
        known = self._known.get(access_key_id)
        if known is None:
            code = "InvalidClientTokenId" if service == "sts" else "UnrecognizedClientException"
            raise RefusedError(code, "The security token included in the request is invalid.", 403)
        if known.secret_access_key != secret_access_key:
            code = "SignatureDoesNotMatch" if service == "sts" else "InvalidSignatureException"
            raise RefusedError(code, "The request signature we calculated does not match the signature you provided.", 403)
        return known.caller(region)


def answer(operation: str, parameters: Mapping[str, Any], caller: Caller, now: datetime) -> dict[str, Any]:
    """STS."""
    if operation == "GetCallerIdentity":
        return {"UserId": "AIDAEXAMPLE", "Account": caller.account_id, "Arn": caller.arn}
    role = {"AssumedRoleId": "AROAEXAMPLE:session", "Arn": parameters["RoleArn"]}
    ends = now + timedelta(seconds=parameters.get("DurationSeconds", 3600))
    keys = {"AccessKeyId": "ASIAEXAMPLEEXAMPLE00", "SecretAccessKey": "made", "SessionToken": "made", "Expiration": ends}
    return {"Credentials": keys, "AssumedRoleUser": role}
