"""The annotation key-id: the object's key, in the part of it that backups keep. A status is dropped by many of them.

Rules:
1. It is a hint and no proof: the key that it names is looked at, and becomes the object's only by its owner tags, as any other. So a copied
   annotation does no harm, and one that is wrong costs a call.
2. It finds the key where the tag index does not show it yet, and in an account with too many keys to look at each.
3. It is written once the id has been stored and the key was seen again as this object's, so that a new key costs no further request.
4. Only an id is followed. To describe an alias may make a key.
"""

import re
from dataclasses import replace

from reconcilers.ownership import claimable, owned
from reconcilers.states import Candidates, KeyObject, NotCreated, ObservedKey, Seen, Unobservable

_KEY_ID = re.compile(r"[a-zA-Z0-9-]{1,128}")


def hinted_id(key: KeyObject) -> str | None:
    """The id to look at where none is remembered."""
    if key.status.key_id is not None or key.key_id_hint is None or not _KEY_ID.fullmatch(key.key_id_hint):
        return None
    return key.key_id_hint


def with_hinted(key: KeyObject, hinted: ObservedKey | None, seen: NotCreated | Candidates, cluster_id: str) -> NotCreated | Candidates:
    """What there is to see, with the key that the annotation names if that may be the object's."""
    if hinted is None:
        return seen
    if isinstance(hinted.tags, Unobservable) or owned(key, hinted, cluster_id):
        searched = seen if isinstance(seen, Candidates) else Candidates((), thorough=False, earlier=seen.earlier)
        return replace(searched, keys=_and(searched.keys, hinted))
    if not claimable(key, hinted, cluster_id):
        return seen
    if isinstance(seen, Candidates):
        return replace(seen, earlier=_and(seen.earlier, hinted))
    return NotCreated(_and(seen.earlier, hinted))


def hint_due(key: KeyObject, seen: Seen, cluster_id: str) -> bool:
    """Whether the annotation is to be written. key: the object as it was when the pass began."""
    if not isinstance(seen, ObservedKey) or key.deleting or key.spec.observes:
        return False
    return key.status.key_id == seen.key_id != key.key_id_hint and owned(key, seen, cluster_id)


def _and(keys: tuple[ObservedKey, ...], one: ObservedKey) -> tuple[ObservedKey, ...]:
    return keys if any(key.arn == one.arn for key in keys) else (*keys, one)
