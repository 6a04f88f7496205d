from dataclasses import replace

import pytest

from reconcilers.actions import CreateKey, DeleteAlias, DeleteImportedKeyMaterial, ScheduleKeyDeletion
from reconcilers.conditions import find
from reconcilers.failures import explain
from reconcilers.fields import DeletionPolicy, Origin
from reconcilers.forecast import forecast
from reconcilers.key_spec import KMSKeySpec
from reconcilers.kmskey import plan_kmskey
from reconcilers.materials import STORE_REFUSALS, fixed_material, lacks_material, to_destroy, wanted_material
from reconcilers.reasons import Reason
from reconcilers.states import OWN_MATERIAL, Failure, FailureKind, Material, NotCreated, ObservedKey
from tests.reconcilers.builders import KEY_ID, NOW, STATES, account, arn, key, leading, observed, operator, remembered

IN_A_STORE = Material("EXTERNAL_KEY_STORE", "cks-1", "xks-1")


def imported(state: str = "Enabled", *, has: bool = True) -> ObservedKey:
    return replace(observed(state, rotation=None), origin="EXTERNAL", has_imported_material=has)


@pytest.mark.parametrize(
    ("spec", "material"),
    [
        (KMSKeySpec(), OWN_MATERIAL),
        (KMSKeySpec(origin=Origin.AWS_KMS), OWN_MATERIAL),
        (KMSKeySpec(origin=Origin.EXTERNAL), Material("EXTERNAL")),
        (KMSKeySpec(origin=Origin.AWS_CLOUDHSM, custom_key_store_id="cks-1"), Material("AWS_CLOUDHSM", "cks-1")),
        (KMSKeySpec(origin=Origin.EXTERNAL_KEY_STORE, custom_key_store_id="cks-1", xks_key_id="xks-1"), IN_A_STORE),
    ],
)
def test_a_key_is_made_with_the_material_of_its_spec(spec: KMSKeySpec, material: Material) -> None:
    assert wanted_material(spec) == material
    told = forecast(key(spec, finalizers=()), account(), NotCreated(), operator(), NOW)
    (create,) = (action for action in told.actions if isinstance(action, CreateKey))
    assert create.material == material
    assert told.status.origin == material.origin


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        (replace(observed(), origin="EXTERNAL_KEY_STORE", custom_key_store_id="cks-1", xks_key_id="xks-1"), set()),
        (replace(observed(), origin="EXTERNAL_KEY_STORE", custom_key_store_id="cks-2", xks_key_id="xks-2"), {"customKeyStoreId", "xksKeyId"}),
        (observed(), {"origin", "customKeyStoreId", "xksKeyId"}),
    ],
)
def test_material_cannot_change(found: ObservedKey, fields: set[str]) -> None:
    assert {field for field, (wish, is_now) in fixed_material(IN_A_STORE, found).items() if wish != is_now} == fields
    spec = KMSKeySpec(origin=Origin.EXTERNAL_KEY_STORE, custom_key_store_id="cks-1", xks_key_id="xks-1")
    plan = plan_kmskey(key(spec, remembered()), account(), found, operator(), NOW)
    assert plan.actions == ()
    ready = find("Ready", plan.status.conditions)
    assert ready is not None
    assert (ready.reason == Reason.IMMUTABLE_FIELD_CONFLICT) is bool(fields)
    assert all(field in ready.message for field in fields)


@pytest.mark.parametrize("state", STATES)
def test_a_key_without_material_says_how_it_gets_it(state: str) -> None:
    reasons = {"PendingImport": Reason.KEY_PENDING_IMPORT, "Unavailable": Reason.KEY_UNAVAILABLE}
    lacks = lacks_material(replace(observed(state), custom_key_store_id="cks-1"))
    assert (lacks.reason if lacks else None) == reasons.get(state)
    if lacks is not None:
        assert (KEY_ID if state == "PendingImport" else "cks-1") in lacks.message


@pytest.mark.parametrize(
    ("state", "policy", "last"),
    [
        ("Enabled", DeletionPolicy.FORCE_DELETE, [DeleteImportedKeyMaterial(arn()), ScheduleKeyDeletion(arn(), 7)]),
        ("Disabled", DeletionPolicy.FORCE_DELETE, [DeleteImportedKeyMaterial(arn()), ScheduleKeyDeletion(arn(), 7)]),
        ("PendingDeletion", DeletionPolicy.FORCE_DELETE, [DeleteImportedKeyMaterial(arn()), ScheduleKeyDeletion(arn(), 7)]),
        ("Enabled", DeletionPolicy.DELETE, [ScheduleKeyDeletion(arn(), 30)]),
    ],
)
def test_only_force_delete_takes_imported_material_away(state: str, policy: DeletionPolicy, last: list[object]) -> None:
    spec = KMSKeySpec(origin=Origin.EXTERNAL, deletion_policy=policy, aliases=("a",))
    found = replace(imported(state), aliases=leading("alias/a"))
    plan = plan_kmskey(key(spec, remembered(), deleting=True), account(), found, operator(), NOW)
    assert list(plan.actions) == [DeleteAlias(arn(), "alias/a"), *last]


@pytest.mark.parametrize("found", [observed(), imported("PendingImport", has=False), imported("PendingDeletion", has=False)])
def test_where_there_is_no_imported_material_none_is_deleted(found: ObservedKey) -> None:
    assert to_destroy(found) == ()


@pytest.mark.parametrize("code", STORE_REFUSALS)
def test_what_a_store_refuses_is_told_with_the_way_out(code: str) -> None:
    problem = explain(Failure(FailureKind.WAIT_FOR_CAUSE, "CreateKey", code, "no"))
    assert problem.stalled
    assert problem.reason in (Reason.KEY_STORE_NOT_CONNECTED, Reason.KEY_STORE_REFUSED)
    assert code in problem.message
