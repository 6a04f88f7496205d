import pytest

from reconcilers.conditions import Finding, Progress, Verdict, conditions
from reconcilers.news import News, news
from reconcilers.reasons import Reason
from tests.reconcilers.builders import LONG_AGO, NOW

AVAILABLE = Finding(True, Reason.AVAILABLE, "ready")
DISABLED = Finding(True, Reason.DISABLED_AS_REQUESTED, "disabled")
IN_SYNC = Finding(True, Reason.IN_SYNC, "in sync")
DENIED = Finding(False, Reason.ACCESS_DENIED, "denied")
LOST = Finding(False, Reason.KEY_LOST, "lost")
BUSY = Finding(False, Reason.CREATING, "creating")
SLOW = Finding(False, Reason.THROTTLED, "slow down")

NOTHING_YET = None
GOOD = Verdict(AVAILABLE, IN_SYNC, Progress.SETTLED)
OFF = Verdict(DISABLED, IN_SYNC, Progress.SETTLED)
STUCK = Verdict(DENIED, DENIED, Progress.STALLED)
GONE = Verdict(LOST, LOST, Progress.STALLED)
WORKING = Verdict(BUSY, BUSY, Progress.WORKING)
DRIFTED = Verdict(AVAILABLE, BUSY, Progress.WORKING)
DEGRADED = Verdict(AVAILABLE, SLOW, Progress.SETTLED)
PROVIDER_GOOD = Verdict(AVAILABLE, None, Progress.SETTLED)
PROVIDER_STUCK = Verdict(DENIED, None, Progress.STALLED)

READY = News("Normal", "Available", "ready")
WARNING = News("Warning", "AccessDenied", "denied")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (NOTHING_YET, WORKING, None),
        (WORKING, WORKING, None),
        (WORKING, GOOD, READY),
        (NOTHING_YET, GOOD, READY),
        (GOOD, GOOD, None),
        (GOOD, OFF, News("Normal", "DisabledAsRequested", "disabled")),
        (GOOD, STUCK, WARNING),
        (WORKING, STUCK, WARNING),
        (STUCK, STUCK, None),
        (STUCK, GONE, News("Warning", "KeyLost", "lost")),
        (STUCK, GOOD, READY),
        (STUCK, WORKING, None),
        (GOOD, DRIFTED, None),
        (DRIFTED, GOOD, None),
        (GOOD, DEGRADED, News("Warning", "Throttled", "slow down")),
        (DEGRADED, DEGRADED, None),
        (DEGRADED, GOOD, None),
        (NOTHING_YET, PROVIDER_GOOD, READY),
        (PROVIDER_GOOD, PROVIDER_STUCK, WARNING),
        (PROVIDER_STUCK, PROVIDER_STUCK, None),
    ],
)
def test_problems_and_their_ends_are_told_once_and_work_is_not(before: Verdict | None, after: Verdict, told: News | None) -> None:
    was = conditions(before, (), 1, LONG_AGO) if before else ()
    assert news(was, conditions(after, was, 1, NOW)) == told


def test_another_message_for_the_same_reason_is_no_news() -> None:
    was = conditions(STUCK, (), 1, LONG_AGO)
    reworded = Finding(False, Reason.ACCESS_DENIED, "denied, with other words")
    assert news(was, conditions(Verdict(reworded, reworded, Progress.STALLED), was, 2, NOW)) is None
