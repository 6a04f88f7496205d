"""What becomes of a pass that would have to wait long for a quota: it ends, and its object is woken when it is nearly its turn.

The user is told of a wait that has lasted for TOLD_SECONDS and is not nearly over, in one patch; thousands of objects that come at once are
put in line first, which takes a millisecond each. Beside that the object is looked at rarely: only in case that it is never woken.
"""

from datetime import timedelta
from typing import Final

from aws.errands import QuotaWaitError
from controller.jitter import jittered
from controller.workers import PostponedError
from reconcilers.urgency import Urgency

TOLD_SECONDS: Final = 5.0
# What is over within these is not worth a patch.
LONG_SECONDS: Final = 10.0
RARELY: Final = timedelta(minutes=10)


def is_told(wait: QuotaWaitError, urgency: Urgency) -> bool:
    """Whether the user shall read of it. Nobody waits for a resync, or for what it sets right."""
    return wait.waited >= TOLD_SECONDS and wait.seconds >= LONG_SECONDS and urgency <= Urgency.CREATION


def postponed(wait: QuotaWaitError) -> PostponedError:
    """The end of the pass."""
    will_be_told = wait.waited < TOLD_SECONDS and wait.seconds >= LONG_SECONDS
    return PostponedError(str(wait), timedelta(seconds=TOLD_SECONDS) if will_be_told else jittered(RARELY))
