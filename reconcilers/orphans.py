"""Keys that this cluster made and no object owns any more: what they are, and what they cost.

Rules:
1. A key is an orphan if no KMSKey has the uid on its owner tag, and none names it in status.keyId.
2. The objects must have been read after the keys: a key that was made in between is then never taken for an orphan.
3. A key that is pending deletion is listed too, until it is gone: this is the time in which it can still be saved.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from reconcilers.names import OWNER_TAG, UID_TAG
from reconcilers.states import ObservedKey, Unobservable

# AWS's pricing page for KMS, "Key storage": 1 USD a month for each key, replicas included, by the hour; nothing while its deletion is
# scheduled. The first two rotations of a key add 1 USD a month each, which a look at the key does not tell.
USD_A_MONTH: Final = 1
PRICE: Final = (
    "Prices are those of the page AWS Key Management Service Pricing: 1 USD a month for each key, nothing while its deletion is scheduled; "
    "up to 2 USD a month more for a key that was rotated are not counted."
)


@dataclass(frozen=True, slots=True)
class Orphan:
    """A key without an object. owner: namespace/name from its tag; usd_a_month: what it costs as it is."""

    key: ObservedKey
    owner: str | None
    uid: str | None
    usd_a_month: int


def orphans(keys: Iterable[ObservedKey], uids: Collection[str], key_ids: Collection[str]) -> tuple[Orphan, ...]:
    """Those of the keys that nobody owns, in the same order. uids and key_ids: of all KMSKeys of the cluster."""
    return tuple(_orphan(key) for key in keys if key.key_id not in key_ids and _tag(key, UID_TAG) not in uids)


def _orphan(key: ObservedKey) -> Orphan:
    price = 0 if key.state == "PendingDeletion" else USD_A_MONTH
    return Orphan(key, _tag(key, OWNER_TAG), _tag(key, UID_TAG), price)


def _tag(key: ObservedKey, name: str) -> str | None:
    return None if isinstance(key.tags, Unobservable) else key.tags.get(name)
