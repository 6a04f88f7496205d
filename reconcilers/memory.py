"""What the status remembers of what we put on a key: the only things that are ours to take off it again.

Rules:
1. Written down before it is put on the key (`ahead`), so that no crash leaves something of ours that we would not know.
2. Forgotten only when it was seen to be off the key (`kept`), and not within KMS's lag: what was put on a key a moment ago may not show yet.
   What could not be read is remembered as it was.
"""

from typing import Any

from reconcilers.aliases import on_key, targets
from reconcilers.grants import recorded_after, recorded_ahead
from reconcilers.key_status import KMSKeyStatus
from reconcilers.reports import managed
from reconcilers.states import LateNames, ObservedKey, Unobservable, Wanted


def ahead(before: KMSKeyStatus, wanted: Wanted, seen: ObservedKey) -> dict[str, Any]:
    """The fields of the status that must be stored before the key is made as wanted. What cannot become ours is not remembered."""
    to_be_ours = frozenset() if isinstance(seen.aliases, Unobservable) else wanted.aliases - (targets(seen).keys() - on_key(seen))
    return {
        "managed_tag_keys": tuple(sorted({*before.managed_tag_keys, *managed(wanted.tags)})),
        "aliases": tuple(sorted({*before.aliases, *to_be_ours})),
        "grants": recorded_ahead(before, wanted, seen),
    }


def kept(before: KMSKeyStatus, wanted: Wanted, seen: ObservedKey, late: LateNames) -> dict[str, Any]:
    """The same fields once nothing is left to do: what is wanted and there, and what of ours is still there, or may be."""
    may_be_there = {name for arn, name in late if arn == seen.arn}
    tags_on_it = may_be_there if isinstance(seen.tags, Unobservable) else may_be_there | seen.tags.keys()
    unread = isinstance(seen.aliases, Unobservable)
    aliases = {*before.aliases, *wanted.aliases} & on_key(seen) | {*before.aliases} & may_be_there - targets(seen).keys()
    return {
        "managed_tag_keys": managed({*wanted.tags, *(tag for tag in before.managed_tag_keys if tag in tags_on_it)}),
        "aliases": before.aliases if unread else tuple(sorted(aliases)),
        "grants": recorded_after(before, wanted, seen),
    }
