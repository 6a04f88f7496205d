"""What the annotation plan writes into a status: the actions in words, and nothing else."""

import pytest

from reconcilers.forecast import forecast
from reconcilers.foretold import NOTHING, planned
from reconcilers.key_spec import KMSKeySpec
from reconcilers.kmskey import plan_kmskey
from reconcilers.reasons import Reason
from reconcilers.reports import report, working
from reconcilers.states import KeyObject, NotCreated, Seen
from tests.reconcilers.builders import KEY_ID, NOW, account, foreign, key, observed, operator, remembered

ROTATING = KMSKeySpec(enable_key_rotation=True, description="new")


def lines(wish: KeyObject, seen: Seen) -> tuple[str, ...]:
    return planned(wish, forecast(wish, account(), seen, operator(), NOW)).plan


@pytest.mark.parametrize(
    ("wish", "seen", "expected"),
    [
        (
            key(ROTATING, finalizers=()),
            NotCreated(),
            ("add the finalizer", "create a SYMMETRIC_DEFAULT key for ENCRYPT_DECRYPT", "enable automatic rotation"),
        ),
        (key(ROTATING, remembered()), observed(), ("update the description", "enable automatic rotation")),
        (key(status=remembered()), observed(), (NOTHING,)),
        (
            key(status=remembered(), deleting=True),
            observed(aliases={}),
            ("schedule the key's deletion in 30 days", "release the object: its key's deletion is scheduled"),
        ),
        (key(deleting=True), NotCreated(), ("release the object: it never had a key",)),
    ],
)
def test_the_actions_are_told_in_their_order(wish: KeyObject, seen: Seen, expected: tuple[str, ...]) -> None:
    assert lines(wish, seen) == expected


def test_what_stands_in_the_way_is_told_last() -> None:
    (line,) = lines(key(status=remembered()), foreign())
    assert line.startswith(f"then KeyNotOwned: The owner tags of the key {KEY_ID} do not name this object")


def test_nothing_but_the_plan_changes_and_the_same_plan_changes_nothing() -> None:
    wish = key(ROTATING, remembered())
    once = planned(wish, forecast(wish, account(), observed(), operator(), NOW))
    assert once.model_copy(update={"plan": ()}) == wish.status
    again = key(ROTATING, once)
    assert planned(again, forecast(again, account(), observed(), operator(), NOW)) == once


def test_every_other_report_takes_the_plan_away() -> None:
    wish = key(status=remembered().model_copy(update={"plan": (NOTHING,)}))
    assert report(wish, operator(), working(Reason.UPDATING, "x"), NOW).plan == ()
    assert plan_kmskey(wish, account(), observed(), operator(), NOW).status.plan == ()
