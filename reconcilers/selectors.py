"""Label selectors, as Kubernetes defines them (metav1.LabelSelector): all that is written must hold; what writes nothing selects everything."""

from collections.abc import Mapping

from reconcilers.provider_fields import LabelSelector, Requirement


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether something with these labels is meant."""
    pairs = (selector.match_labels or {}).items()
    return all(labels.get(key) == value for key, value in pairs) and all(_holds(one, labels) for one in selector.match_expressions or ())


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    """NotIn holds for what has no such label too."""
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in (requirement.values or ())
        case "NotIn":
            return value not in (requirement.values or ())
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
