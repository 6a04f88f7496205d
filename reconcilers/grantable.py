"""Who else may hang aliases and grants on a key: the word of the key's own object, which nothing outside its namespace can change.

Rules:
1. A namespace may always use its own keys. Any other has to be named, or selected by its labels, in the key's grantableFrom.
2. What is not permitted is not told apart from what is not there.
"""

from collections.abc import Mapping

from reconcilers.provider_fields import AllowedNamespaces
from reconcilers.resolution import serves_by_labels, serves_by_name


def permits(home: str, grantable_from: AllowedNamespaces | None, namespace: str, labels: Mapping[str, str] | None) -> bool:
    """Whether objects of that namespace may target the keys of a KMSKey at home in another. labels: of the namespace; None: not known."""
    if needs_labels(home, grantable_from, namespace):
        return labels is not None and serves_by_labels(grantable_from, labels)
    return namespace == home or serves_by_name(grantable_from, namespace) is True


def needs_labels(home: str, grantable_from: AllowedNamespaces | None, namespace: str) -> bool:
    """Whether the labels of that namespace decide."""
    return namespace != home and serves_by_name(grantable_from, namespace) is None
