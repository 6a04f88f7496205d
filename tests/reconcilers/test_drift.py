"""What is drift, what becomes of it, and how it is told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconcilers.actions import Plan, TagResource, UntagResource
from reconcilers.conditions import find
from reconcilers.drift import drift_news
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import DriftedField, KMSKeyStatus
from reconcilers.kmskey import plan_kmskey
from reconcilers.names import OWNER_TAG
from reconcilers.reasons import Reason
from reconcilers.states import KeyObject, ObservedKey, Rotation
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import NOW, OTHER_KEY_ID, account, arn, key, leading, observed, operator, remembered
from tests.reconcilers.passes import Around, World, settle
from tests.reconcilers.verdicts import told

READER_ROLE = "arn:aws:iam::123456789012:role/reader"
ALLOW = '{"Statement": {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "kms:*", "Resource": "*"}}'
FULL: dict[str, Any] = {
    "description": "Orders",
    "keyPolicy": ALLOW,
    "enableKeyRotation": True,
    "tags": {"team": "shop", "cost": "17"},
    "aliases": ["orders"],
    "grants": [{"name": "reader", "granteeRoleArn": READER_ROLE, "operations": ["Decrypt"]}],
}
GRANT_ID = "g" * 16


def spec(**changes: Any) -> KMSKeySpec:
    return KMSKeySpec.model_validate({name: value for name, value in (FULL | changes).items() if value is not None})


def plan(wish: KeyObject, seen: ObservedKey, default_tags: Mapping[str, str] | None = None, later: timedelta = timedelta()) -> Plan:
    return plan_kmskey(wish, account(default_tags), seen, operator(), NOW + later)


def full(**changes: Any) -> ObservedKey:
    """The key as FULL asks for it, changed."""
    wanted = wanted_key(key(spec()), account(), operator())
    as_declared: dict[str, Any] = {
        "description": "Orders",
        "policy": ALLOW,
        "rotation": Rotation(True, 365),
        "tags": FULL["tags"],
        "aliases": leading("alias/orders"),
        "grants": {GRANT_ID: wanted.grants[0]},
    }
    return observed(**as_declared | changes)


def settled(**changes: Any) -> KMSKeyStatus:
    """The status once all of FULL was seen on the key."""
    return plan(key(spec(**changes), remembered()), full()).status


DRIFTS = {
    "description": full(description="mine"),
    "policy": full(policy=ALLOW.replace("Allow", "Deny")),
    "rotation": full(rotation=Rotation(False)),
    "tags.team": full(tags={"team": "thieves", "cost": "17"}),
    "tags.cost": full(tags={"team": "shop"}),
    "aliases": full(aliases={}),
    "grants": full(grants={}),
    "enabled": full(state="Disabled"),
    "deletionState": full(state="PendingDeletion", rotation=None),
}


@pytest.mark.parametrize("field", DRIFTS)
class TestEachField:
    def test_what_was_reached_and_differs_is_drift_and_is_set_right(self, field: str) -> None:
        made = plan(key(spec(), settled(), generation=2), DRIFTS[field])
        assert made.actions
        assert made.corrections == made.actions
        assert [entry.field for entry in made.status.drift] == [field]

    def test_with_report_it_is_told_and_nothing_is_written(self, field: str) -> None:
        wish = key(spec(driftPolicy="Report"), settled())
        made = plan(wish, DRIFTS[field])
        assert made.actions == ()
        assert [entry.field for entry in made.status.drift] == [field]
        again = plan(key(wish.spec, made.status), DRIFTS[field], later=timedelta(hours=1))
        assert (again.actions, again.status) == ((), made.status)
        end = plan(key(wish.spec, made.status), full())
        assert (end.status.drift, told(end)["Synced"]) == ((), ("True", Reason.IN_SYNC))

    @pytest.mark.parametrize("policy", [None, "Correct", "Report"])
    def test_what_is_ignored_is_left_without_a_word(self, field: str, policy: str | None) -> None:
        made = plan(key(spec(ignoreDrift=[field], driftPolicy=policy), settled()), DRIFTS[field])
        assert (made.actions, made.status.drift) == ((), ())
        assert (told(made)["Synced"][0] == "True") is (field != "deletionState")

    def test_what_was_never_reached_is_no_drift(self, field: str) -> None:
        made = plan(key(spec(driftPolicy="Report", ignoreDrift=[field]), remembered()), DRIFTS[field])
        assert made.actions
        assert (made.corrections, made.status.drift) == ((), ())


@pytest.mark.parametrize(
    ("field", "ready", "stalls"),
    [
        ("description", ("True", Reason.AVAILABLE), False),
        ("aliases", ("True", Reason.AVAILABLE), False),
        ("enabled", ("False", Reason.KEY_DISABLED), True),
        ("deletionState", ("False", Reason.KEY_PENDING_DELETION), True),
    ],
)
def test_reported_drift_leaves_ready_alone_while_the_key_can_be_used(field: str, ready: tuple[str, str], *, stalls: bool) -> None:
    conditions = told(plan(key(spec(driftPolicy="Report"), settled()), DRIFTS[field]))
    assert conditions["Ready"] == ready
    assert conditions["Synced"] == ("False", Reason.KEY_PENDING_DELETION if field == "deletionState" else Reason.DRIFT_DETECTED)
    assert ("Stalled" in conditions, "Reconciling" in conditions) == (stalls, False)


@pytest.mark.parametrize("policy", [None, "Report"])
@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({"description": "All orders"}, full()),
        ({"description": None}, full()),
        ({"keyPolicy": ALLOW.replace("kms:*", "*")}, full()),
        ({"enableKeyRotation": False}, full()),
        ({"tags": {"team": "mail", "cost": "17"}}, full()),
        ({"tags": {"team": "shop"}}, full()),
        ({"aliases": ["orders", "sales"]}, full()),
        ({"aliases": []}, full()),
        ({"grants": []}, full()),
        ({"enabled": False}, full()),
    ],
)
def test_a_change_of_the_spec_is_never_drift(changed: dict[str, Any], seen: ObservedKey, policy: str | None) -> None:
    ignored = ["description", "policy", "rotation", "tags", "aliases", "grants", "enabled"]
    made = plan(key(spec(**changed, driftPolicy=policy, ignoreDrift=ignored), settled(), generation=2), seen)
    assert made.actions
    assert (made.corrections, made.status.drift) == ((), ())


def test_another_default_tag_is_never_drift() -> None:
    made = plan(key(spec(driftPolicy="Report"), settled()), full(), {"unit": "7", "team": "hers"})
    assert [action.told for action in made.actions] == ["set the tags unit"]
    assert (made.corrections, made.status.drift) == ((), ())


def test_a_change_of_one_field_does_not_touch_what_is_held_of_another() -> None:
    seen = full(tags={"team": "shop", "cost": "99"}, description="mine")
    changed = spec(tags={"team": "mail", "cost": "17"}, driftPolicy="Report")
    made = plan(key(changed, settled(), generation=2), seen)
    assert made.actions == (TagResource(arn(), {"team": "mail"}),)
    assert [entry.field for entry in made.status.drift] == ["description", "tags.cost"]


def test_a_value_that_was_wanted_before_is_not_taken_for_drift_once_it_is_wanted_again() -> None:
    """The change was written, and the process died before it was reported."""
    changed = plan(key(spec(description="new", driftPolicy="Report"), settled(), generation=2), full())
    back = plan(key(spec(driftPolicy="Report"), changed.status, generation=3), full(description="new"))
    assert [action.told for action in back.actions] == ["update the description"]


def test_a_tag_that_is_ignored_is_still_removed_when_the_spec_drops_it() -> None:
    made = plan(key(spec(tags={"team": "shop"}, ignoreDrift=["tags"]), settled(), generation=2), full())
    assert made.actions == (UntagResource(arn(), ("cost",)),)


def test_the_owner_tags_cannot_be_ignored() -> None:
    seen = full(tags={**FULL["tags"], OWNER_TAG: "somebody/else"})
    corrected = plan(key(spec(ignoreDrift=["tags", f"tags.{OWNER_TAG}"]), settled()), seen)
    assert [action.told for action in corrected.corrections] == [f"set the tags {OWNER_TAG}"]
    assert plan(key(spec(driftPolicy="Report"), settled()), seen).actions == ()


def test_an_alias_that_was_moved_away_is_reported_or_ignored_and_never_taken_back() -> None:
    seen = full(aliases=leading("alias/orders", key_id=OTHER_KEY_ID))
    assert told(plan(key(spec(), settled()), seen))["Ready"] == ("False", Reason.ALIAS_CONFLICT)
    assert told(plan(key(spec(driftPolicy="Report"), settled()), seen))["Synced"] == ("False", Reason.DRIFT_DETECTED)
    assert told(plan(key(spec(ignoreDrift=["aliases"]), settled()), seen))["Synced"] == ("True", Reason.IN_SYNC)


def test_a_key_that_was_enabled_outside_and_is_left_so_is_not_called_disabled() -> None:
    disabled = plan(key(spec(enabled=False), remembered()), full(state="Disabled")).status
    made = plan(key(spec(enabled=False, driftPolicy="Report"), disabled), full())
    assert (made.actions, told(made)["Ready"]) == ((), ("True", Reason.AVAILABLE))


def test_what_cannot_be_seen_keeps_its_memory() -> None:
    before = settled()
    pending = plan(key(spec(driftPolicy="Report"), before), DRIFTS["deletionState"]).status
    assert pending.reached == before.reached
    assert plan(key(spec(driftPolicy="Report"), pending), full(description="mine")).actions == ()


def entry(actual: str, field: str = "description") -> DriftedField:
    return DriftedField(field=field, expected="a", actual=actual, detected_at=NOW)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ((), (), None),
        ((entry("b"),), (entry("b"),), None),
        ((entry("b"),), (), None),
        ((), (entry("b"),), "description is b and shall be a."),
        ((entry("b"),), (entry("c"),), "description is c and shall be a."),
        ((entry("b"),), (entry("b"), entry("d", "tags.x")), "left so: tags.x is d and shall be a."),
    ],
)
def test_only_new_drift_is_news(before: tuple[DriftedField, ...], after: tuple[DriftedField, ...], words: str | None) -> None:
    news = drift_news(before, after)
    assert (news and news.message.endswith(words)) if words else news is None


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_on_a_key_that_comes_back_all_is_set_right_whatever_its_earlier_object_had_reached(state: str) -> None:
    wish = key(spec(driftPolicy="Report", ignoreDrift=["enabled", "deletionState"]), settled())
    restored = World(replace(wish, uid="another"), full(state=state))
    end = settle(restored, Around(account(), operator(), NOW))
    assert isinstance(end.seen, ObservedKey)
    assert end.seen.state == "Enabled"
    assert find("Ready", end.key.status.conditions) == find("Ready", plan(wish, full()).status.conditions)
