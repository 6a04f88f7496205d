"""The way a key goes that nobody wants any more: the same for a key whose object is deleted and for a replica that left the spec.

Rules:
1. Aliases of ours are freed before a deletion is scheduled, also of a key that somebody else has scheduled already. DisableKey leaves them.
2. What is scheduled or disabled already is done. Retain does nothing.
"""

from collections.abc import Iterable

from reconcilers.actions import DisableKey, KeyAction, ScheduleKeyDeletion
from reconcilers.aliases import freed
from reconcilers.fields import DeletionPolicy
from reconcilers.repairs import PENDING_DELETION
from reconcilers.states import ObservedKey


def disposal(seen: ObservedKey, policy: DeletionPolicy, aliases: Iterable[str], window_in_days: int) -> tuple[KeyAction, ...]:
    """The writes that are due, in order. aliases: those that are ours to free."""
    match policy:
        case DeletionPolicy.RETAIN:
            return ()
        case DeletionPolicy.DISABLE_KEY:
            return (DisableKey(seen.arn),) if seen.state == "Enabled" else ()
        case _:
            scheduled = seen.state in PENDING_DELETION
            return (*freed(seen, aliases), *(() if scheduled else (ScheduleKeyDeletion(seen.arn, window_in_days),)))
