from dataclasses import replace
from datetime import timedelta

from reconcilers.conditions import find
from reconcilers.fields import Condition
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.news import news
from reconcilers.quota_waits import waits_for_quota
from reconcilers.reasons import Reason
from reconcilers.reports import available, report
from reconcilers.states import KeyObject
from reconcilers.urgency import Urgency, urgency
from tests.reconcilers.builders import LONG_AGO, NOW, key, operator, remembered


def waiting(before: KeyObject) -> KMSKeyStatus:
    return waits_for_quota(before, "CreateKey", operator(), NOW)


def ready(generation: int) -> KeyObject:
    """A key that is as declared, and then given a spec of that generation."""
    declared = key(KMSKeySpec(description="new"), generation=1, status=remembered())
    status = report(declared, operator(), available(enabled=True), LONG_AGO)
    return replace(declared, generation=generation, status=status)


def condition(status: KMSKeyStatus, kind: str) -> Condition:
    found = find(kind, status.conditions)
    assert found is not None
    return found


def test_a_new_object_says_for_what_it_waits_and_that_it_is_at_work() -> None:
    status = waiting(key())
    told = condition(status, "Ready")
    assert (told.status, told.reason) == ("False", "WaitingForQuota")
    assert "CreateKey" in told.message
    assert condition(status, "Reconciling").status == "True"
    assert find("Stalled", status.conditions) is None
    assert status.creation_attempt is None


def test_it_says_so_once_and_without_an_event() -> None:
    status = waiting(key())
    again = waits_for_quota(key(status=status), "CreateKey", operator(), NOW + timedelta(hours=1))
    assert again == status
    assert news((), status.conditions) is None


def test_a_key_that_is_ready_for_this_spec_stays_so() -> None:
    before = ready(generation=1)
    status = waiting(before)
    assert condition(status, "Ready").status == "True"
    assert condition(status, "Synced").reason == Reason.WAITING_FOR_QUOTA
    assert news(before.status.conditions, status.conditions) is None


def test_a_change_of_a_user_that_waits_stays_one() -> None:
    changed = ready(generation=2)
    after = replace(changed, status=waiting(changed))
    assert condition(after.status, "Ready").reason == "WaitingForQuota"
    assert urgency(after, made=True) == Urgency.USER
