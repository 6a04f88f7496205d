"""plan_kmskey for an object that names an existing key: what is refused, what is claimed, and what stays as it is."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.actions import (
    AddFinalizer,
    CancelKeyDeletion,
    CreateKey,
    DisableKey,
    EnableKey,
    EnableKeyRotation,
    Plan,
    RecordKey,
    TagResource,
    UpdateKeyDescription,
)
from reconcilers.adoption_fields import Adoption, AdoptionPolicy
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmskey import plan_kmskey, plan_unseen
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from reconcilers.ownership import belongs, owned
from reconcilers.reasons import Reason
from reconcilers.states import Candidates, KeyObject, NotCreated, ObservedKey, Offered, Rotation, Seen
from tests.reconcilers.builders import (
    ACCOUNT_ID,
    CLUSTER,
    DENIED,
    KEY_ID,
    NOW,
    OWNER_TAGS,
    REGION,
    account,
    arn,
    attempted,
    foreign,
    key,
    observed,
    operator,
    predecessors,
    remembered,
    stray,
)
from tests.reconcilers.passes import Around, World, settle, steps
from tests.reconcilers.verdicts import message, stalled, told, working

AROUND = Around(account(), operator(), NOW)
ADOPT = Adoption(key_id=KEY_ID)
OR_CREATE = Adoption(alias="orders", policy=AdoptionPolicy.ADOPT_OR_CREATE)
SPEC = KMSKeySpec(adopt=ADOPT)
OTHER_CLUSTER = {CLUSTER_TAG: "another", OWNER_TAG: "shop/orders", UID_TAG: "another"}


def plan(wish: KeyObject, seen: Seen) -> Plan:
    return plan_kmskey(wish, account(), seen, operator(), NOW)


def adopting(spec: KMSKeySpec = SPEC, status: KMSKeyStatus | None = None) -> KeyObject:
    return key(spec, status, finalizers=())


def looked_at_again(seen: Seen) -> Seen:
    """As the next pass sees it: a key that is not claimed yet is offered."""
    return Offered(seen) if isinstance(seen, ObservedKey) and not belongs(key(), seen, CLUSTER) else seen


class TestRefusals:
    """B126, row by row; nothing is written to AWS or to the object but its conditions."""

    @pytest.mark.parametrize(
        ("adopt", "words"),
        [
            (Adoption(alias="alias/aws/ebs"), "AWS manages"),
            (Adoption(alias="aws/ebs"), "AWS manages"),
            (Adoption(arn=f"arn:aws:kms:{REGION}:999999999999:key/k"), "a key of account 999999999999"),
            (Adoption(arn=f"arn:aws:kms:eu-west-1:{ACCOUNT_ID}:key/k"), "a key of region eu-west-1"),
        ],
    )
    def test_a_name_that_cannot_be_right_is_refused_without_asking_aws(self, adopt: Adoption, words: str) -> None:
        made = plan_unseen(adopting(KMSKeySpec(adopt=adopt)), account(), operator(), NOW)
        assert made is not None
        assert (made.actions, told(made)) == ((), stalled(Reason.ADOPTION_REFUSED))
        assert words in message(made)

    @pytest.mark.parametrize(
        ("offered", "words"),
        [
            (Offered(replace(stray(), manager="AWS")), "managed by AWS"),
            (Offered(replace(stray(), multi_region=True), is_replica=True), "replica"),
            (Offered(stray(tags=OTHER_CLUSTER)), "shop/orders's in another cluster (another)"),
            (Offered(stray(tags={CLUSTER_TAG: "another"})), "an unnamed object's in another cluster"),
            (Offered(foreign(), holder="KMSKey shop/invoices"), "KMSKey shop/invoices's"),
            (Offered(stray(), holder="KMSKey mail/orders"), "KMSKey mail/orders's"),
            (Offered(stray("PendingDeletion")), "scheduled"),
            (Offered(foreign("PendingDeletion")), "scheduled"),
        ],
    )
    def test_a_key_that_is_somebody_else_s_is_refused(self, offered: Offered, words: str) -> None:
        made = plan(adopting(), offered)
        assert (made.actions, told(made), made.status.key_id) == ((), stalled(Reason.ADOPTION_REFUSED), None)
        assert words in message(made)

    def test_a_key_whose_tags_cannot_be_read_is_left_alone(self) -> None:
        made = plan(adopting(), Offered(observed(tags=DENIED)))
        assert (made.actions, told(made)) == ((), stalled(Reason.ACCESS_DENIED))

    @pytest.mark.parametrize(
        "spec", [{"key_spec": "RSA_2048", "key_usage": "SIGN_VERIFY"}, {"customer_master_key_spec": "RSA_2048"}, {"multi_region": True}]
    )
    def test_a_key_that_cannot_become_what_is_declared_is_not_taken(self, spec: Mapping[str, object]) -> None:
        made = plan(adopting(SPEC.model_copy(update=spec)), Offered(stray()))
        assert (made.actions, told(made)) == ((), stalled(Reason.IMMUTABLE_FIELD_CONFLICT))

    def test_a_status_that_names_another_key_changes_nothing_on_it(self) -> None:
        """Sight offers only the key of spec.adopt; any other one is somebody's."""
        made = plan(key(SPEC, remembered()), stray())
        assert (made.actions, told(made)) == ((), stalled(Reason.KEY_NOT_OWNED))


class TestClaim:
    def test_the_owner_tags_are_the_first_write_and_the_id_is_remembered_before(self) -> None:
        made = plan(adopting(KMSKeySpec(adopt=ADOPT, description="new", tags={"a": "b"})), Offered(stray(description="old")))
        assert [type(action) for action in made.actions] == [AddFinalizer, RecordKey, TagResource]
        assert made.actions[-1] == TagResource(arn(), OWNER_TAGS)
        assert (made.write_ahead, made.status.key_id) == (True, KEY_ID)
        assert told(made) == working(Reason.ADOPTING)

    @pytest.mark.parametrize("status", [KMSKeyStatus(), remembered()], ids=["first", "after a crash"])
    @pytest.mark.parametrize("found", [stray(), stray(tags={"team": "shop"}), foreign(), stray(tags={UID_TAG: "x"})])
    def test_a_key_that_nobody_living_owns_becomes_the_object_s(self, found: ObservedKey, status: KMSKeyStatus) -> None:
        end = settle(World(adopting(SPEC, status), Offered(found)), AROUND)
        assert isinstance(end.seen, ObservedKey)
        assert owned(end.key, end.seen, CLUSTER)
        assert end.key.status.key_id == KEY_ID
        assert told(plan(end.key, end.seen)) == {"Ready": ("True", Reason.AVAILABLE), "Synced": ("True", Reason.IN_SYNC)}

    def test_dying_at_any_point_leaves_a_key_that_the_next_pass_takes(self) -> None:
        spec = KMSKeySpec(adopt=ADOPT, description="new", enable_key_rotation=True, tags={"a": "b"})
        begin = World(adopting(spec), Offered(stray()))
        for stop in steps(begin, AROUND):
            end = settle(replace(stop, seen=looked_at_again(stop.seen)), AROUND)
            assert (end.key.status.key_id, plan(end.key, end.seen).actions) == (KEY_ID, ())

    def test_one_s_own_key_and_that_of_an_earlier_object_of_the_name_come_back(self) -> None:
        assert plan(adopting(), Offered(observed())).actions == (AddFinalizer(), RecordKey(observed()))
        assert plan(adopting(), Offered(predecessors())).actions == (AddFinalizer(), RecordKey(predecessors()))

    def test_the_deletion_of_the_earlier_object_s_key_is_cancelled_and_the_key_usable_again(self) -> None:
        end = settle(World(adopting(), Offered(predecessors("PendingDeletion"))), AROUND)
        assert isinstance(end.seen, ObservedKey)
        assert (end.seen.state, plan(end.key, end.seen).actions) == ("Enabled", ())

    def test_an_owned_key_whose_deletion_was_scheduled_outside_is_taken_back(self) -> None:
        assert plan(key(SPEC, remembered()), observed("PendingDeletion")).actions == (CancelKeyDeletion(arn()),)


class TestWhatIsUnset:
    """An adopted key is not wiped by what its object does not say."""

    FOUND = stray("Disabled", description="by hand", rotation=Rotation(True, 90))

    def test_nothing_but_the_owner_tags_is_written_for_an_object_that_says_nothing(self) -> None:
        end = settle(World(adopting(), Offered(self.FOUND)), AROUND)
        assert isinstance(end.seen, ObservedKey)
        assert replace(end.seen, tags={}) == replace(self.FOUND, tags={})

    def test_a_key_that_stays_disabled_says_what_to_write(self) -> None:
        made = plan(key(SPEC, remembered()), observed("Disabled"))
        assert (made.actions, told(made)) == ((), stalled(Reason.KEY_DISABLED))
        assert "spec.enabled" in message(made)

    @pytest.mark.parametrize(
        ("spec", "seen", "action"),
        [
            ({"enabled": True}, observed("Disabled"), EnableKey(arn())),
            ({"enabled": False}, observed(), DisableKey(arn())),
            ({"description": ""}, observed(description="by hand"), UpdateKeyDescription(arn(), "")),
            ({"enable_key_rotation": True}, observed(), EnableKeyRotation(arn(), None)),
        ],
    )
    def test_what_is_declared_is_made_so(self, spec: Mapping[str, object], seen: ObservedKey, action: object) -> None:
        assert plan(key(SPEC.model_copy(update=spec), remembered()), seen).actions == (action,)

    def test_a_key_of_any_spec_will_do_where_none_is_declared(self) -> None:
        signer = replace(stray(), key_spec="RSA_2048", key_usage="SIGN_VERIFY", rotation=None)
        end = settle(World(adopting(), Offered(signer)), AROUND)
        assert (end.key.status.key_spec, plan(end.key, end.seen).actions) == ("RSA_2048", ())


class TestMissing:
    def test_a_key_that_does_not_exist_is_waited_for(self) -> None:
        made = plan(adopting(), Offered(None))
        assert (made.actions, told(made)) == ((), working(Reason.KEY_NOT_FOUND))
        assert KEY_ID in message(made)
        later = plan_kmskey(adopting(SPEC, made.status), account(), Offered(None), operator(), NOW + timedelta(seconds=10))
        assert told(later) == stalled(Reason.KEY_NOT_FOUND)

    def test_one_is_made_only_after_the_named_one_was_missing_for_a_while(self) -> None:
        wish, none = adopting(KMSKeySpec(adopt=OR_CREATE)), Offered(None)
        first = plan(wish, none)
        assert (first.actions, told(first), first.look_again) == ((), working(Reason.ADOPTING), timedelta(seconds=10))
        wish = replace(wish, status=first.status)
        early = plan_kmskey(wish, account(), none, operator(), NOW + timedelta(seconds=29))
        assert (early.actions, early.status) == ((), first.status)
        then = plan_kmskey(wish, account(), none, operator(), NOW + timedelta(seconds=30))
        assert [type(action) for action in then.actions] == [AddFinalizer, CreateKey]

    def test_another_problem_meanwhile_does_not_count_as_waiting(self) -> None:
        wish = adopting(KMSKeySpec(adopt=OR_CREATE))
        other = plan_kmskey(wish, DENIED, NotCreated(), operator(), NOW - timedelta(hours=1))
        assert plan(replace(wish, status=other.status), Offered(None)).actions == ()

    def test_a_key_of_the_object_s_own_is_taken_before_one_is_made(self) -> None:
        wish = key(KMSKeySpec(adopt=OR_CREATE))
        assert plan(wish, Offered(None, otherwise=Candidates((observed(),), thorough=False))).actions == (RecordKey(observed()),)
        assert plan(wish, Offered(None, otherwise=NotCreated((predecessors(),)))).actions == (RecordKey(predecessors()),)


class TestDeletion:
    def test_an_object_that_never_took_its_key_is_let_go(self) -> None:
        made = plan(key(SPEC, deleting=True), Offered(None))
        assert [action.told for action in made.actions] == ["release the object: it never had a key"]

    def test_its_policy_is_that_of_any_key(self) -> None:
        assert plan(key(SPEC, remembered()), observed()).status.effective_deletion_policy is DeletionPolicy.SCHEDULE_KEY_DELETION
        assert plan(key(SPEC, attempted(timedelta())), Candidates((), thorough=False)).status.key_id is None
