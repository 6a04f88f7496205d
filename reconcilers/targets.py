"""From what a dependent names to the key that it may use: which key, through which provider, and whether it is permitted.

Rules:
1. A key that a KMSKey of another namespace owns may be used only where that KMSKey's grantableFrom permits it, whichever way the key is
   named: by the KMSKey, or by an id that its status holds or that carries its owner tags. Owner tags of this cluster without a KMSKey that
   permits are a refusal too: there is nobody to ask.
2. What a KMSKey tells is judged before the provider is reached: a refusal by it costs no AWS call.
3. With a KMSKey as the target, its own provider is used unless the dependent names one; either has to lead to where the key is.
4. AWS's own keys are no targets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reconcilers.grantable import needs_labels, permits
from reconcilers.key_spec import ProviderRef
from reconcilers.lag import LAG
from reconcilers.names import CLUSTER_TAG, OWNER_TAG
from reconcilers.provider_fields import AllowedNamespaces
from reconcilers.reasons import Reason
from reconcilers.repairs import PENDING_DELETION, UNSETTLED
from reconcilers.states import Account, Missing, ObservedKey, Problem, Unobservable
from reconcilers.target_fields import DependentSpec

Labels = Mapping[str, str] | None

MAY_NOT = "To permit it, add the namespace to grantableFrom of the KMSKey that owns the key."


@dataclass(frozen=True, slots=True)
class TargetKMSKey:
    """As much of a KMSKey as its dependents need."""

    namespace: str
    name: str
    deleting: bool = False
    provider_ref: ProviderRef | None = None
    grantable_from: AllowedNamespaces | None = None
    key_arn: str | None = None
    made: datetime | None = None  # when its key was


@dataclass(frozen=True, slots=True)
class Known:
    """The KMSKeys that matter to a dependent: the one that it names, and those whose status holds the key id that it names."""

    named: TargetKMSKey | None = None
    owners: tuple[TargetKMSKey, ...] = ()

    def hinges_on_labels(self, namespace: str) -> bool:
        """Whether it takes the labels of the dependent's namespace to tell what is permitted."""
        keys = (*self.owners, *((self.named,) if self.named else ()))
        return any(needs_labels(key.namespace, key.grantable_from, namespace) for key in keys)


@dataclass(frozen=True, slots=True)
class Target:
    """A key by id or ARN, and the provider that leads to it, as an object of `namespace` would name it."""

    key: str
    namespace: str
    provider_ref: ProviderRef | None
    homes: frozenset[str]  # the namespaces whose keys the dependent may use, as far as this key is concerned
    made: datetime | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A target whose provider was reached. provider: its namespace and name."""

    target: Target
    account: Account
    provider: str


def find_target(spec: DependentSpec, namespace: str, known: Known, labels: Labels = None) -> Target | Problem:
    """The key that an object of this namespace means, or why it may not or cannot be used. labels: of the namespace; None: not known."""
    if spec.target_ref is not None:
        home = spec.target_ref.namespace or namespace
        if home != namespace and (known.named is None or not _permitted(known.named, namespace, labels)):
            return _not_allowed(f"There is no KMSKey {home}/{spec.target_ref.name} that permits it.", namespace)
        return _referenced(spec, home, namespace, known.named)
    if any(not _permitted(owner, namespace, labels) for owner in known.owners):
        return _not_allowed(f"The key {spec.target_key_id} is owned by a KMSKey of another namespace.", namespace)
    homes = frozenset({namespace, *(owner.namespace for owner in known.owners)})
    return Target(spec.target_key_id or "", namespace, spec.provider_ref, homes)


def way_back(provider: str | None) -> Target | None:
    """Through the provider by which something was made, whatever the spec says now; None where that is not known."""
    if provider is None:
        return None
    namespace, _, name = provider.partition("/")
    return Target("", namespace, ProviderRef(name=name), frozenset())


def lead(target: Target, account: Account, provider: str) -> Way | Problem:
    """The way to the key, if the provider leads to where it is."""
    if target.key.startswith("arn:"):
        _, _, _, region, account_id, _ = target.key.split(":", 5)
        if (account_id, region) != (account.account_id, account.region):
            return Problem(
                Reason.ACCOUNT_MISMATCH,
                f"The key is in account {account_id}, region {region}, but AWSProvider {provider} leads to account {account.account_id}, "
                f"region {account.region}: set spec.providerRef to one that leads to the key.",
            )
    return Way(target, account, provider)


def unusable(seen: ObservedKey | Missing, way: Way, cluster_id: str, now: datetime) -> Problem | None:
    """Why nothing may be hung on the key as it was seen; None when nothing speaks against it."""
    if isinstance(seen, Missing):
        return _missing(seen, way, now)
    if seen.manager != "CUSTOMER":
        return Problem(Reason.TARGET_NOT_ALLOWED, f"The key {seen.key_id} is AWS's own: make a KMSKey, and target that.")
    if isinstance(seen.tags, Unobservable):
        return Problem(seen.tags.reason, f"Whose key it is cannot be told: {seen.tags.message}")
    if seen.tags.get(CLUSTER_TAG) == cluster_id and _home(seen.tags.get(OWNER_TAG, "")) not in way.target.homes:
        return _not_allowed(f"The owner tags of the key {seen.key_id} name a KMSKey that does not permit its use.")
    if seen.state in PENDING_DELETION:
        return _pending(f"The key {seen.key_id} is {seen.state}: nothing new is hung on it.")
    if seen.state in UNSETTLED:
        message = f"KMS reports the key as {seen.state}; this passes within seconds."
        return Problem(Reason.TARGET_NOT_READY, message, stalled=False)
    return None


def _referenced(spec: DependentSpec, home: str, namespace: str, named: TargetKMSKey | None) -> Target | Problem:
    """Of a KMSKey that permits it, or that is not there."""
    if named is None:
        message = f"The KMSKey that spec.targetRef names is not in the namespace {home}: create it, or correct spec.targetRef."
        return Problem(Reason.TARGET_NOT_FOUND, message)
    if named.deleting:
        return _pending(f"The KMSKey {home}/{named.name} is being deleted.")
    if named.key_arn is None:
        message = f"The KMSKey {home}/{named.name} has no key yet: see its conditions."
        return Problem(Reason.TARGET_NOT_READY, message, stalled=False)
    theirs = (home, named.provider_ref) if spec.provider_ref is None else (namespace, spec.provider_ref)
    return Target(named.key_arn, *theirs, frozenset({namespace, home}), named.made)


def _permitted(owner: TargetKMSKey, namespace: str, labels: Labels) -> bool:
    return permits(owner.namespace, owner.grantable_from, namespace, labels)


def _not_allowed(fact: str, namespace: str | None = None) -> Problem:
    who = f"Objects of the namespace {namespace} may not use this key. " if namespace else ""
    return Problem(Reason.TARGET_NOT_ALLOWED, f"{who}{fact} {MAY_NOT}")


def _pending(fact: str) -> Problem:
    return Problem(Reason.TARGET_PENDING_DELETION, f"{fact} Delete this object, or give it another target.")


def _missing(seen: Missing, way: Way, now: datetime) -> Problem:
    """A key of which KMS itself may not know yet is not gone."""
    if way.target.made is not None and now - way.target.made < LAG:
        return Problem(Reason.TARGET_NOT_READY, "KMS does not show the new key everywhere yet.", stalled=False)
    return Problem(
        Reason.TARGET_GONE, f"KMS says that the key {seen.key_id} does not exist. Delete this object, or give it another target."
    )


def _home(owner_tag: str) -> str:
    """The namespace in an owner tag. A namespace fits in whole, also where the rest had to be shortened."""
    return owner_tag.partition("/")[0]
