"""Objects of the older operator of this API group: it made their keys, remembered the ids in the status, and put no owner tags on the keys.

What proves that such a key is its object's? Nothing in AWS. The decision: it is claimed by our owner tags when all of this is so:

1. The object has the finalizer, which both operators put on, and its status names the key.
2. The status was never filled by this operator: what it writes of each key that it has seen, and the older one never wrote, is missing. So
   this happens once in an object's life, and a key whose owner tags were removed later is not taken by this way.
3. What the status says of the key (ARN, creation date) is so.
4. The key has no tag under our prefix, and has the tags of the spec, which the older operator kept in place.
5. No other object has the key, and it is one that may be adopted at all (adoption.py).

What the spec leaves unset stays as it is, for good: the older operator read a missing `enabled` as false, and this one must not enable what
that one has disabled, nor clear a description that it never wrote.

Who can misuse it? Whoever may write both a KMSKey and its status may name any untagged key of the provider's account here. But whoever may
write a KMSKey can do the same by spec.adopt. So the right to write a status, which no role of ours gives to users, adds nothing to it.

Not done: an object that is being deleted already when this operator first sees it is not taken over. It waits, and says how to let it go.
"""

from reconcilers.key_status import KMSKeyStatus
from reconcilers.names import KMSKEY_FINALIZER, TAG_PREFIX
from reconcilers.states import KeyObject, ObservedKey, Unobservable


def never_filled(status: KMSKeyStatus) -> bool:
    """Whether this operator has never shown a key in this status."""
    return (status.account_id, status.region, status.key_usage, status.origin, status.creation_attempt) == (None,) * 5


def made_by_older_operator(key: KeyObject, seen: ObservedKey) -> bool:
    """Whether the older operator made this key for this object, as far as anybody can tell."""
    status, tags = key.status, seen.tags
    if isinstance(tags, Unobservable) or KMSKEY_FINALIZER not in key.finalizers or not never_filled(status):
        return False
    says_so = status.key_id == seen.key_id and status.key_arn in (None, seen.arn)
    same_age = status.creation_date in (None, seen.creation_date.replace(microsecond=0))
    tagged = not any(tag.startswith(TAG_PREFIX) for tag in tags) and (key.spec.tags or {}).items() <= dict(tags).items()
    return says_so and same_age and tagged
