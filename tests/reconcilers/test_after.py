from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconcilers.actions import (
    CancelKeyDeletion,
    CreateAlias,
    CreateGrant,
    DeleteAlias,
    DeleteImportedKeyMaterial,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    KeyAction,
    PutKeyPolicy,
    RevokeGrant,
    RotateKeyOnDemand,
    ScheduleKeyDeletion,
    TagResource,
    UntagResource,
    UpdateKeyDescription,
)
from reconcilers.after import after
from reconcilers.key_status import RotationAttempt
from reconcilers.states import Grant, ObservedKey, Rotation
from tests.reconcilers.builders import DENIED, NO_ROTATION, NOW, arn, leading, observed

KEY = arn()
GRANT = Grant("reader", "arn:aws:iam::123456789012:role/reader", frozenset({"Decrypt"}))
ATTEMPT = RotationAttempt(token="2026-03", time=NOW)
SOME_DAY = NOW + timedelta(days=30)


def imported(state: str = "Enabled", *, has: bool = True) -> ObservedKey:
    return replace(observed(state), has_imported_material=has)


@pytest.mark.parametrize(
    ("before", "action", "now"),
    [
        (observed("Disabled"), EnableKey(KEY), observed()),
        (observed(), DisableKey(KEY), observed("Disabled")),
        (observed("PendingDeletion"), CancelKeyDeletion(KEY), observed("Disabled")),
        (observed(policy="old"), PutKeyPolicy(KEY, "new", bypass_policy_lockout_safety_check=False), observed(policy="new")),
        (observed(description="old"), UpdateKeyDescription(KEY, ""), observed()),
        (observed(tags={"a": "1", "b": "1"}), TagResource(KEY, {"b": "2", "c": "3"}), observed(tags={"a": "1", "b": "2", "c": "3"})),
        (observed(tags={"a": "1", "b": "1"}), UntagResource(KEY, ("a", "gone")), observed(tags={"b": "1"})),
        (observed(), EnableKeyRotation(KEY, 90), observed(rotation=Rotation(True, 90))),
        (observed(rotation=Rotation(False, 90)), EnableKeyRotation(KEY, None), observed(rotation=Rotation(True))),
        (observed(rotation=Rotation(True, 90)), EnableKeyRotation(KEY, None), observed(rotation=Rotation(True, 90))),
        (observed(rotation=Rotation(True, 90)), EnableKeyRotation(KEY, 365), observed(rotation=Rotation(True, 365))),
        (observed(rotation=Rotation(True, 90)), DisableKeyRotation(KEY), observed(rotation=NO_ROTATION)),
        (observed(), RotateKeyOnDemand(KEY, ATTEMPT), observed(rotation=Rotation(False, on_demand_started=NOW))),
        (imported(), DeleteImportedKeyMaterial(KEY), imported("PendingImport", has=False)),
        (imported("PendingDeletion"), DeleteImportedKeyMaterial(KEY), imported("PendingDeletion", has=False)),
        (observed(), CreateAlias(KEY, "alias/a"), observed(aliases=leading("alias/a"))),
        (observed(aliases=leading("alias/a")), CreateAlias(KEY, "alias/b"), observed(aliases=leading("alias/a", "alias/b"))),
        (observed(aliases=leading("alias/a", "alias/b")), DeleteAlias(KEY, "alias/a"), observed(aliases=leading("alias/b"))),
        (observed(), CreateGrant(KEY, GRANT), observed(grants={"reader": GRANT})),
        (observed(grants={"id-1": GRANT}), RevokeGrant(KEY, "id-1", "reader"), observed(grants={"id-1": None})),
        (observed(grants=DENIED), RevokeGrant(KEY, "id-1", "reader"), observed(grants={"id-1": None})),
    ],
)
def test_an_action_is_seen_in_the_key(before: ObservedKey, action: KeyAction, now: ObservedKey) -> None:
    assert after(before, action, {}) == now


def test_a_grant_has_the_id_of_the_answer() -> None:
    assert after(observed(grants={}), CreateGrant(KEY, GRANT), {"GrantId": "id-1"}).grants == {"id-1": GRANT}


@pytest.mark.parametrize(
    ("answer", "state", "date"),
    [
        ({"KeyState": "PendingDeletion", "DeletionDate": SOME_DAY}, "PendingDeletion", SOME_DAY),
        ({"KeyState": "PendingReplicaDeletion"}, "PendingReplicaDeletion", None),
        ({}, "PendingDeletion", None),
    ],
)
def test_a_scheduled_deletion_is_what_the_answer_says(answer: dict[str, Any], state: str, date: object) -> None:
    gone = after(observed(), ScheduleKeyDeletion(KEY, 30), answer)
    assert (gone.state, gone.deletion_date) == (state, date)
