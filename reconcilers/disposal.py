"""The way a key goes that nobody wants any more: the same for a key whose object is deleted and for a replica that left the spec.

Rules:
1. Aliases of ours are freed before a deletion is scheduled, also of a key that somebody else has scheduled already. DisableKey leaves them.
2. Only KMS's answer to our own write proves that a key is scheduled or disabled: a read may be minutes late, and show a window that was
   cancelled since. KMS refuses to schedule a pending key again, and to disable one that cannot be used: a refusal that agrees with what was
   read is the proof too. Retain does nothing.
"""

from collections.abc import Iterable

from reconcilers.actions import DisableKey, KeyAction, ScheduleKeyDeletion
from reconcilers.aliases import freed
from reconcilers.fields import DeletionPolicy
from reconcilers.repairs import PENDING_DELETION
from reconcilers.states import Failure, ObservedKey

_CANNOT_BE_DISABLED = PENDING_DELETION | {"PendingImport"}


def disposal(seen: ObservedKey, policy: DeletionPolicy, aliases: Iterable[str], window_in_days: int) -> tuple[KeyAction, ...]:
    """The writes that are due, in order. aliases: those that are ours to free."""
    match policy:
        case DeletionPolicy.RETAIN:
            return ()
        case DeletionPolicy.DISABLE_KEY:
            return () if _is_proved(seen, policy) else (DisableKey(seen.arn),)
        case _:
            schedule = () if _is_proved(seen, policy) else (ScheduleKeyDeletion(seen.arn, window_in_days),)
            return (*freed(seen, aliases), *schedule)


def seems_disposed_of(seen: ObservedKey, policy: DeletionPolicy) -> bool:
    """Whether a read shows it so."""
    disables = policy is DeletionPolicy.DISABLE_KEY
    return seen.state in PENDING_DELETION or (disables and seen.state in ("Disabled", *_CANNOT_BE_DISABLED))


def asks_for_proof(action: KeyAction, seen: ObservedKey) -> bool:
    """Whether KMS will refuse this, if the key is as it was read.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
    """
    if isinstance(action, DisableKey):
        return seen.state in _CANNOT_BE_DISABLED
    return isinstance(action, ScheduleKeyDeletion) and seen.state in PENDING_DELETION


def proves(failure: Failure, action: KeyAction, seen: ObservedKey) -> bool:
    """Whether a refusal is KMS's own word for what a read of the key has shown: that there is nothing left to do."""
    return failure.code == "KMSInvalidStateException" and asks_for_proof(action, seen)


def _is_proved(seen: ObservedKey, policy: DeletionPolicy) -> bool:
    return seen.state_is_answered and seems_disposed_of(seen, policy)
