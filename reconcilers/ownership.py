"""Whose key is it? Three tags say so: the cluster, the object's namespace and name, and its UID.

Rules:
1. A key is an object's own when cluster and UID match. CreateKey itself writes the tags, so a key of ours is never without them.
2. An object that was deleted and made again, or restored from a backup, has a new UID. The key of the earlier one may come back to it:
   when cluster, namespace and name match and no living object has the UID on the key. It is claimed by writing the new UID on it, before
   anything else is changed.
3. What fits neither is somebody else's, whatever a status says.
"""

import hashlib
from collections.abc import Mapping

from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from reconcilers.states import KeyObject, ObservedKey, Unobservable

MAX_TAG_VALUE = 256


def owner_tags(key: KeyObject, cluster_id: str) -> Mapping[str, str]:
    """The three tags that name this object as the key's owner."""
    return {CLUSTER_TAG: cluster_id, OWNER_TAG: owner(key.namespace, key.name), UID_TAG: key.uid}


def owned(key: KeyObject, seen: ObservedKey, cluster_id: str) -> bool:
    """Whether the key's tags name this very object."""
    tags = seen.tags
    return not isinstance(tags, Unobservable) and tags.get(CLUSTER_TAG) == cluster_id and tags.get(UID_TAG) == key.uid


def claimable(key: KeyObject, seen: ObservedKey, cluster_id: str) -> bool:
    """Whether the key was made for an earlier object of this namespace and name. That none lives is for the caller to know."""
    tags = seen.tags
    if isinstance(tags, Unobservable) or tags.get(CLUSTER_TAG) != cluster_id:
        return False
    return tags.get(OWNER_TAG) == owner(key.namespace, key.name) and tags.get(UID_TAG, key.uid) != key.uid


def belongs(key: KeyObject, seen: ObservedKey, cluster_id: str) -> bool:
    """Whether the key is this object's, or may come back to it."""
    return owned(key, seen, cluster_id) or claimable(key, seen, cluster_id)


def owner(namespace: str, name: str) -> str:
    """namespace/name; two names of 253 characters do not fit into a tag value, so a longer one ends in a hash of the whole."""
    full = f"{namespace}/{name}"
    if len(full) <= MAX_TAG_VALUE:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:32]
    return f"{full[: MAX_TAG_VALUE - 33]}-{digest}"
