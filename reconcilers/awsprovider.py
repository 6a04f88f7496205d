"""plan_awsprovider: what an AWSProvider's status says, from what STS said and from who uses it; and whether it may go.

Rules:
1. The finalizer is put on a provider before its first key is made, and taken off when no KMSKey comes to it any more, with a key or without:
   so that a key that is just being made cannot lose it.
2. A provider that is being deleted waits only for those that have, or may have, a key in AWS: without it their keys could not be deleted.
   The others get no key from it any more.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reconcilers.conditions import Finding, Progress, Verdict, conditions
from reconcilers.provider_fields import AWSProviderStatus
from reconcilers.reasons import Reason
from reconcilers.states import Unobservable

LOOK_AGAIN = timedelta(seconds=30)  # a Secret that was rotated, mended or spoilt shows within a minute


@dataclass(frozen=True, slots=True)
class Identity:
    """GetCallerIdentity's answer."""

    account_id: str
    arn: str


@dataclass(frozen=True, slots=True)
class Users:
    """How many objects come to a provider, and how many of them have our finalizer, and so have, or may have, something in AWS."""

    objects: int
    keys: int


@dataclass(frozen=True, slots=True)
class ProviderPlan:
    """The status to report and when to look again."""

    status: AWSProviderStatus
    look_again: timedelta


def plan_awsprovider(
    generation: int, before: AWSProviderStatus, identity: Identity | Unobservable, users: Users, now: datetime
) -> ProviderPlan:
    """The status of a provider whose credentials were tried just now."""
    if isinstance(identity, Unobservable):
        finding = Finding(False, identity.reason, identity.message)
        return ProviderPlan(_status(generation, before, finding, now, ready=False, keys_in_use=users.keys), LOOK_AGAIN)
    message = f"AWS knows these credentials as {identity.arn}."
    finding = Finding(True, Reason.AUTHENTICATION_SUCCEEDED, message)
    seen = {"ready": True, "account_id": identity.account_id, "caller_identity": identity.arn, "keys_in_use": users.keys}
    return ProviderPlan(_status(generation, before, finding, now, **seen), LOOK_AGAIN)


def plan_leaving(generation: int, before: AWSProviderStatus, users: Users, now: datetime) -> ProviderPlan:
    """The status of a provider that is being deleted and that keys still need."""
    message = "It goes once no key needs it: delete the objects that use it (status.keysInUse tells how many), or let them use another."
    finding = Finding(False, Reason.DELETING, message)
    return ProviderPlan(_status(generation, before, finding, now, ready=False, keys_in_use=users.keys), LOOK_AGAIN)


def shall_be_held(users: Users, *, deleting: bool, is_held: bool) -> bool:
    """Whether the finalizer shall be on the provider; is_held: whether it is now."""
    if users.keys:
        return True
    return is_held and users.objects > 0 and not deleting


def _status(generation: int, before: AWSProviderStatus, finding: Finding, now: datetime, **seen: object) -> AWSProviderStatus:
    """lastAuthenticationTime moves only with another change: a status that changed by itself would be written for ever."""
    troubled = Progress.WORKING if finding.reason in (Reason.AWS_UNAVAILABLE, Reason.DELETING) else Progress.STALLED
    verdict = Verdict(finding, None, Progress.SETTLED if finding.holds else troubled)
    new_conditions = conditions(verdict, before.conditions, generation, now)
    after = before.model_copy(update={"observed_generation": generation, "conditions": new_conditions, **seen})
    if after == before or not finding.holds:
        return after
    return after.model_copy(update={"last_authentication_time": now})
