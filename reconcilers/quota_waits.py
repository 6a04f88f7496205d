"""What an object says while it waits for its turn to call AWS. It is not observed meanwhile: what was there of it stays."""

from datetime import datetime

from reconcilers.key_status import KMSKeyStatus
from reconcilers.reasons import Reason
from reconcilers.reports import degraded, report
from reconcilers.states import KeyObject, Operator, Problem


def quota_wait(operation: str) -> Problem:
    """Of a call that is not made yet. Without numbers, which would change."""
    message = f"Many objects wait for AWS's quota of {operation}: this one's turn will come."
    return Problem(Reason.WAITING_FOR_QUOTA, message, stalled=False)


def waits_for_quota(key: KeyObject, operation: str, operator: Operator, now: datetime) -> KMSKeyStatus:
    """The status of a key. Its generation stays unobserved: what the user has asked for is still to be looked at, with that urgency."""
    verdict = degraded(key, quota_wait(operation))
    return report(key, operator, verdict, now, observed_generation=key.status.observed_generation)
