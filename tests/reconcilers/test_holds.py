"""The rules of holds: who holds an object back, what still happens, and what is said."""

from dataclasses import replace

import pytest

from reconcilers.actions import RemoveFinalizer
from reconcilers.conditions import find
from reconcilers.key_spec import KMSKeySpec
from reconcilers.kmskey import plan_kmskey, plan_unseen
from reconcilers.names import PAUSED_ANNOTATION
from reconcilers.reasons import Reason
from reconcilers.states import KeyObject, NotCreated
from tests.reconcilers.builders import NOW, account, answered, key, observed, operator, remembered
from tests.reconcilers.verdicts import told

SUSPENDED = key(KMSKeySpec(suspend=True, description="new"), remembered())
PAUSED = replace(key(KMSKeySpec(description="new"), remembered()), paused=True)


@pytest.mark.parametrize("held", [SUSPENDED, PAUSED])
def test_a_held_object_is_neither_looked_at_nor_changed(held: KeyObject) -> None:
    early = plan_unseen(held, account(), operator(), NOW)
    assert early is not None
    assert early.actions == ()
    assert told(early)["Synced"] == ("False", Reason.SUSPENDED)
    assert plan_kmskey(held, account(), observed(), operator(), NOW).actions == ()


def test_a_new_object_that_is_suspended_gets_no_key() -> None:
    made = plan_kmskey(key(KMSKeySpec(suspend=True)), account(), NotCreated(), operator(), NOW)
    assert made.actions == ()
    assert told(made)["Ready"] == ("False", Reason.SUSPENDED)


def test_a_ready_key_stays_ready_while_it_is_held() -> None:
    settled = plan_kmskey(key(status=remembered()), account(), observed(), operator(), NOW).status
    held = plan_unseen(key(KMSKeySpec(suspend=True), settled), account(), operator(), NOW)
    assert held is not None
    assert told(held)["Ready"] == ("True", Reason.AVAILABLE)


@pytest.mark.parametrize(
    ("dying", "words"),
    [
        (replace(SUSPENDED, deleting=True), "spec.suspend"),
        (replace(PAUSED, deleting=True), PAUSED_ANNOTATION),
        (key(KMSKeySpec(deletion_protection=True), remembered(), deleting=True), "spec.deletionProtection"),
    ],
)
def test_the_deletion_of_a_held_object_waits_and_says_why(dying: KeyObject, words: str) -> None:
    made = plan_kmskey(dying, account(), observed(), operator(), NOW)
    assert made.actions == ()
    assert told(made)["Ready"] == ("False", Reason.DELETION_BLOCKED)
    ready = find("Ready", made.status.conditions)
    assert ready is not None
    assert words in ready.message


def test_protection_means_nothing_to_an_object_that_lives_and_to_one_that_is_let_go() -> None:
    living = plan_kmskey(key(KMSKeySpec(deletion_protection=True), remembered()), account(), observed(), operator(), NOW)
    assert told(living)["Ready"] == ("True", Reason.AVAILABLE)
    let_go = key(KMSKeySpec(deletion_protection=False), remembered(), deleting=True)
    gone = plan_kmskey(let_go, account(), answered(observed("PendingDeletion")), operator(), NOW)
    assert [type(action) for action in gone.actions] == [RemoveFinalizer]


def test_a_request_to_reconcile_is_acknowledged_by_whoever_works_and_not_while_held() -> None:
    asked = replace(key(status=remembered()), reconcile_requested_at="now")
    assert plan_kmskey(asked, account(), observed(), operator(), NOW).status.last_handled_reconcile_at == "now"
    held = plan_unseen(replace(SUSPENDED, reconcile_requested_at="now"), account(), operator(), NOW)
    assert held is not None
    assert held.status.last_handled_reconcile_at is None
