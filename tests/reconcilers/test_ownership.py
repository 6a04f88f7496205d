"""Whose key it is, and how the key of an earlier object of the same name comes back."""

from dataclasses import replace

import pytest

from reconcilers.actions import AddFinalizer, CancelKeyDeletion, CreateKey, RecordKey, TagResource
from reconcilers.key_spec import KMSKeySpec
from reconcilers.kmskey import plan_kmskey
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from reconcilers.ownership import claimable, owned, owner, owner_tags
from reconcilers.reasons import Reason
from reconcilers.states import Candidates, NotCreated, ObservedKey, Seen
from tests.reconcilers.builders import (
    DENIED,
    KEY_ID,
    NOW,
    OTHER_KEY_ID,
    account,
    foreign,
    key,
    observed,
    operator,
    predecessors,
    remembered,
)
from tests.reconcilers.verdicts import message, stalled, told

CLUSTER = operator().cluster_id


@pytest.mark.parametrize(
    ("seen", "is_owned", "may_be_claimed"),
    [
        (observed(), True, False),
        (predecessors(), False, True),
        (foreign(), False, False),
        (observed(tags={CLUSTER_TAG: "another"}), False, False),
        (observed(tags={CLUSTER_TAG: "another", UID_TAG: "another"}), False, False),
        (replace(observed(), tags={}), False, False),
        (replace(observed(), tags={CLUSTER_TAG: CLUSTER, OWNER_TAG: "shop/orders"}), False, False),
        (observed(tags=DENIED), False, False),
    ],
)
def test_the_tags_alone_say_whose_a_key_is(seen: ObservedKey, *, is_owned: bool, may_be_claimed: bool) -> None:
    assert owned(key(), seen, CLUSTER) is is_owned
    assert claimable(key(), seen, CLUSTER) is may_be_claimed


def test_the_tags_of_an_object_make_a_key_its_own() -> None:
    assert owned(key(), replace(observed(), tags=owner_tags(key(), CLUSTER)), CLUSTER)


def test_long_names_that_differ_at_their_end_stay_different_in_a_tag() -> None:
    one, other = owner("n" * 63, "x" * 252 + "a"), owner("n" * 63, "x" * 252 + "b")
    assert len(one) == len(other) == 256
    assert one != other


class TestComingBack:
    @pytest.mark.parametrize("state", ["Enabled", "Disabled", "PendingDeletion"])
    @pytest.mark.parametrize("kind", ["new", "restored"])
    def test_the_key_of_the_predecessor_is_taken_back_and_no_second_one_made(self, state: str, kind: str) -> None:
        earlier = (predecessors(state),)
        if kind == "new":
            made = plan_kmskey(key(finalizers=()), account(), NotCreated(earlier), operator(), NOW)
            assert made.actions == (AddFinalizer(), RecordKey(earlier[0]))
        else:
            made = plan_kmskey(key(), account(), Candidates((), thorough=True, earlier=earlier), operator(), NOW)
            assert made.actions == (RecordKey(earlier[0]),)

    @pytest.mark.parametrize("kind", ["new", "restored"])
    def test_one_that_hides_its_tags_keeps_a_second_one_from_being_made(self, kind: str) -> None:
        hidden = (observed(tags=DENIED),)
        seen = NotCreated(hidden) if kind == "new" else Candidates((), thorough=True, earlier=hidden)
        made = plan_kmskey(key(finalizers=()), account(), seen, operator(), NOW)
        assert (made.actions, told(made)) == ((), stalled(DENIED.reason))

    def test_it_is_claimed_before_anything_else_is_changed_and_its_id_is_remembered_before_that(self) -> None:
        wish = key(KMSKeySpec(description="new", enable_key_rotation=True))
        made = plan_kmskey(wish, account(), predecessors("Disabled"), operator(), NOW)
        assert made.actions == (TagResource(observed().arn, owner_tags(wish, CLUSTER)),)
        assert made.write_ahead
        assert made.status.key_id == KEY_ID

    def test_a_pending_key_is_first_taken_back_from_deletion_because_it_takes_no_tags(self) -> None:
        made = plan_kmskey(key(status=remembered()), account(), predecessors("PendingDeletion"), operator(), NOW)
        assert made.actions == (CancelKeyDeletion(observed().arn),)

    def test_between_two_predecessors_nobody_guesses(self) -> None:
        two = (predecessors(), predecessors(key_id=OTHER_KEY_ID))
        made = plan_kmskey(key(finalizers=()), account(), NotCreated(two), operator(), NOW)
        assert made.actions == ()
        assert told(made) == stalled(Reason.AMBIGUOUS_KEY)
        assert KEY_ID in message(made)
        assert OTHER_KEY_ID in message(made)

    def test_a_predecessor_of_another_spec_is_told_and_left_alone(self) -> None:
        rsa = (replace(predecessors(), key_spec="RSA_2048"),)
        made = plan_kmskey(key(finalizers=()), account(), NotCreated(rsa), operator(), NOW)
        assert made.actions == ()
        assert told(made) == stalled(Reason.IMMUTABLE_FIELD_CONFLICT)
        assert KEY_ID in message(made)

    @pytest.mark.parametrize("seen", [NotCreated((foreign(),)), Candidates((), thorough=True, earlier=(foreign(),))])
    def test_a_key_of_another_name_never_comes(self, seen: Seen) -> None:
        made = plan_kmskey(key(), account(), seen, operator(), NOW)
        assert [type(action) for action in made.actions] == [CreateKey]
