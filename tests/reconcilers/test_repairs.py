from dataclasses import replace
from typing import Any

import pytest

from reconcilers.actions import (
    CancelKeyDeletion,
    CreateAlias,
    DeleteAlias,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    KeyAction,
    PutKeyPolicy,
    TagResource,
    UntagResource,
    UpdateKeyDescription,
)
from reconcilers.fields import MAX_TAGS
from reconcilers.repairs import repairs, rotation_waits
from reconcilers.states import ObservedKey, Rotation, Wanted
from tests.reconcilers.builders import DENIED, NO_ROTATION, OWNER_TAGS, STATES, arn, leading, observed, remembered

ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"kms:*","Resource":"*"}]}'
SAME = ALLOW.replace("[{", "{").replace("}]", "}").replace('"123456789012"', '["arn:aws:iam::123456789012:root"]')
OTHER = ALLOW.replace("kms:*", "kms:Decrypt")
KEY = arn()
NOTHING = remembered()

WANTED = Wanted(
    account_id="123456789012",
    region="us-east-1",
    key_spec="SYMMETRIC_DEFAULT",
    key_usage="ENCRYPT_DECRYPT",
    multi_region=False,
    enabled=True,
    description="",
    policy=None,
    bypass_policy_lockout_safety_check=False,
    rotation_enabled=False,
    rotation_period_in_days=None,
    tags=OWNER_TAGS,
)


def wanted(**changes: Any) -> Wanted:  # replace() checks the names and takes any value
    """A plain key, changed."""
    return replace(WANTED, **changes)


def tagged(**tags: str) -> dict[str, str]:
    return {**OWNER_TAGS, **tags}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("enabled", "expected"),
    [
        (True, {"Disabled": EnableKey(KEY)}),
        (False, {"Enabled": DisableKey(KEY)}),
    ],
)
def test_a_key_is_enabled_and_disabled_only_in_the_states_that_take_it(
    state: str, expected: dict[str, KeyAction], *, enabled: bool
) -> None:
    pending = {"PendingDeletion": CancelKeyDeletion(KEY), "PendingReplicaDeletion": CancelKeyDeletion(KEY)}
    due = repairs(wanted(enabled=enabled), observed(state), NOTHING)
    assert due == tuple(action for when, action in (expected | pending).items() if when == state)


@pytest.mark.parametrize(
    ("is_now", "wish", "due"),
    [
        ("", "", ()),
        ("", "new", (UpdateKeyDescription(KEY, "new"),)),
        ("old", "new", (UpdateKeyDescription(KEY, "new"),)),
        ("old", "", (UpdateKeyDescription(KEY, ""),)),
        ("   ", "   ", ()),
        ("new ", "new", (UpdateKeyDescription(KEY, "new"),)),
    ],
)
def test_the_description_is_written_when_it_differs(is_now: str, wish: str, due: tuple[KeyAction, ...]) -> None:
    assert repairs(wanted(description=wish), observed(description=is_now), NOTHING) == due


@pytest.mark.parametrize(
    ("is_now", "wish", "written"),
    [
        (ALLOW, None, False),
        (ALLOW, ALLOW, False),
        (ALLOW, SAME, False),
        (ALLOW, OTHER, True),
        (ALLOW, ALLOW.replace("Allow", "Deny"), True),
        ("no policy at all", ALLOW, True),
        (None, ALLOW, False),
        (DENIED, ALLOW, False),
    ],
)
def test_the_policy_is_written_when_its_meaning_differs(is_now: str | None, wish: str | None, *, written: bool) -> None:
    due = repairs(wanted(policy=wish), observed(policy=is_now), NOTHING)
    assert due == ((PutKeyPolicy(KEY, wish or "", bypass_policy_lockout_safety_check=False),) if written else ())


def test_the_lockout_check_is_bypassed_only_when_the_spec_says_so() -> None:
    bold = repairs(wanted(policy=OTHER, bypass_policy_lockout_safety_check=True), observed(policy=ALLOW), NOTHING)
    assert bold == (PutKeyPolicy(KEY, OTHER, bypass_policy_lockout_safety_check=True),)


@pytest.mark.parametrize(
    ("is_now", "wish", "managed", "due"),
    [
        ({}, {}, (), ()),
        ({"a": "1"}, {"a": "1"}, ("a",), ()),
        ({}, {"a": "1"}, (), (TagResource(KEY, {"a": "1"}),)),
        ({"a": "1"}, {"a": "2"}, ("a",), (TagResource(KEY, {"a": "2"}),)),
        ({"a": ""}, {"a": ""}, ("a",), ()),
        ({"a": "1"}, {}, ("a",), (UntagResource(KEY, ("a",)),)),
        ({"a": "1"}, {}, (), ()),
        ({}, {}, ("a",), ()),
        ({"b": "1", "a": "1"}, {}, ("a", "b"), (UntagResource(KEY, ("a", "b")),)),
        ({"a": "1"}, {"A": "1"}, ("a",), (TagResource(KEY, {"A": "1"}), UntagResource(KEY, ("a",)))),
        ({"a": "1", "foreign": "x"}, {"b": "1"}, ("a",), (TagResource(KEY, {"b": "1"}), UntagResource(KEY, ("a",)))),
        ({"aws:cloudformation:stack-name": "x"}, {}, (), ()),
        ({"aws:cloudformation:stack-name": "x"}, {}, ("aws:cloudformation:stack-name",), ()),
        ({"caf\u00e9": "1"}, {"cafe\u0301": "1"}, (), (TagResource(KEY, {"cafe\u0301": "1"}),)),
    ],
)
def test_tags_are_set_before_ours_that_nobody_wants_are_removed(
    is_now: dict[str, str], wish: dict[str, str], managed: tuple[str, ...], due: tuple[KeyAction, ...]
) -> None:
    assert repairs(wanted(tags=tagged(**wish)), observed(tags=is_now), remembered(managed_tag_keys=managed)) == due


def test_owner_tags_are_never_removed_whatever_the_status_says() -> None:
    assert repairs(wanted(), observed(), remembered(managed_tag_keys=tuple(OWNER_TAGS))) == ()


def test_the_name_tag_is_put_right_when_somebody_changed_it() -> None:
    renamed = {key: "other" if key.endswith("/owner") else value for key, value in OWNER_TAGS.items()}
    (due,) = repairs(wanted(), observed(tags=renamed), NOTHING)
    assert due == TagResource(KEY, {key: value for key, value in OWNER_TAGS.items() if key.endswith("/owner")})


def test_a_full_key_loses_tags_before_it_gets_new_ones() -> None:
    """KMS counts while it adds: one tag more than it takes, and the old ones would never go."""
    old = {f"tag-{number}": "x" for number in range(MAX_TAGS - len(OWNER_TAGS))}
    new = {**old, "new": "x"}
    del new["tag-0"]
    due = repairs(wanted(tags=tagged(**new)), observed(tags=old), remembered(managed_tag_keys=tuple(old)))
    assert due == (UntagResource(KEY, ("tag-0",)), TagResource(KEY, {"new": "x"}))


ON = Rotation(True, 365)


@pytest.mark.parametrize(
    ("is_now", "enabled", "period", "due"),
    [
        (NO_ROTATION, False, None, ()),
        (NO_ROTATION, True, None, (EnableKeyRotation(KEY, None),)),
        (NO_ROTATION, True, 90, (EnableKeyRotation(KEY, 90),)),
        (ON, False, None, (DisableKeyRotation(KEY),)),
        (ON, True, None, ()),
        (ON, True, 365, ()),
        (ON, True, 90, (EnableKeyRotation(KEY, 90),)),
        (Rotation(True), True, 90, ()),
        (Rotation(True), True, None, ()),
        (DENIED, True, 90, ()),
        (DENIED, False, None, ()),
        (None, False, None, ()),
    ],
)
def test_rotation_is_written_when_it_differs_and_the_difference_is_known(
    is_now: Rotation | None, period: int | None, due: tuple[KeyAction, ...], *, enabled: bool
) -> None:
    wish = wanted(rotation_enabled=enabled, rotation_period_in_days=period)
    assert repairs(wish, observed(rotation=is_now), NOTHING) == due


@pytest.mark.parametrize("state", [state for state in STATES if state != "Enabled"])
def test_rotation_is_changed_on_enabled_keys_only(state: str) -> None:
    due = repairs(wanted(rotation_enabled=True), observed(state), NOTHING)
    assert not [action for action in due if isinstance(action, EnableKeyRotation | DisableKeyRotation)]


@pytest.mark.parametrize(
    ("state", "enabled", "rotation", "waits"),
    [
        ("Disabled", False, NO_ROTATION, True),
        ("Disabled", False, ON, False),
        ("Disabled", True, NO_ROTATION, False),
        ("Enabled", False, NO_ROTATION, False),
        ("Disabled", False, DENIED, False),
    ],
)
def test_rotation_waits_while_the_key_shall_stay_disabled(state: str, rotation: Rotation, *, enabled: bool, waits: bool) -> None:
    assert rotation_waits(wanted(enabled=enabled, rotation_enabled=True), observed(state, rotation=rotation)) is waits


def everything_differs(state: str) -> ObservedKey:
    return observed(state, description="old", tags={"old": "x"}, policy=OTHER, aliases=leading("alias/old"))


OURS = remembered(managed_tag_keys=("old",), aliases=("alias/old",))


def test_the_order_is_kms_order_with_enabling_first() -> None:
    wish = wanted(description="new", policy=ALLOW, tags=tagged(new="x"), rotation_enabled=True, aliases=frozenset({"alias/new"}))
    due = repairs(wish, everything_differs("Disabled"), OURS)
    assert [type(action) for action in due] == [
        EnableKey,
        PutKeyPolicy,
        UpdateKeyDescription,
        TagResource,
        UntagResource,
        CreateAlias,
        DeleteAlias,
    ]


def test_the_order_is_kms_order_with_disabling_last() -> None:
    wish = wanted(
        description="new",
        policy=ALLOW,
        tags=tagged(new="x"),
        rotation_enabled=True,
        aliases=frozenset({"alias/new"}),
        enabled=False,
    )
    due = repairs(wish, everything_differs("Enabled"), OURS)
    assert [type(action) for action in due] == [
        PutKeyPolicy,
        UpdateKeyDescription,
        TagResource,
        UntagResource,
        EnableKeyRotation,
        CreateAlias,
        DeleteAlias,
        DisableKey,
    ]


@pytest.mark.parametrize("state", ["Creating", "Updating"])
def test_a_key_that_settles_is_left_alone(state: str) -> None:
    assert repairs(wanted(description="new", policy=ALLOW, enabled=False), everything_differs(state), OURS) == ()
