"""STS: who we are, and how we become somebody else for an hour.

Lifetimes are measured between two readings of AWS's own clock, the expiry and the answer's Date: a wrong clock of ours cannot make
credentials look fresh or old.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.parsers import ResponseParserError

from aws.channels import Channel
from aws.credentials import StaticCredentials
from aws.errors import translate

ROLE_SECONDS = 3600  # the longest that AWS allows for a role assumed with another role's credentials


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """Whom AWS sees: the account's 12 digits and the ARN of a user, role session or root."""

    account_id: str
    arn: str

    def is_session_of(self, role_arn: str) -> bool:
        """True for a session of that role. The session's ARN leaves out the role's path, and role names are unique without it."""
        _, partition, _, _, account, role = role_arn.split(":", 5)
        return self.arn.startswith(f"arn:{partition}:sts::{account}:assumed-role/{role.rsplit('/', 1)[-1]}/")


@dataclass(frozen=True, slots=True)
class RoleSession:
    """Credentials for a while. seconds: how long they last, from when they were asked for."""

    credentials: StaticCredentials
    seconds: float


async def caller_identity(channel: Channel) -> CallerIdentity:
    """Asks AWS who we are. Raises AWSError."""
    answer = await channel.call("sts", "GetCallerIdentity", {})
    try:
        return CallerIdentity(answer["Account"], answer["Arn"])
    except KeyError:
        raise translate("GetCallerIdentity", ResponseParserError()) from None


async def assume_role(channel: Channel, operation: str, parameters: dict[str, Any]) -> RoleSession:
    """AssumeRole or AssumeRoleWithWebIdentity. Raises AWSError."""
    answer = await channel.call("sts", operation, {"DurationSeconds": ROLE_SECONDS, **parameters})
    try:
        given = answer["Credentials"]
        credentials = StaticCredentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return RoleSession(credentials, (given["Expiration"] - _date(answer)).total_seconds())
    except (KeyError, TypeError, ValueError):
        raise translate(operation, ResponseParserError()) from None


def _date(answer: dict[str, Any]) -> datetime:
    """AWS's clock when it answered; ours if a proxy took the header away."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)
