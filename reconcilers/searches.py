"""The rules of looking for a key whose id is not remembered: how long, how often, and when nothing found means that there is nothing.

A search without result proves that there is no key only if every key of the account was looked at (`thorough`), and only once KMS has had
`create_grace` to show what an unanswered CreateKey may have made: by the monotonic clock of the process that searches (attempts.py), so that no
wall clock that is wrong, or jumps, makes a second key. Whatever the grace, it proves nothing while KMS shows a key in one place that it does
not know in another: that may be the one.
"""

from datetime import timedelta

from reconcilers.arns import id_of
from reconcilers.attempts import age
from reconcilers.reasons import Reason
from reconcilers.states import Candidates, KeyObject, Operator, Problem, Unobservable

_NOT_THOROUGH = (
    "Whether there is a key of this object cannot be told for certain: "
    "allow kms:ListKeys and kms:ListResourceTags to the provider's identity."
)
_NOT_SHOWN = "KMS lists keys that it does not know everywhere yet, and one of them may be this object's: {}. This passes within minutes."
_MOST_NAMED = 3  # in a condition's message


def search_delay(key: KeyObject, operator: Operator) -> timedelta:
    """How long to wait before looking again for the object's key."""
    return delay_after(age(key.ages, key.status.creation_attempt), operator)


def delay_after(searched: timedelta, operator: Operator) -> timedelta:
    """A second at first, a minute later; and not beyond the end of the grace, at which something can be done."""
    delay, left = min(searched / 2, timedelta(minutes=1)), operator.create_grace - searched
    return max(min(delay, left) if left > timedelta() else delay, timedelta(seconds=1))


def grace_is_over(key: KeyObject, operator: Operator) -> bool:
    """Whether an unanswered CreateKey, if there was one, is so old that its key must have shown by now."""
    attempt = key.status.creation_attempt
    return attempt is None or age(key.ages, attempt) >= operator.create_grace


def nothing_was_made(key: KeyObject) -> bool:
    """Whether the last CreateKey was refused: its attempt was forgotten on KMS's word, and with it the need to look for a key."""
    error = key.status.last_error
    return key.status.creation_attempt is None and error is not None and error.operation == "CreateKey"


def proves_none(key: KeyObject, seen: Candidates, operator: Operator) -> bool:
    """Whether a search that found no key of this object means that there is none."""
    return nothing_was_made(key) or (seen.thorough and not _late(key, seen) and grace_is_over(key, operator))


def not_proved(key: KeyObject, seen: Candidates) -> Problem:
    """Why a search that found no key of this object does not mean that there is none, though the grace is over."""
    late = _late(key, seen)
    if seen.thorough and late:
        others = f", and {len(late) - _MOST_NAMED} more" if len(late) > _MOST_NAMED else ""
        return Problem(Reason.CREATION_UNKNOWN, _NOT_SHOWN.format(", ".join(late[:_MOST_NAMED]) + others), stalled=False)
    return Problem(Reason.CREATION_UNKNOWN, _NOT_THOROUGH)


def _late(key: KeyObject, seen: Candidates) -> list[str]:
    """A key that is lost may stay in the tag index for a while: the one that is remembered says nothing about another."""
    return [arn for arn in seen.unshown if id_of(arn) != key.status.key_id]


def first_unreadable(seen: Candidates) -> Unobservable | None:
    """Why a candidate cannot be told from ours; None when all can."""
    return next((candidate.tags for candidate in seen.keys if isinstance(candidate.tags, Unobservable)), None)
