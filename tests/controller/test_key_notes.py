"""What a pass tells in events, and in how many."""

from datetime import UTC, datetime

import pytest

from controller.events import EventRecorder, EventType, Regarding
from controller.key_notes import KeyNotes
from reconcilers.actions import Action, CreateAlias, CreateKey, EnableKeyRotation, UpdateKeyDescription
from reconcilers.conditions import conditions
from reconcilers.key_status import CreationAttempt, KMSKeyStatus
from reconcilers.reasons import Reason
from reconcilers.reports import available, blocked
from reconcilers.states import Problem

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OBJECT = Regarding("v1", "KMSKey", "team", "orders", "uid")
CREATE = CreateKey(CreationAttempt(id="uid.1", time=NOW, count=1), "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", False, "", None, False, {})
MADE = "create a SYMMETRIC_DEFAULT key for ENCRYPT_DECRYPT"
BEFORE = KMSKeyStatus()
READY = KMSKeyStatus(conditions=conditions(available(True), (), 1, NOW))
DENIED = KMSKeyStatus(conditions=conditions(blocked(Problem(Reason.ACCESS_DENIED, "KMS says no.", stalled=True)), (), 1, NOW))


class Told(EventRecorder):
    """What the recorder was given."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []

    def record(self, regarding: Regarding, event_type: EventType, reason: str, action: str, note: str) -> None:  # noqa: ARG002 - its signature
        self.events.append((event_type, reason, note))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def notes(told: Told) -> KeyNotes:
    return KeyNotes(told, OBJECT)


def did(notes: KeyNotes, *actions: Action, name: str = "k1") -> None:
    for action in actions:
        notes.did(action, name, serious=False)


def test_a_new_key_is_one_event_with_all_that_was_done_to_it(told: Told, notes: KeyNotes) -> None:
    did(notes, CREATE, EnableKeyRotation("arn", None))
    notes.reported(BEFORE, READY, only_reports=False)
    assert told.events == []
    notes.close("k1")
    assert told.events == [
        ("Normal", "KeyCreated", f"k1: {MADE}, enable automatic rotation. The key is as declared and can be used."),
    ]


def test_what_stops_a_new_key_is_told_beside_its_making(told: Told, notes: KeyNotes) -> None:
    did(notes, CREATE)
    notes.reported(BEFORE, DENIED, only_reports=False)
    notes.close("k1")
    assert told.events == [("Warning", "AccessDenied", "KMS says no."), ("Normal", "KeyCreated", f"k1: {MADE}.")]


def test_what_was_done_to_a_new_keys_replica_is_told_by_itself(told: Told, notes: KeyNotes) -> None:
    did(notes, CREATE)
    did(notes, CreateAlias("arn", "alias/orders"), name="k1 in eu-west-1")
    notes.close("k1")
    assert [reason for _, reason, _ in told.events] == ["AliasCreated", "KeyCreated"]


def test_each_change_of_an_old_key_is_one_event_and_so_is_its_readiness(told: Told, notes: KeyNotes) -> None:
    did(notes, UpdateKeyDescription("arn", "new"), EnableKeyRotation("arn", None))
    notes.reported(BEFORE, READY, only_reports=False)
    notes.close("k1")
    assert [reason for _, reason, _ in told.events] == ["DescriptionUpdated", "RotationEnabled", "Available"]


def test_all_that_was_set_right_is_one_event(told: Told, notes: KeyNotes) -> None:
    notes.corrected(UpdateKeyDescription("arn", "old"))
    notes.corrected(EnableKeyRotation("arn", None))
    notes.close("k1")
    ((kind, reason, note),) = told.events
    assert (kind, reason) == ("Warning", "DriftCorrected")
    assert note == "k1 was changed outside the operator; corrected: update the description, enable automatic rotation."


def test_a_pass_that_did_nothing_tells_nothing(told: Told, notes: KeyNotes) -> None:
    notes.reported(READY, READY, only_reports=False)
    notes.close("k1")
    assert told.events == []
