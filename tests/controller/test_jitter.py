from datetime import timedelta

from controller.jitter import RESYNC_JITTER, jittered


def test_intervals_differ_a_little_and_no_more() -> None:
    minute = timedelta(minutes=1)
    found = {jittered(minute) for _ in range(100)}
    assert len(found) > 90
    assert minute * (1 - RESYNC_JITTER) <= min(found)
    assert max(found) <= minute * (1 + RESYNC_JITTER)
