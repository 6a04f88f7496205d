"""The rules of looking for a key whose id is not remembered: how long, how often, and when nothing found means that there is nothing.

A search without result proves that there is no key only if every key of the account was looked at (`thorough`), and only once KMS has had
`create_grace` to show what an unanswered CreateKey may have made.
"""

from datetime import datetime, timedelta

from reconcilers.key_status import CreationAttempt
from reconcilers.states import Candidates, KeyObject, Operator, Unobservable

NOT_THOROUGH = (
    "Whether there is a key of this object cannot be told for certain: "
    "allow kms:ListKeys and kms:ListResourceTags to the provider's identity."
)


def search_delay(key: KeyObject, now: datetime) -> timedelta:
    """How long to wait before looking again for the object's key."""
    return delay_after(key.status.creation_attempt, now)


def delay_after(attempt: CreationAttempt | None, now: datetime) -> timedelta:
    """A second at first, a minute later."""
    age = now - attempt.time if attempt else timedelta()
    return min(max(age / 2, timedelta(seconds=1)), timedelta(minutes=1))


def grace_is_over(key: KeyObject, operator: Operator, now: datetime) -> bool:
    """Whether an unanswered CreateKey, if there was one, is so old that its key must have shown by now."""
    attempt = key.status.creation_attempt
    return attempt is None or now - attempt.time >= operator.create_grace


def nothing_was_made(key: KeyObject) -> bool:
    """Whether the last CreateKey was refused: its attempt was forgotten on KMS's word, and with it the need to look for a key."""
    error = key.status.last_error
    return key.status.creation_attempt is None and error is not None and error.operation == "CreateKey"


def proves_none(key: KeyObject, seen: Candidates, operator: Operator, now: datetime) -> bool:
    """Whether a search that found no key of this object means that there is none."""
    return nothing_was_made(key) or (seen.thorough and grace_is_over(key, operator, now))


def first_unreadable(seen: Candidates) -> Unobservable | None:
    """Why a candidate cannot be told from ours; None when all can."""
    return next((candidate.tags for candidate in seen.keys if isinstance(candidate.tags, Unobservable)), None)
