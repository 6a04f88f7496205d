from datetime import timedelta

import pytest

from reconcilers.conditions import Finding, Progress, Verdict, conditions, find
from reconcilers.reasons import Reason
from tests.reconcilers.builders import LONG_AGO, NOW

YES = Finding(True, Reason.AVAILABLE, "ready")
NO = Finding(False, Reason.ACCESS_DENIED, "not ready")
IN_SYNC = Finding(True, Reason.IN_SYNC, "in sync")
OUT_OF_SYNC = Finding(False, Reason.THROTTLED, "not in sync")


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (
            Verdict(YES, IN_SYNC, Progress.SETTLED),
            {"Ready": ("True", "Available", "ready"), "Synced": ("True", "InSync", "in sync")},
        ),
        (
            Verdict(NO, NO, Progress.STALLED),
            {
                "Ready": ("False", "AccessDenied", "not ready"),
                "Stalled": ("True", "AccessDenied", "not ready"),
                "Synced": ("False", "AccessDenied", "not ready"),
            },
        ),
        (
            Verdict(NO, OUT_OF_SYNC, Progress.WORKING),
            {
                "Ready": ("False", "AccessDenied", "not ready"),
                "Reconciling": ("True", "AccessDenied", "not ready"),
                "Synced": ("False", "Throttled", "not in sync"),
            },
        ),
        (
            Verdict(YES, OUT_OF_SYNC, Progress.WORKING),
            {
                "Ready": ("True", "Available", "ready"),
                "Reconciling": ("True", "Throttled", "not in sync"),
                "Synced": ("False", "Throttled", "not in sync"),
            },
        ),
        (Verdict(YES, None, Progress.SETTLED), {"Ready": ("True", "Available", "ready")}),
        (
            Verdict(NO, None, Progress.STALLED),
            {"Ready": ("False", "AccessDenied", "not ready"), "Stalled": ("True", "AccessDenied", "not ready")},
        ),
    ],
)
def test_a_verdict_is_told_as_kstatus_reads_it(verdict: Verdict, told: dict[str, tuple[str, str, str]]) -> None:
    made = conditions(verdict, (), 7, NOW)
    assert {c.type: (c.status, c.reason, c.message) for c in made} == told
    assert {(c.observed_generation, c.last_transition_time) for c in made} == {(7, NOW)}


def test_the_conditions_are_sorted_by_type() -> None:
    assert [c.type for c in conditions(Verdict(NO, NO, Progress.STALLED), (), 1, NOW)] == ["Ready", "Stalled", "Synced"]


@pytest.mark.parametrize(
    ("verdict", "since"),
    [
        (Verdict(YES, IN_SYNC, Progress.SETTLED), LONG_AGO),
        (Verdict(Finding(True, Reason.DISABLED_AS_REQUESTED, "other"), IN_SYNC, Progress.SETTLED), LONG_AGO),
        (Verdict(NO, IN_SYNC, Progress.SETTLED), NOW),
    ],
)
def test_the_time_of_a_condition_changes_with_its_status_alone(verdict: Verdict, since: object) -> None:
    before = conditions(Verdict(YES, IN_SYNC, Progress.SETTLED), (), 1, LONG_AGO)
    ready = find("Ready", conditions(verdict, before, 2, NOW))
    assert ready is not None
    assert (ready.last_transition_time, ready.observed_generation) == (since, 2)


def test_a_condition_that_comes_back_counts_from_its_return() -> None:
    stalled = conditions(Verdict(NO, NO, Progress.STALLED), (), 1, LONG_AGO)
    settled = conditions(Verdict(YES, IN_SYNC, Progress.SETTLED), stalled, 1, LONG_AGO + timedelta(days=1))
    assert find("Stalled", settled) is None
    again = find("Stalled", conditions(Verdict(NO, NO, Progress.STALLED), settled, 1, NOW))
    assert again is not None
    assert again.last_transition_time == NOW


def test_what_does_not_change_makes_equal_conditions() -> None:
    verdict = Verdict(NO, NO, Progress.STALLED)
    before = conditions(verdict, (), 1, LONG_AGO)
    assert conditions(verdict, before, 1, NOW) == before


def test_find_finds_nothing_where_there_is_nothing() -> None:
    assert find("Ready", ()) is None
