"""plan_awsprovider: what an AWSProvider's status says, from what STS said."""

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
class ProviderPlan:
    """The status to report and when to look again."""

    status: AWSProviderStatus
    look_again: timedelta


def plan_awsprovider(
    generation: int, before: AWSProviderStatus, identity: Identity | Unobservable, now: datetime
) -> ProviderPlan:
    """The status of a provider whose credentials were tried just now."""
    if isinstance(identity, Unobservable):
        finding = Finding(False, identity.reason, identity.message)
        return ProviderPlan(_status(generation, before, finding, now, ready=False), LOOK_AGAIN)
    message = f"AWS knows these credentials as {identity.arn}."
    finding = Finding(True, Reason.AUTHENTICATION_SUCCEEDED, message)
    seen = {"ready": True, "account_id": identity.account_id, "caller_identity": identity.arn}
    return ProviderPlan(_status(generation, before, finding, now, **seen), LOOK_AGAIN)


def _status(generation: int, before: AWSProviderStatus, finding: Finding, now: datetime, **seen: object) -> AWSProviderStatus:
    """lastAuthenticationTime moves only with another change: a status that changed by itself would be written for ever."""
    troubled = Progress.WORKING if finding.reason == Reason.AWS_UNAVAILABLE else Progress.STALLED
    verdict = Verdict(finding, None, Progress.SETTLED if finding.holds else troubled)
    new_conditions = conditions(verdict, before.conditions, generation, now)
    after = before.model_copy(update={"observed_generation": generation, "conditions": new_conditions, **seen})
    if after == before or not finding.holds:
        return after
    return after.model_copy(update={"last_authentication_time": now})
