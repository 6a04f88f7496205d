"""plan_awsprovider: what an AWSProvider's status says, from what STS said; and which provider a key belongs to.

Rules of resolution: providerRef; else the namespace's provider annotated is-default; else the only one in the namespace; else the operator's
default; else none. Between two, never guess. A provider of another namespace is refused unless it is the operator's default.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconcilers.conditions import Finding, Progress, Verdict, conditions
from reconcilers.key_spec import ProviderRef
from reconcilers.names import IS_DEFAULT_ANNOTATION
from reconcilers.provider_fields import AWSProviderStatus
from reconcilers.reasons import Reason
from reconcilers.states import Problem, Unobservable

LOOK_AGAIN = timedelta(seconds=30)  # a Secret that was rotated, mended or spoilt shows within a minute


@dataclass(frozen=True, slots=True)
class Identity:
    """GetCallerIdentity's answer."""

    account_id: str
    arn: str


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """As much of an AWSProvider as resolution needs."""

    namespace: str
    name: str
    is_default: bool


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


def resolve(ref: ProviderRef | None, namespace: str, known: Iterable[ProviderEntry], default: str) -> tuple[str, str] | Problem:
    """Namespace and name of the provider for a key of this namespace. default: NAMESPACE/NAME, or empty."""
    here = [entry for entry in known if entry.namespace == namespace]
    if ref is not None:
        return _referenced(ref, namespace, here, default)
    chosen = [entry for entry in here if entry.is_default] or here
    if len(chosen) == 1:
        return (namespace, chosen[0].name)
    if chosen:
        names = ", ".join(sorted(entry.name for entry in chosen))
        return Problem(
            Reason.PROVIDER_NOT_RESOLVED,
            f"Several AWSProviders could be meant: {names}. Set spec.providerRef, or annotate one of them {IS_DEFAULT_ANNOTATION}: "
            '"true".',
        )
    if default:
        default_namespace, _, name = default.partition("/")
        return (default_namespace, name)
    return Problem(
        Reason.PROVIDER_NOT_RESOLVED,
        f"There is no AWSProvider in the namespace {namespace}: create one, or set spec.providerRef.",
    )


def _referenced(ref: ProviderRef, namespace: str, here: list[ProviderEntry], default: str) -> tuple[str, str] | Problem:
    if ref.namespace is not None and f"{ref.namespace}/{ref.name}" == default:
        return (ref.namespace, ref.name)
    if ref.namespace not in (None, namespace):
        return Problem(
            Reason.PROVIDER_NOT_ALLOWED,
            f"spec.providerRef names an AWSProvider of the namespace {ref.namespace}, which keys of {namespace} may not use: "
            "create one in this namespace.",
        )
    if all(entry.name != ref.name for entry in here):
        return Problem(
            Reason.PROVIDER_NOT_FOUND,
            f"There is no AWSProvider {ref.name} in the namespace {namespace}: create it, or correct spec.providerRef.",
        )
    return (namespace, ref.name)


def _status(generation: int, before: AWSProviderStatus, finding: Finding, now: datetime, **seen: object) -> AWSProviderStatus:
    """lastAuthenticationTime moves only with another change: a status that changed by itself would be written for ever."""
    troubled = Progress.WORKING if finding.reason == Reason.AWS_UNAVAILABLE else Progress.STALLED
    verdict = Verdict(finding, None, Progress.SETTLED if finding.holds else troubled)
    new_conditions = conditions(verdict, before.conditions, generation, now)
    after = before.model_copy(update={"observed_generation": generation, "conditions": new_conditions, **seen})
    if after == before or not finding.holds:
        return after
    return after.model_copy(update={"last_authentication_time": now})
