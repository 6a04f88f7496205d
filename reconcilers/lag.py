"""KMS is eventually consistent: for minutes after CreateKey a key may be missing, or show without its tags. Neither means anything then."""

from datetime import datetime, timedelta

from reconcilers.names import OWNER_TAGS
from reconcilers.states import KeyObject, Missing, ObservedKey, Unobservable

# AWS: "seconds, sometimes several minutes" ("Eventual consistency" in the KMS developer guide).
LAG = timedelta(minutes=5)
# AWS takes no request from a clock that is off by more. So far may KMS's dates be from ours.
SKEW = timedelta(minutes=5)


def is_new(key: KeyObject, now: datetime) -> bool:
    """Whether the key was made so lately that KMS may not show it everywhere."""
    made = key.status.creation_date
    return made is not None and now - made < LAG


def shows_not_yet(key: KeyObject, seen: ObservedKey | Missing, now: datetime) -> bool:
    """Whether the sight of this key is incomplete, and the key so new that it proves nothing."""
    if not is_new(key, now):
        return False
    return isinstance(seen, Missing) or not (isinstance(seen.tags, Unobservable) or set(OWNER_TAGS) & set(seen.tags))
