"""The table of a KMSAlias: where its name leads x where it was put before x what its target is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.actions import AddFinalizer, CreateAlias, DeleteAlias, DependentAction, RemoveFinalizer, UpdateAlias
from reconcilers.alias_fields import MAX_PLACES
from reconcilers.aliases import on_key
from reconcilers.conditions import find
from reconcilers.key_spec import KMSKeySpec
from reconcilers.kmsalias import (
    AliasObject,
    AliasPlan,
    AliasSight,
    AliasUser,
    after_alias,
    alias_of,
    claimed,
    plan_kmsalias,
    rivals,
    unclaimed,
)
from reconcilers.names import KMSALIAS_FINALIZER
from reconcilers.reasons import Reason
from reconcilers.states import Missing, ObservedKey, Unobservable
from tests.reconcilers.builders import ACCOUNT_ID, CLUSTER, NOW, REGION, key, observed, remembered
from tests.reconcilers.dependents import GONE, ONE, THREE, TWO, alias, bare, settled_conditions, tagged, way

FRONT = "alias/front"
HIDDEN = Unobservable(Reason.ALIAS_CONFLICT, "alias/front leads to a key that may not be seen")
SIGNING = bare(ONE, spec="ECC_NIST_P256", usage="SIGN_VERIFY")
MAC = bare(ONE, spec="HMAC_256", usage="GENERATE_VERIFY_MAC")


def plan(obj: AliasObject, seen: AliasSight) -> AliasPlan:
    return plan_kmsalias(obj, way(), seen, CLUSTER, NOW)


def reason(made: AliasPlan) -> str:
    ready = find("Ready", made.status.conditions)
    assert ready is not None
    return ready.reason


MOVES: list[tuple[str, tuple[str, ...], ObservedKey | None, ObservedKey, tuple[DependentAction, ...]]] = [
    ("new", (), None, bare(ONE), (CreateAlias(ONE, FRONT),)),
    ("deleted outside", (ONE,), None, bare(ONE), (CreateAlias(ONE, FRONT),)),
    ("freed on the way to another key", (TWO, ONE), None, bare(ONE), (CreateAlias(ONE, FRONT),)),
    ("there", (ONE,), bare(ONE), bare(ONE), ()),
    ("there without our doing", (), bare(ONE), bare(ONE), ()),
    ("at the last target", (TWO,), bare(TWO), bare(ONE), (UpdateAlias(ONE, FRONT, TWO),)),
    ("moved back outside", (TWO, ONE), bare(TWO), bare(ONE), (UpdateAlias(ONE, FRONT, TWO),)),
    ("at a pending key", (TWO,), bare(TWO, state="PendingDeletion"), bare(ONE), (UpdateAlias(ONE, FRONT, TWO),)),
    ("from encrypting to signing", (TWO,), bare(TWO), SIGNING, (DeleteAlias(TWO, FRONT), CreateAlias(ONE, FRONT))),
    ("from encrypting to MACs", (TWO,), bare(TWO), MAC, (DeleteAlias(TWO, FRONT), CreateAlias(ONE, FRONT))),
    ("from MACs to MACs", (TWO,), replace(MAC, arn=TWO, key_spec="HMAC_512"), MAC, (UpdateAlias(ONE, FRONT, TWO),)),
    ("from RSA to ECC", (TWO,), replace(SIGNING, arn=TWO, key_spec="RSA_2048"), SIGNING, (UpdateAlias(ONE, FRONT, TWO),)),
    (
        "from RSA that encrypts to ECC that signs",
        (TWO,),
        bare(TWO, spec="RSA_2048"),
        SIGNING,
        (DeleteAlias(TWO, FRONT), CreateAlias(ONE, FRONT)),
    ),
]


@pytest.mark.parametrize(("placed_on", "holder", "target", "due"), [pytest.param(*rest, id=name) for name, *rest in MOVES])
def test_an_alias_is_brought_to_its_target(
    placed_on: tuple[str, ...], holder: ObservedKey | None, target: ObservedKey, due: tuple[DependentAction, ...]
) -> None:
    made = plan(alias(*placed_on), AliasSight(holder, target))
    assert made.actions == due
    assert (reason(made) == Reason.AVAILABLE) == (not due or bool(placed_on))


@pytest.mark.parametrize(("placed_on", "holder", "target", "due"), [pytest.param(*rest, id=name) for name, *rest in MOVES])
def test_before_any_write_the_status_knows_both_keys(
    placed_on: tuple[str, ...], holder: ObservedKey | None, target: ObservedKey, due: tuple[DependentAction, ...]
) -> None:
    made = plan(alias(*placed_on), AliasSight(holder, target))
    if due:
        known = made.status.placed_on if made.write_ahead else placed_on
        assert target.arn in known
        assert holder is None or holder.arn in known


@pytest.mark.parametrize(("placed_on", "holder", "target", "due"), [pytest.param(*rest, id=name) for name, *rest in MOVES])
def test_from_every_prefix_of_a_move_the_end_is_the_same(
    placed_on: tuple[str, ...], holder: ObservedKey | None, target: ObservedKey, due: tuple[DependentAction, ...]
) -> None:
    for done in range(len(due) + 1):
        obj, seen = alias(*placed_on), AliasSight(holder, target)
        obj = replace(obj, status=plan(obj, seen).status)
        for action in due[:done]:
            assert isinstance(action, CreateAlias | UpdateAlias | DeleteAlias)
            seen = replace(after_alias(seen, action), freed=False)
        while (made := plan(obj, seen)).actions:
            obj = replace(obj, status=made.status)
            for action in made.actions:
                assert isinstance(action, CreateAlias | UpdateAlias | DeleteAlias)
                seen = after_alias(seen, action)
        assert isinstance(seen.holder, ObservedKey)
        assert seen.holder.arn == target.arn
        assert made.status.placed_on[-1:] == ((target.arn,) if placed_on or due else ())
        assert reason(made) == Reason.AVAILABLE


CONFLICTS = [
    ("somebody else's", (), AliasSight(bare(TWO), bare(ONE)), TWO),
    ("moved to a strange key", (ONE,), AliasSight(bare(THREE), bare(ONE)), THREE),
    ("a key that may not be seen", (ONE,), AliasSight(HIDDEN, bare(ONE)), "may not be seen"),
    ("named by another object", (), AliasSight(None, bare(ONE), rivals=("KMSKey shop/two",)), "KMSKey shop/two"),
    ("made by another object, at the same target", (), AliasSight(bare(ONE), bare(ONE), rivals=("KMSAlias a/b",)), "KMSAlias a/b"),
]


@pytest.mark.parametrize(("placed_on", "seen", "named"), [pytest.param(*rest, id=name) for name, *rest in CONFLICTS])
def test_an_alias_that_is_not_provably_ours_is_a_conflict_that_names_the_holder(
    placed_on: tuple[str, ...], seen: AliasSight, named: str
) -> None:
    made = plan(alias(*placed_on), seen)
    ready = find("Ready", made.status.conditions)
    assert ready is not None
    assert (made.actions, ready.reason) == ((), Reason.ALIAS_CONFLICT)
    assert named in ready.message
    assert find("Stalled", made.status.conditions) is not None


@pytest.mark.parametrize("holder", [None, bare(ONE)])
def test_who_has_put_the_alias_there_first_keeps_it(holder: ObservedKey | None) -> None:
    made = plan(alias(ONE), AliasSight(holder, bare(ONE), rivals=("KMSKey shop/later",)))
    assert reason(made) == Reason.AVAILABLE


def test_nothing_is_put_on_a_key_that_cannot_take_it() -> None:
    cases: dict[str, ObservedKey | Missing] = {
        "TargetGone": GONE,
        "TargetPendingDeletion": bare(state="PendingDeletion"),
        "TargetNotAllowed": tagged("vault/x"),
    }
    for expected, target in cases.items():
        made = plan(alias(TWO), AliasSight(bare(TWO), target))
        assert (made.actions, reason(made)) == ((), expected)


def test_a_target_in_another_region_is_refused_once_the_alias_is_there() -> None:
    there = way(region="eu-west-1")
    made = plan_kmsalias(alias(ONE), there, AliasSight(None, bare(TWO)), CLUSTER, NOW)
    assert (made.actions, reason(made)) == ((), Reason.IMMUTABLE_FIELD_CONFLICT)


def test_without_the_finalizer_it_comes_first() -> None:
    made = plan(alias(finalizers=()), AliasSight(None, bare(ONE)))
    assert made.actions == (AddFinalizer(), CreateAlias(ONE, FRONT))
    lost = plan(alias(ONE, finalizers=()), AliasSight(bare(ONE), bare(ONE)))
    assert lost.actions == (AddFinalizer(),)


def test_an_alias_that_is_not_ours_asks_for_no_finalizer() -> None:
    made = plan(alias(finalizers=()), AliasSight(bare(ONE), bare(ONE)))
    assert (made.actions, made.status.placed_on) == ((), ())


def test_only_so_many_places_are_remembered_and_the_present_ones_always() -> None:
    many = tuple(f"{ONE}{number}" for number in range(MAX_PLACES))
    made = plan(alias(*many), AliasSight(bare(many[0]), bare(ONE)))
    assert len(made.status.placed_on) == MAX_PLACES
    assert made.status.placed_on[-2:] == (many[0], ONE)


ENDS: list[tuple[str, AliasSight, tuple[type[DependentAction], ...]]] = [
    ("ours", AliasSight(bare(ONE)), (DeleteAlias,)),
    ("ours, at an earlier key", AliasSight(bare(TWO)), (DeleteAlias,)),
    ("ours, at a key that is pending", AliasSight(bare(ONE, state="PendingDeletion")), (DeleteAlias,)),
    ("gone", AliasSight(None), (RemoveFinalizer,)),
    ("somebody else's now", AliasSight(bare(THREE)), (RemoveFinalizer,)),
    ("not to be seen", AliasSight(HIDDEN), ()),
]


@pytest.mark.parametrize(("seen", "due"), [pytest.param(*rest, id=name) for name, *rest in ENDS])
def test_a_deleted_object_takes_its_own_alias_with_it_and_no_other(seen: AliasSight, due: tuple[type[DependentAction], ...]) -> None:
    made = plan(alias(TWO, ONE, deleting=True), seen)
    assert tuple(type(action) for action in made.actions) == due


def test_after_its_alias_was_deleted_the_object_goes_at_once() -> None:
    obj = alias(ONE, deleting=True)
    fresh = replace(obj, status=obj.status.model_copy(update={"conditions": settled_conditions(timedelta(seconds=3))}))
    seen = AliasSight(bare(ONE))
    (free,) = plan(fresh, seen).actions
    assert isinstance(free, DeleteAlias)
    assert plan(fresh, after_alias(seen, free)).is_last


def test_an_alias_that_is_too_new_to_show_is_waited_for() -> None:
    obj = alias(ONE, deleting=True)
    fresh = replace(obj, status=obj.status.model_copy(update={"conditions": settled_conditions(timedelta(seconds=3))}))
    made = plan(fresh, AliasSight(None))
    assert (made.actions, reason(made), made.look_again) == ((), Reason.DELETING, timedelta(seconds=5))


def test_a_deleted_object_is_not_undone_in_another_region() -> None:
    made = plan_kmsalias(alias(ONE, deleting=True), way(region="eu-west-1"), AliasSight(None), CLUSTER, NOW)
    assert (made.actions, reason(made)) == ((), Reason.DELETION_BLOCKED)


HERE = (ACCOUNT_ID, REGION)


def test_rivals_are_those_that_use_the_name_in_the_same_place() -> None:
    users = [
        AliasUser("KMSKey a/b", HERE, frozenset({FRONT})),
        AliasUser("KMSKey a/other-name", HERE, frozenset({"alias/back"})),
        AliasUser("KMSKey a/elsewhere", (ACCOUNT_ID, "eu-west-1"), frozenset({FRONT})),
        AliasUser("KMSKey a/new", (None, None), frozenset({FRONT})),
    ]
    assert rivals(FRONT, way(), users) == ("KMSKey a/b",)


CLAIMS = [
    ("put there by a KMSAlias", {FRONT: ONE}, {FRONT: "KMSAlias a/b"}, True),
    ("put there by nobody known", {FRONT: ONE}, {}, False),
    ("claimed, and not there", {}, {FRONT: "KMSAlias a/b"}, False),
    ("leading elsewhere anyway", {FRONT: TWO}, {FRONT: "KMSAlias a/b"}, False),
    ("another of the key's", {"alias/back": ONE}, {"alias/back": "KMSAlias a/b"}, False),
    ("not read", None, {FRONT: "KMSAlias a/b"}, False),
]


@pytest.mark.parametrize(("aliases", "claims", "taken"), [pytest.param(*rest, id=name) for name, *rest in CLAIMS])
def test_a_key_does_not_take_what_a_kmsalias_has_put_on_it(
    aliases: dict[str, str] | None, claims: dict[str, str], taken: bool
) -> None:
    seen = observed(aliases=aliases)
    found = claimed(seen, frozenset({FRONT}), claims)
    assert (found != seen) is taken
    assert FRONT not in on_key(found) or not taken


def test_what_a_key_has_made_itself_it_does_not_doubt() -> None:
    wishes = KMSKeySpec(aliases=("front", "back"))
    assert unclaimed(key(wishes, remembered(aliases=(FRONT,)))) == {"alias/back"}
    assert unclaimed(key()) == frozenset()


def test_a_name_is_the_same_with_and_without_alias() -> None:
    obj = alias()
    whole = obj.spec.model_copy(update={"alias_name": "alias/front"})
    assert alias_of(obj.spec) == alias_of(whole) == FRONT
    assert KMSALIAS_FINALIZER in obj.finalizers
