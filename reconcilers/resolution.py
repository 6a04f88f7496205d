"""Which provider a key belongs to, and whether that provider serves the key's namespace.

Rules:
1. providerRef; else the namespace's provider annotated is-default; else the only one in the namespace; else the operator's default; else
   none. Between two, never guess.
2. A provider serves its own namespace, and those that its allowedNamespaces names or selects by their labels. The operator's default serves
   all of them: who starts the operator has said so.
3. Who is not served is not told whether the provider exists.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconcilers.key_spec import ProviderRef
from reconcilers.names import IS_DEFAULT_ANNOTATION
from reconcilers.provider_fields import AllowedNamespaces
from reconcilers.reasons import Reason
from reconcilers.selectors import selects
from reconcilers.states import Problem


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """As much of an AWSProvider as resolution needs."""

    namespace: str
    name: str
    is_default: bool


def resolve(ref: ProviderRef | None, namespace: str, known: Iterable[ProviderEntry], default: str) -> tuple[str, str] | Problem:
    """Namespace and name of the provider for a key of this namespace; one of another namespace may not exist, and may not serve this one.

    default: NAMESPACE/NAME, or empty.
    """
    if ref is not None and ref.namespace not in (None, namespace):
        return (ref.namespace, ref.name)
    here = [entry for entry in known if entry.namespace == namespace]
    if ref is not None:
        return _named(ref, namespace, here, default)
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


def serves_by_name(allowed: AllowedNamespaces | None, namespace: str) -> bool | None:
    """Whether this other namespace is served; None where that depends on its labels."""
    if allowed is None:
        return False
    if namespace in (allowed.names or ()):
        return True
    return None if allowed.selector is not None else False


def serves_by_labels(allowed: AllowedNamespaces | None, labels: Mapping[str, str]) -> bool:
    """Whether a namespace with these labels is served that is not named."""
    return allowed is not None and allowed.selector is not None and selects(allowed.selector, labels)


def not_served(provider: tuple[str, str], namespace: str) -> Problem:
    """In words."""
    elsewhere, name = provider
    return Problem(
        Reason.PROVIDER_NOT_ALLOWED,
        f"spec.providerRef names an AWSProvider of the namespace {elsewhere}, which keys of {namespace} may not use: ask for {namespace} in "
        f"the allowedNamespaces of {elsewhere}/{name}, or create a provider in this namespace.",
    )


def _named(ref: ProviderRef, namespace: str, here: list[ProviderEntry], default: str) -> tuple[str, str] | Problem:
    if f"{namespace}/{ref.name}" == default or any(entry.name == ref.name for entry in here):
        return (namespace, ref.name)
    return Problem(
        Reason.PROVIDER_NOT_FOUND,
        f"There is no AWSProvider {ref.name} in the namespace {namespace}: create it, or correct spec.providerRef.",
    )
