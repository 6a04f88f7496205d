"""plan_kmskey for a key that exists: what is set right, what is told, and what is remembered before anything is written."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.actions import AddFinalizer, CancelKeyDeletion, CreateAlias, Plan, TagResource, UpdateKeyDescription
from reconcilers.fields import DeletionPolicy
from reconcilers.grant_fields import GrantSpec
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmskey import plan_kmskey
from reconcilers.reasons import Reason
from reconcilers.states import KeyObject, ObservedKey
from tests.reconcilers.builders import (
    ACCOUNT_ID,
    DENIED,
    KEY_ID,
    NOW,
    OTHER_KEY_ID,
    UID,
    account,
    arn,
    foreign,
    key,
    leading,
    observed,
    operator,
    remembered,
)
from tests.reconcilers.verdicts import message, stalled, told, working

MINUTE = timedelta(minutes=1)


def plan(wish: KeyObject, seen: ObservedKey) -> Plan:
    return plan_kmskey(wish, account(), seen, operator(), NOW)


class TestKeeping:
    """The key exists and is remembered."""

    def test_a_key_as_declared_is_reported_and_left_alone(self) -> None:
        made = plan(key(status=remembered()), observed())
        assert (made.actions, made.look_again, made.write_ahead) == ((), None, False)
        assert told(made) == {"Ready": ("True", Reason.AVAILABLE), "Synced": ("True", Reason.IN_SYNC)}
        assert (made.status.key_id, made.status.key_arn, made.status.account_id) == (KEY_ID, arn(), ACCOUNT_ID)
        assert (made.status.ready, made.status.key_state, made.status.observed_generation) == (True, "Enabled", 1)
        assert made.status.effective_deletion_policy is DeletionPolicy.SCHEDULE_KEY_DELETION

    def test_an_alias_that_somebody_else_has_is_told_and_the_rest_is_done(self) -> None:
        wish = key(KMSKeySpec(aliases=("a", "b"), description="new"), remembered())
        taken = leading("alias/a", key_id=OTHER_KEY_ID)
        seen = observed(aliases=taken)
        due = plan(wish, seen)
        assert due.actions == (UpdateKeyDescription(arn(), "new"), CreateAlias(arn(), "alias/b"))
        assert (due.write_ahead, due.status.aliases) == (True, ("alias/b",))
        end = plan(wish, replace(seen, description="new", aliases=taken | leading("alias/b")))
        assert (end.actions, end.look_again, end.status.aliases) == ((), 5 * MINUTE, ("alias/b",))
        assert told(end)["Ready"] == ("False", Reason.ALIAS_CONFLICT)
        assert arn(OTHER_KEY_ID) in message(end)

    @pytest.mark.parametrize("rotation", [None, True])
    def test_grants_wait_while_the_key_shall_stay_disabled(self, rotation: bool | None) -> None:
        grant = GrantSpec(name="a", grantee_principal="arn:aws:iam::123456789012:root", operations=("Decrypt",))
        wish = key(KMSKeySpec(grants=(grant,), enabled=False, enable_key_rotation=rotation), remembered())
        made = plan(wish, observed("Disabled", grants={}))
        assert (made.actions, made.look_again) == ((), None)
        assert told(made) == {"Ready": ("True", Reason.DISABLED_AS_REQUESTED), "Synced": ("False", Reason.KEY_DISABLED)}
        synced = next(one.message for one in made.status.conditions if one.type == "Synced")
        assert ("Rotation" in synced, "Grants" in synced) == (bool(rotation), True)

    def test_aliases_that_may_not_be_read_are_not_written(self) -> None:
        made = plan(key(KMSKeySpec(aliases=("a",)), remembered(aliases=("alias/b",))), observed(aliases=DENIED))
        assert (made.actions, made.status.aliases) == ((), ("alias/b",))
        assert told(made)["Ready"] == ("False", Reason.ACCESS_DENIED)

    def test_a_key_disabled_as_declared_is_ready_and_not_usable(self) -> None:
        made = plan(key(KMSKeySpec(enabled=False), remembered()), observed("Disabled"))
        assert told(made)["Ready"] == ("True", Reason.DISABLED_AS_REQUESTED)
        assert made.status.ready is False

    @pytest.mark.parametrize("enabled", [True, False])
    @pytest.mark.parametrize(
        ("state", "reason", "look_again"),
        [
            ("Creating", Reason.KEY_NOT_USABLE_YET, timedelta(seconds=5)),
            ("Updating", Reason.KEY_NOT_USABLE_YET, timedelta(seconds=5)),
            ("PendingImport", Reason.KEY_PENDING_IMPORT, timedelta(minutes=5)),
            ("Unavailable", Reason.KEY_UNAVAILABLE, timedelta(minutes=5)),
            ("Quarantined", None, None),
        ],
    )
    def test_a_state_that_is_none_of_ours_is_told_and_not_called_ready(
        self, state: str, reason: Reason | None, look_again: timedelta | None, *, enabled: bool
    ) -> None:
        """The last one is a state of tomorrow."""
        made = plan(key(KMSKeySpec(enabled=enabled), remembered()), observed(state))
        assert made.actions == ()
        assert told(made)["Ready"][0] == "False"
        assert reason is None or (told(made)["Ready"][1], made.look_again) == (reason, look_again)
        assert (made.status.key_state, made.status.ready) == (state, False)

    @pytest.mark.parametrize("state", ["PendingDeletion", "PendingReplicaDeletion"])
    def test_a_key_pending_deletion_is_first_taken_back(self, state: str) -> None:
        made = plan(key(KMSKeySpec(description="new"), remembered()), observed(state))
        assert made.actions == (CancelKeyDeletion(arn()),)

    @pytest.mark.parametrize(
        ("field", "spec", "seen"),
        [
            ("keySpec is RSA_2048 in AWS and SYMMETRIC_DEFAULT", KMSKeySpec(), replace(observed(), key_spec="RSA_2048")),
            ("keyUsage is SIGN_VERIFY in AWS and ENCRYPT_DECRYPT", KMSKeySpec(), replace(observed(), key_usage="SIGN_VERIFY")),
            ("multiRegion is False in AWS and True", KMSKeySpec(multi_region=True), observed()),
        ],
    )
    def test_what_kms_cannot_change_is_not_tried(self, field: str, spec: KMSKeySpec, seen: ObservedKey) -> None:
        wish = spec.model_copy(update={"description": "new"})
        made = plan(key(wish, remembered()), seen)
        assert made.actions == ()
        assert told(made) == stalled(Reason.IMMUTABLE_FIELD_CONFLICT)
        assert field in message(made)

    def test_a_key_whose_tags_name_another_object_is_not_touched(self) -> None:
        made = plan(key(KMSKeySpec(description="new"), remembered()), foreign())
        assert made.actions == ()
        assert told(made) == stalled(Reason.KEY_NOT_OWNED)
        assert UID in message(made)

    def test_a_new_key_whose_tags_do_not_show_yet_is_waited_for(self) -> None:
        """KMS may show a key before its tags."""
        bare = replace(observed(), tags={}, creation_date=NOW - MINUTE)
        made = plan(key(status=remembered(creation_date=NOW - MINUTE)), bare)
        assert (made.actions, told(made)) == ((), working(Reason.KEY_NOT_USABLE_YET))

    def test_a_key_whose_tags_cannot_be_read_is_not_touched(self) -> None:
        made = plan(key(KMSKeySpec(description="new"), remembered()), observed(tags=DENIED))
        assert (made.actions, told(made)) == ((), stalled(Reason.ACCESS_DENIED))

    @pytest.mark.parametrize(
        ("spec", "seen"),
        [
            (KMSKeySpec(key_policy='{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}'), "policy"),
            (KMSKeySpec(enable_key_rotation=True), "rotation"),
        ],
    )
    def test_what_is_declared_and_cannot_be_read_keeps_the_key_from_being_ready(self, spec: KMSKeySpec, seen: str) -> None:
        found = replace(observed(), policy=DENIED) if seen == "policy" else replace(observed(), rotation=DENIED)
        made = plan(key(spec, remembered()), found)
        assert (made.actions, told(made), made.look_again) == ((), stalled(Reason.ACCESS_DENIED), 5 * MINUTE)

    def test_what_is_not_declared_need_not_be_readable(self) -> None:
        made = plan(key(status=remembered()), replace(observed(), policy=DENIED, rotation=DENIED))
        assert told(made)["Ready"] == ("True", Reason.AVAILABLE)

    def test_what_can_be_mended_is_mended_although_something_cannot_be_read(self) -> None:
        spec = KMSKeySpec(description="new", enable_key_rotation=True)
        assert plan(key(spec, remembered()), observed(rotation=DENIED)).actions == (UpdateKeyDescription(arn(), "new"),)

    def test_rotation_that_waits_for_the_key_to_be_enabled_is_told(self) -> None:
        made = plan(key(KMSKeySpec(enabled=False, enable_key_rotation=True), remembered()), observed("Disabled"))
        assert (made.actions, made.look_again) == ((), None)
        assert told(made) == {"Ready": ("True", Reason.DISABLED_AS_REQUESTED), "Synced": ("False", Reason.KEY_DISABLED)}

    def test_a_finalizer_that_was_taken_away_comes_back_before_anything_is_written(self) -> None:
        made = plan(key(KMSKeySpec(description="new"), remembered(), finalizers=("somebody/else",)), observed())
        assert made.actions == (AddFinalizer(), UpdateKeyDescription(arn(), "new"))
        assert plan(key(status=remembered(), finalizers=()), observed()).actions == (AddFinalizer(),)

    def test_a_last_error_goes_when_all_is_well(self) -> None:
        status = remembered().model_copy(update={"last_error": {"code": "X"}})
        assert plan(key(status=status), observed()).status.last_error is None


class TestMemory:
    """What must be durable before the actions start."""

    @pytest.mark.parametrize(
        ("spec", "status", "durable"),
        [
            (KMSKeySpec(description="new"), KMSKeyStatus(), True),
            (KMSKeySpec(description="new"), remembered(), False),
            (KMSKeySpec(tags={"team": "shop"}), remembered(), True),
            (KMSKeySpec(tags={"team": "shop"}), remembered(managed_tag_keys=("team",)), False),
            (KMSKeySpec(), remembered(managed_tag_keys=("old",)), False),
            (KMSKeySpec(tags={"team": "shop"}), remembered(managed_tag_keys=("old",)), True),
        ],
    )
    def test_a_new_id_and_new_tag_keys_are_written_ahead(self, spec: KMSKeySpec, status: KMSKeyStatus, *, durable: bool) -> None:
        made = plan(key(spec, status), observed(tags={"old": "x"}, description="old"))
        assert made.actions
        assert made.write_ahead is durable
        assert made.status.key_id == KEY_ID
        assert set(made.status.managed_tag_keys) >= {*status.managed_tag_keys, *(spec.tags or {})}

    def test_a_removed_tag_is_remembered_until_it_is_gone(self) -> None:
        status = remembered(managed_tag_keys=("old",))
        assert plan(key(status=status), observed(tags={"old": "x"})).status.managed_tag_keys == ("old",)
        assert plan(key(status=status), observed("Updating", tags={"old": "x"})).status.managed_tag_keys == ("old",)
        assert plan(key(status=status), observed()).status.managed_tag_keys == ()

    def test_setting_drift_right_leaves_ready_alone(self) -> None:
        settled = plan(key(status=remembered()), observed()).status
        made = plan_kmskey(key(status=settled), account({"cost": "shop"}), observed(), operator(), NOW)
        assert [type(action) for action in made.actions] == [TagResource]
        assert told(made)["Ready"] == ("True", Reason.AVAILABLE)
        assert told(made)["Synced"] == ("False", Reason.UPDATING)
