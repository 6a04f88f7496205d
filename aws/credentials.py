"""Who we are to AWS and where: the resolved form of a provider's spec. Secrets in here appear in no repr and so in no log line.

Equality compares the secrets too: that is how a changed Secret is noticed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws.quotas import RateLimits


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """An access key, from a Secret or from STS. repr shows none of it."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """One place and one identity. credentials None: the pod's own chain; endpoint None: the environment's, else AWS's own."""

    region: str
    endpoint: str | None
    credentials: StaticCredentials | None


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What a provider asks for. provider: its namespace/name; role_arn is for the pod's own identity, assume_role_arn comes after it."""

    provider: str
    region: str
    endpoint: str | None = None
    static: StaticCredentials | None = None
    role_arn: str | None = None
    assume_role_arn: str | None = None
    external_id: str | None = field(default=None, repr=False)
    session_name: str = "infra-operator"
    session_tags: Mapping[str, str] = field(default_factory=dict)
    limits: RateLimits = field(default_factory=RateLimits)

    @property
    def access(self) -> Access:
        """Where it starts, before any role."""
        return Access(self.region, self.endpoint, self.static)
