"""What becomes of a pass that would have to wait long for a quota: it ends, and its object is woken when it is nearly its turn. So ends one
whose object has gone to another process meanwhile, and is not woken.

The user is told of a wait that has lasted for TOLD_SECONDS and is not nearly over, in one patch; thousands of objects that come at once are
put in line first, which takes a millisecond each. Beside that the object is looked at rarely: only in case that it is never woken.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from aws.errands import Errands, QuotaWaitError
from controller.jitter import jittered
from controller.objects import Ref
from controller.partition import HandedOverError
from controller.workers import PostponedError
from reconcilers.urgency import Urgency

log = structlog.get_logger()

TOLD_SECONDS: Final = 5.0
# What is over within these is not worth a patch.
LONG_SECONDS: Final = 10.0
RARELY: Final = timedelta(minutes=10)


async def on_errand(errands: Errands[Ref], ref: Ref, work: Callable[[Ref], Awaitable[timedelta | None]]) -> timedelta | None:
    """One pass over an object, on its errand. Raises PostponedError, and what `work` raises."""
    with errands.begin(ref):
        try:
            return await work(ref)
        except HandedOverError:
            log.info("handed_over")
            return None
        except QuotaWaitError as wait:
            raise postponed(wait) from None


def is_told(wait: QuotaWaitError, urgency: Urgency) -> bool:
    """Whether the user shall read of it. Nobody waits for a resync, or for what it sets right."""
    return wait.waited >= TOLD_SECONDS and wait.seconds >= LONG_SECONDS and urgency <= Urgency.CREATION


def postponed(wait: QuotaWaitError) -> PostponedError:
    """The end of the pass."""
    will_be_told = wait.waited < TOLD_SECONDS and wait.seconds >= LONG_SECONDS
    return PostponedError(str(wait), timedelta(seconds=TOLD_SECONDS) if will_be_told else jittered(RARELY))
