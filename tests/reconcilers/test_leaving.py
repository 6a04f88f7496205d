"""The replicas of a key whose object is deleted."""

from datetime import timedelta
from typing import Any

import pytest

from reconcilers.actions import (
    DeleteAlias,
    DeleteImportedKeyMaterial,
    DisableKey,
    KeyAction,
    RemoveFinalizer,
    ScheduleKeyDeletion,
)
from reconcilers.deletion import plan_deletion
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import ReplicaStatus
from reconcilers.leaving import leaving
from reconcilers.replica_fields import ReplicaSpec
from reconcilers.states import KeyObject, Missing
from tests.reconcilers.builders import DENIED, KEY_ID, NOW, account, answered, arn, key, operator, remembered
from tests.reconcilers.replicas import ANOTHER, BEFORE, EU, KEPT, THERE, attempt, primary, record, replica

SCHEDULE = ScheduleKeyDeletion(THERE, 9)


def going(*records: ReplicaStatus, policy: DeletionPolicy = DeletionPolicy.DELETE) -> KeyObject:
    own = ReplicaSpec(region=EU, aliases=("a",), pending_window_in_days=9)
    spec = KMSKeySpec(multi_region=True, replicas=(own,), deletion_policy=policy)
    return key(spec, remembered().model_copy(update={"replicas": records}), deleting=True)


@pytest.mark.parametrize(
    ("there", "known", "due"),
    [
        (replica(), KEPT, (SCHEDULE,)),
        (replica(), None, (SCHEDULE,)),
        (replica(tags=BEFORE), None, (SCHEDULE,)),
        (replica(tags={}), KEPT, (SCHEDULE,)),
        (replica("Disabled", aliases={"alias/a": THERE, "alias/theirs": THERE}), KEPT, (DeleteAlias(THERE, "alias/a"), SCHEDULE)),
        (replica("PendingDeletion"), KEPT, (SCHEDULE,)),
        (replica("PendingDeletion", state_is_answered=True), KEPT, ()),
        (replica(), record(managed=False), ()),  # let go of before
        (replica(tags=ANOTHER), KEPT, ()),
        (replica(tags={}), None, ()),
        (Missing(KEY_ID), KEPT, ()),
    ],
)
def test_what_is_ours_is_disposed_of_and_nothing_else(there: Any, known: ReplicaStatus | None, due: tuple[KeyAction, ...]) -> None:
    found = leaving(going(*filter(None, [known])), primary(eu=there), DeletionPolicy.DELETE, operator(), NOW)
    assert (tuple(found.due), found.waits, found.blocked) == (due, [], [])


@pytest.mark.parametrize(
    ("there", "known", "waits", "blocked"),
    [
        (replica("Creating"), KEPT, True, False),
        (Missing(KEY_ID), record(creation_attempt=attempt(timedelta(seconds=9))), True, False),
        (Missing(KEY_ID), record(creation_attempt=attempt(timedelta(hours=9))), False, False),
        (Missing(KEY_ID), record(managed=True, creation_date=NOW - timedelta(seconds=9)), True, False),  # KMS does not show it yet
        (replica(tags={}), record(creation_attempt=attempt(timedelta(seconds=9))), True, False),
        (DENIED, KEPT, False, True),
        (DENIED, None, False, True),
        (DENIED, record(managed=False), False, False),
        (replica(tags=DENIED), KEPT, False, True),
        (replica(aliases=DENIED), KEPT, False, True),
    ],
)
def test_the_object_waits_for_what_may_be_ours_and_cannot_be_seen(there: Any, known: ReplicaStatus | None, waits: bool, blocked: bool) -> None:
    found = leaving(going(*filter(None, [known])), primary(eu=there), DeletionPolicy.DELETE, operator(), NOW)
    assert (found.due, bool(found.waits), bool(found.blocked)) == ([], waits, blocked)
    planned = plan_deletion(going(*filter(None, [known])), account(), answered(primary("PendingReplicaDeletion", eu=there)), operator(), NOW)
    released = [action for action in planned.actions if isinstance(action, RemoveFinalizer)]
    assert bool(released) is not (waits or blocked)
    assert released or any(EU in one.message for one in planned.status.conditions)


def test_replicas_go_before_the_key_and_a_region_out_of_reach_holds_up_neither() -> None:
    planned = plan_deletion(going(KEPT), account(), primary(eu=replica(), asia=DENIED), operator(), NOW)
    assert planned.actions == (SCHEDULE, ScheduleKeyDeletion(arn(), 30))


def test_forced_deletion_destroys_imported_material_in_every_region() -> None:
    there = replica(origin="EXTERNAL", has_imported_material=True)
    planned = plan_deletion(going(KEPT, policy=DeletionPolicy.FORCE_DELETE), account(), primary(eu=there), operator(), NOW)
    assert planned.actions[:2] == (DeleteImportedKeyMaterial(THERE), ScheduleKeyDeletion(THERE, 7))


def test_a_disabled_key_s_replicas_are_disabled() -> None:
    planned = plan_deletion(going(KEPT, policy=DeletionPolicy.DISABLE_KEY), account(), primary(eu=replica()), operator(), NOW)
    assert planned.actions == (DisableKey(THERE), DisableKey(arn()))
