"""Forecasts are compared with what a KMS that obeys makes of the same plans (passes.py)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.conditions import find
from reconcilers.fields import DeletionPolicy
from reconcilers.forecast import NOT_YET, Forecast, forecast
from reconcilers.grant_fields import GrantSpec
from reconcilers.key_spec import KMSKeySpec
from reconcilers.names import OWNER_TAG, UID_TAG
from reconcilers.states import Candidates, KeyObject, NotCreated, ObservedKey, Rotation, Seen, Unobservable
from tests.reconcilers import builders
from tests.reconcilers.builders import DENIED, NOW, account, arn, attempted, observed, operator, remembered
from tests.reconcilers.passes import Around, World, settle

POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}}'
GRANT = GrantSpec(name="app", grantee_role_arn="arn:aws:iam::123456789012:role/app", operations=("Decrypt",))
EARLIER = {UID_TAG: "00000000-0000-0000-0000-000000000000", OWNER_TAG: "shop/orders"}


def foretell(key: KeyObject, seen: Seen) -> Forecast:
    return forecast(key, account(), seen, operator(), NOW)


def names(told: Forecast) -> list[str]:
    return [type(action).__name__ for action in told.actions]


def new(spec: KMSKeySpec | None = None) -> KeyObject:
    return builders.key(spec, finalizers=())


def known(spec: KMSKeySpec | None = None, *, deleting: bool = False) -> KeyObject:
    return builders.key(spec, remembered(managed_tag_keys=("old",)), deleting=deleting)


CASES: list[tuple[str, KeyObject, Seen, list[str]]] = [
    ("a new key", new(), NotCreated(), ["AddFinalizer", "CreateKey"]),
    ("a rotating key", new(KMSKeySpec(enable_key_rotation=True)), NotCreated(), ["AddFinalizer", "CreateKey", "EnableKeyRotation"]),
    (
        "a rotating key that is disabled",
        new(KMSKeySpec(enable_key_rotation=True, enabled=False)),
        NotCreated(),
        ["AddFinalizer", "CreateKey", "EnableKeyRotation", "DisableKey"],
    ),
    ("a signing key", new(KMSKeySpec(key_spec="RSA_2048", key_usage="SIGN_VERIFY")), NotCreated(), ["AddFinalizer", "CreateKey"]),
    ("with policy and tags", new(KMSKeySpec(key_policy=POLICY, tags={"a": "b"})), NotCreated(), ["AddFinalizer", "CreateKey"]),
    ("a key with a name", new(KMSKeySpec(aliases=("orders",))), NotCreated(), ["AddFinalizer", "CreateKey", "CreateAlias"]),
    ("a key that somebody is given", new(KMSKeySpec(grants=(GRANT,))), NotCreated(), ["AddFinalizer", "CreateKey", "CreateGrant"]),
    ("nothing to do", known(), observed(), []),
    ("a description", known(KMSKeySpec(description="Orders")), observed(), ["UpdateKeyDescription"]),
    ("tags", known(KMSKeySpec(tags={"new": "1"})), observed(tags={"old": "1"}), ["TagResource", "UntagResource"]),
    (
        "a disabled key that shall rotate",
        known(KMSKeySpec(enable_key_rotation=True)),
        observed("Disabled"),
        ["EnableKey", "EnableKeyRotation"],
    ),
    (
        "a key pending deletion",
        known(KMSKeySpec(description="back")),
        observed("PendingDeletion"),
        ["CancelKeyDeletion", "EnableKey", "UpdateKeyDescription"],
    ),
    ("an unanswered creation", builders.key(status=attempted(timedelta(minutes=1))), Candidates((observed(),), thorough=False), ["RecordKey"]),
    (
        "the key of an earlier object",
        new(),
        NotCreated((observed("PendingDeletion", tags=EARLIER),)),
        ["AddFinalizer", "RecordKey", "CancelKeyDeletion", "TagResource", "EnableKey"],
    ),
    ("deletion", known(deleting=True), observed(), ["ScheduleKeyDeletion", "RemoveFinalizer"]),
    ("retention", known(KMSKeySpec(deletion_policy=DeletionPolicy.RETAIN), deleting=True), observed(), ["RemoveFinalizer"]),
]  # fmt: skip
IDS = [case[0] for case in CASES]


@pytest.mark.parametrize(("key", "seen", "expected"), [case[1:] for case in CASES], ids=IDS)
def test_every_action_is_foretold_in_order(key: KeyObject, seen: Seen, expected: list[str]) -> None:
    assert names(foretell(key, seen)) == expected


@pytest.mark.parametrize(("key", "seen"), [case[1:3] for case in CASES], ids=IDS)
def test_it_comes_out_as_foretold_when_kms_obeys(key: KeyObject, seen: Seen) -> None:
    around = Around(account(), operator(), NOW)
    end = settle(World(key, seen), around)
    told = foretell(key, seen).status
    for kind in ("Ready", "Synced"):
        was, foretold = find(kind, end.key.status.conditions), find(kind, told.conditions)
        assert (was and was.reason) == (foretold and foretold.reason)


def test_a_key_that_is_still_to_be_made_has_no_id() -> None:
    *_, rotation = foretell(new(KMSKeySpec(enable_key_rotation=True)), NotCreated()).actions
    assert getattr(rotation, "key", "").endswith(f":key/{NOT_YET}")


def test_a_key_that_exists_keeps_its_arn() -> None:
    (description,) = foretell(known(KMSKeySpec(description="x")), observed()).actions
    assert getattr(description, "key", None) == arn()


def test_without_an_account_nothing_is_foretold_but_the_reason() -> None:
    nowhere = Unobservable(DENIED.reason, "no way there")
    told = forecast(new(), nowhere, NotCreated(), operator(), NOW)
    assert told.actions == ()
    ready = find("Ready", told.status.conditions)
    assert ready is not None
    assert ready.message == "no way there"


def test_a_key_of_somebody_else_is_left_alone() -> None:
    told = foretell(known(KMSKeySpec(description="x")), builders.foreign())
    assert told.actions == ()
    assert find("Stalled", told.status.conditions) is not None


def test_a_plan_that_runs_in_circles_is_a_bug_that_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(seen: ObservedKey, *_: object) -> ObservedKey:
        return replace(seen, rotation=Rotation(False))

    monkeypatch.setattr("reconcilers.forecast.after", forgetful)
    with pytest.raises(RuntimeError, match="does not come to an end"):
        foretell(known(KMSKeySpec(enable_key_rotation=True)), observed())
