"""Which part of the planner an object belongs to: missing keys, unseen ones, deleted objects."""

from datetime import timedelta

import pytest

from reconcilers.actions import Plan
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.kmskey import plan_kmskey, plan_unseen
from reconcilers.reasons import Reason
from reconcilers.states import Account, Candidates, KeyObject, Missing, NotCreated, Seen, Unobservable
from tests.reconcilers.builders import (
    DENIED,
    KEY_ID,
    NOW,
    account,
    key,
    observed,
    operator,
    remembered,
)
from tests.reconcilers.verdicts import message, stalled, told, working

MINUTE = timedelta(minutes=1)
LATE = Unobservable(Reason.PROVIDER_NOT_READY, "The AWSProvider production is not ready: see its conditions.")


def plan(wish: KeyObject, seen: Seen, where: Account | Unobservable | None = None) -> Plan:
    return plan_kmskey(wish, where or account(), seen, operator(), NOW)


class TestMissing:
    def test_a_new_key_may_be_missing_for_a_while(self) -> None:
        made = plan(key(status=remembered(creation_date=NOW - 4 * MINUTE)), Missing(KEY_ID))
        assert made.actions == ()
        assert told(made) == working(Reason.KEY_NOT_USABLE_YET)
        assert made.look_again == timedelta(seconds=5)

    def test_a_new_key_that_was_ready_stays_so_meanwhile(self) -> None:
        settled = plan(key(status=remembered()), observed()).status.model_copy(update={"creation_date": NOW})
        made = plan(key(status=settled), Missing(KEY_ID))
        assert told(made) == {"Ready": ("True", Reason.AVAILABLE), "Synced": ("False", Reason.KEY_NOT_USABLE_YET)}

    @pytest.mark.parametrize("age", [5 * MINUTE, timedelta(days=400)])
    def test_an_old_key_that_is_missing_is_lost_and_not_replaced(self, age: timedelta) -> None:
        made = plan(key(status=remembered(creation_date=NOW - age)), Missing(KEY_ID))
        assert made.actions == ()
        assert told(made) == stalled(Reason.KEY_LOST)
        assert (made.status.key_id, made.status.ready, made.status.key_state) == (KEY_ID, False, None)
        assert "It is not replaced" in message(made)

    def test_a_lost_key_that_shows_again_is_kept_as_if_nothing_had_been(self) -> None:
        lost = plan(key(status=remembered()), Missing(KEY_ID)).status
        assert told(plan(key(status=lost), observed()))["Ready"] == ("True", Reason.AVAILABLE)


class TestUnseen:
    """AWS is not asked."""

    @pytest.mark.parametrize("seen", [NotCreated(), Candidates((), thorough=True), Missing(KEY_ID), observed(description="meddled")])
    def test_without_a_provider_nothing_is_done(self, seen: Seen) -> None:
        made = plan(key(status=remembered()), seen, LATE)
        assert made.actions == ()
        assert told(made)["Ready"] == ("False", Reason.PROVIDER_NOT_READY)
        assert message(made) == LATE.message
        assert made.status.key_id == KEY_ID

    def test_a_provider_is_waited_for_before_somebody_is_called(self) -> None:
        """Both are often applied together."""
        first = plan(key(), NotCreated(), LATE)
        assert (told(first), first.look_again) == (working(Reason.PROVIDER_NOT_READY), timedelta(seconds=10))
        then = plan_kmskey(key(status=first.status), LATE, NotCreated(), operator(), NOW + timedelta(seconds=10))
        assert (told(then), then.look_again) == (stalled(Reason.PROVIDER_NOT_READY), 5 * MINUTE)

    def test_a_key_that_cannot_be_seen_is_left_alone(self) -> None:
        made = plan(key(KMSKeySpec(description="new"), remembered()), DENIED)
        assert (made.actions, told(made)) == ((), stalled(Reason.ACCESS_DENIED))

    def test_a_refused_spec_is_told_without_asking_aws(self) -> None:
        wish = key(KMSKeySpec(key_policy="[]"))
        unseen = plan_unseen(wish, account(), operator(), NOW)
        assert unseen is not None
        assert (unseen.actions, told(unseen)) == ((), stalled(Reason.INVALID_POLICY))
        assert unseen == plan(wish, NotCreated())

    def test_a_good_spec_needs_to_be_seen(self) -> None:
        assert plan_unseen(key(), account(), operator(), NOW) is None

    def test_a_deleted_object_is_planned_by_the_rules_of_deletion(self) -> None:
        retained = key(KMSKeySpec(deletion_policy=DeletionPolicy.RETAIN), deleting=True)
        assert plan_unseen(retained, LATE, operator(), NOW) is not None
        assert plan_unseen(key(deleting=True), account(), operator(), NOW) is None
