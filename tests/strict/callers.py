"""Who calls: the access keys that this AWS knows, and the sessions that its STS hands out.

Rules:
1. A known access key is an account's user. Besides those that were added, "test" is one of the default account, and any twelve digits are a
   user of the account of that number; their secret is "test".
2. A session is the role that was assumed, in the account of the role's ARN, until it expires. Trust policies are not modelled.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.identities import ACCOUNT_ID, Credentials
from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_writes import Caller
from tests.strict.signatures import Signed

TEST = "test"


@dataclass(frozen=True)
class Session:
    """What AssumeRole gave away."""

    access_key_id: str
    secret_access_key: str
    token: str
    arn: str
    account_id: str
    expires: datetime

    @property
    def canaries(self) -> tuple[str, str, str]:
        """What nobody may be told."""
        return self.access_key_id, self.secret_access_key, self.token


class Callers:
    """All who may call."""

    def __init__(self) -> None:
        self._users: dict[str, Credentials] = {TEST: Credentials(TEST, TEST, ACCOUNT_ID, TEST)}
        self._sessions: dict[str, Session] = {}

    def add(self, user: Credentials) -> None:
        self._users[user.access_key_id] = user

    def revoke(self, access_key_id: str) -> None:
        """From now on unknown, as is whatever was never added."""
        self._users.pop(access_key_id, None)
        self._sessions.pop(access_key_id, None)

    def lend(self, session: Session) -> None:
        """A session that no call has made."""
        self._sessions[session.access_key_id] = session

    @property
    def sessions(self) -> list[Session]:
        """All that were given away."""
        return list(self._sessions.values())

    def recognise(self, signed: Signed, token: str, now: datetime) -> tuple[Caller, str]:
        """The caller, and the secret that must have signed. Raises RefusedError."""
        session = self._sessions.get(signed.access_key_id)
        if session is not None:
            return self._of_session(session, signed, token, now)
        user = self._users.get(signed.access_key_id) or _of_number(signed.access_key_id)
        if user is None or token:
            raise _unknown(signed.service)
        return user.caller(signed.region), user.secret_access_key

    def assume(self, parameters: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """AssumeRole and AssumeRoleWithWebIdentity. Raises RefusedError."""
        role_arn, name = str(parameters["RoleArn"]), str(parameters["RoleSessionName"])
        parts = role_arn.split(":")
        if len(parts) != 6 or not parts[5].startswith("role/"):
            raise RefusedError("ValidationError", f"{role_arn} is invalid")
        role = parts[5].rpartition("/")[2]
        arn = f"arn:{parts[1]}:sts::{parts[4]}:assumed-role/{role}/{name}"
        key_id = f"ASIA{secrets.token_hex(8).upper()}"
        ends = now + timedelta(seconds=parameters.get("DurationSeconds", 3600))
        session = Session(key_id, secrets.token_urlsafe(30), secrets.token_urlsafe(60), arn, parts[4], ends)
        self.lend(session)
        keys = {
            "AccessKeyId": key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": session.token,
            "Expiration": ends,
        }
        return {"Credentials": keys, "AssumedRoleUser": {"AssumedRoleId": f"AROA{role.upper()[:17]}:{name}", "Arn": arn}}

    def _of_session(self, session: Session, signed: Signed, token: str, now: datetime) -> tuple[Caller, str]:
        if token != session.token:
            raise _unknown(signed.service)
        if now >= session.expires:
            raise expired(signed.service)
        return Caller(session.account_id, session.arn, signed.region), session.secret_access_key


def expired(service: str) -> RefusedError:
    """As each service says it."""
    code, status = ("ExpiredToken", 403) if service == "sts" else ("ExpiredTokenException", 400)
    return RefusedError(code, "The security token included in the request is expired", status)


def _of_number(access_key_id: str) -> Credentials | None:
    is_account = access_key_id.isdecimal() and len(access_key_id) == 12
    return Credentials(access_key_id, TEST, access_key_id, TEST) if is_account else None


def _unknown(service: str) -> RefusedError:
    code = "InvalidClientTokenId" if service == "sts" else "UnrecognizedClientException"
    return RefusedError(code, "The security token included in the request is invalid.", 403 if service == "sts" else 400)
