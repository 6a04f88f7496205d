"""The table of a KMSGrant: what is remembered x which grants there are x what its target is."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconcilers.actions import AddFinalizer, CreateGrant, DependentAction, GrantChange, RevokeGrant
from reconcilers.conditions import find
from reconcilers.dependents import DependentObject
from reconcilers.grants import digest, named_grant
from reconcilers.kmsgrant import GrantObject, GrantPlan, GrantSight, after_grant, keys_of, plan_kmsgrant
from reconcilers.kmsgrant_fields import KMSGrantSpec, KMSGrantStatus, MadeGrant
from reconcilers.names import KMSGRANT_FINALIZER
from reconcilers.reasons import Reason
from reconcilers.states import Grant, ObservedKey
from reconcilers.target_fields import TargetRef
from tests.reconcilers.builders import DENIED, NOW, UID, operator
from tests.reconcilers.dependents import GONE, ONE, PLACE, TWO, bare, settled_conditions, tagged, way

NAME = f"kmsgrant-{UID}"
SPEC = KMSGrantSpec(target_ref=TargetRef(name="one"), grantee_role_arn="arn:aws:iam::123456789012:role/app", operations=("Decrypt",))
NARROW = named_grant(NAME, SPEC)
WIDE = replace(NARROW, operations=frozenset({"Decrypt", "Encrypt"}))
THEIRS = replace(NARROW, name="theirs")
Found = Mapping[str, Grant | None]


def made(grant: Grant, grant_id: str | None = None, key: str = ONE, age: timedelta = timedelta(hours=1)) -> MadeGrant:
    """What the status remembers of a grant; without an id it was asked for so long ago."""
    asked_at: datetime | None = None if grant_id else NOW - age
    return MadeGrant(name=grant.name, hash=digest(grant), grant_id=grant_id, key_arn=key, asked_at=asked_at)


def obj(*memory: MadeGrant, deleting: bool = False, finalizers: tuple[str, ...] = (KMSGRANT_FINALIZER,), **spec: Any) -> GrantObject:
    """The KMSGrant shop/front, which wants NARROW."""
    known = KMSGrantStatus(**PLACE, grants=memory, conditions=settled_conditions(), observed_generation=1)
    return DependentObject(
        namespace="shop",
        name="front",
        uid=UID,
        generation=1,
        deleting=deleting,
        finalizers=finalizers,
        spec=SPEC.model_copy(update=spec),
        status=known if memory else KMSGrantStatus(),
    )


def on(found: Found, state: str = "Enabled", key: str = ONE) -> ObservedKey:
    return replace(bare(key, state=state), grants=found)


def sight(found: Found, *others: ObservedKey, state: str = "Enabled") -> GrantSight:
    """The target ONE with these grants, and other keys."""
    target = on(found, state)
    return GrantSight(target, {key.arn: key for key in (target, *others)})


def plan(of: GrantObject, seen: GrantSight) -> GrantPlan:
    return plan_kmsgrant(of, way(), seen, operator(), NOW)


def reason(done: GrantPlan) -> str:
    ready = find("Ready", done.status.conditions)
    assert ready is not None
    return ready.reason


CREATE = CreateGrant(ONE, NARROW)
CASES: list[tuple[str, tuple[MadeGrant, ...], GrantSight, tuple[DependentAction, ...]]] = [
    ("new", (), sight({}), (CREATE,)),
    ("there", (made(NARROW, "a"),), sight({"a": NARROW}), ()),
    ("there, its answer lost", (made(NARROW),), sight({"a": NARROW}), ()),
    ("asked for, and not there", (made(NARROW),), sight({}), (CREATE,)),
    ("revoked outside, or late", (made(NARROW, "a"),), sight({}), (CREATE,)),
    ("there, shown under another principal", (made(NARROW, "a"),), sight({"a": THEIRS}), ()),
    ("there twice", (made(NARROW, "a"), made(NARROW, "b")), sight({"a": NARROW, "b": NARROW}), (RevokeGrant(ONE, "b", NAME),)),
    ("changed", (made(WIDE, "w"),), sight({"w": WIDE}), (CREATE, RevokeGrant(ONE, "w", NAME))),
    ("changed, the old one not seen", (made(WIDE, "w"),), sight({}), (CREATE, RevokeGrant(ONE, "w", NAME))),
    ("changed, the old one's answer lost", (made(WIDE),), sight({"w": WIDE}), (CREATE, RevokeGrant(ONE, "w", NAME))),
    ("changed, half done", (made(WIDE, "w"), made(NARROW, "a")), sight({"w": WIDE, "a": NARROW}), (RevokeGrant(ONE, "w", NAME),)),
    ("somebody else's beside it", (made(NARROW, "a"),), sight({"a": NARROW, "x": THEIRS}), ()),
    ("the same of somebody else", (), sight({"x": NARROW}), ()),
    ("moved", (made(NARROW, "t", TWO),), sight({}, on({"t": NARROW}, key=TWO)), (CREATE, RevokeGrant(TWO, "t", NAME))),
    ("moved from a key that is pending", (made(NARROW, "t", TWO),), sight({}, on({"t": NARROW}, "PendingDeletion", TWO)),
     (CREATE, RevokeGrant(TWO, "t", NAME))),
    ("disabled, and there", (made(NARROW, "a"),), sight({"a": NARROW}, state="Disabled"), ()),
    ("disabled, and changed", (made(WIDE, "w"),), sight({"w": WIDE}, state="Disabled"), ()),
]  # fmt: skip
each_case = pytest.mark.parametrize(("memory", "seen", "due"), [pytest.param(*rest, id=name) for name, *rest in CASES])


@each_case
def test_a_grant_is_made_and_replaced(memory: tuple[MadeGrant, ...], seen: GrantSight, due: tuple[DependentAction, ...]) -> None:
    assert plan(obj(*memory), seen).actions == due


@each_case
def test_no_grant_is_asked_for_that_the_status_does_not_know(
    memory: tuple[MadeGrant, ...], seen: GrantSight, due: tuple[DependentAction, ...]
) -> None:
    first = plan(obj(*memory), seen)
    known = first.status.grants if first.write_ahead else memory
    if CREATE in due:
        assert any((one.key_arn, one.hash) == (ONE, digest(NARROW)) for one in known)
    assert {one.grant_id for one in memory if one.grant_id} <= {one.grant_id for one in known} or not due


@each_case
def test_from_every_prefix_of_a_plan_the_end_is_the_same(
    memory: tuple[MadeGrant, ...], seen: GrantSight, due: tuple[DependentAction, ...]
) -> None:
    for done in range(len(due) + 1):
        of, now_seen = obj(*memory), seen
        of = replace(of, status=plan(of, now_seen).status)
        for action in due[:done]:
            now_seen = carried_out(now_seen, action)
        while (next_plan := plan(of, now_seen)).actions:
            of = replace(of, status=next_plan.status)
            for action in next_plan.actions:
                now_seen = carried_out(now_seen, action)
        if reason(next_plan) == Reason.AVAILABLE:
            there = [key.grants or {} for key in now_seen.keys.values() if isinstance(key, ObservedKey)]
            alive = [grant_id for found in there if isinstance(found, Mapping) for grant_id, grant in found.items() if grant]
            assert len([grant_id for grant_id in alive if grant_id != "x"]) <= 1
            assert next_plan.status.grant_id in alive
            assert {one.key_arn for one in next_plan.status.grants} <= {ONE}


def carried_out(seen: GrantSight, action: DependentAction) -> GrantSight:
    assert isinstance(action, CreateGrant | RevokeGrant)
    change: GrantChange = action
    return after_grant(seen, change, {"GrantId": "new"} if isinstance(action, CreateGrant) else {})


def test_without_the_finalizer_it_comes_first() -> None:
    assert plan(obj(finalizers=()), sight({})).actions == (AddFinalizer(), CREATE)
    assert plan(obj(made(NARROW, "a"), finalizers=()), sight({"a": NARROW})).actions == (AddFinalizer(),)
    assert plan(obj(finalizers=()), sight({"x": NARROW})).actions == ()


def test_what_was_there_before_is_not_remembered_as_ours() -> None:
    done = plan(obj(), sight({"x": NARROW}))
    assert (done.status.grants, done.status.grant_id, reason(done)) == ((), "x", Reason.AVAILABLE)


def test_a_disabled_key_is_waited_for() -> None:
    assert reason(plan(obj(made(WIDE, "w")), sight({"w": WIDE}, state="Disabled"))) == Reason.KEY_DISABLED


def test_nothing_is_granted_on_a_key_that_cannot_take_it() -> None:
    cases = {
        "TargetGone": GrantSight(GONE, {}),
        "TargetPendingDeletion": sight({}, state="PendingDeletion"),
        "TargetNotAllowed": GrantSight(tagged("vault/x"), {ONE: tagged("vault/x")}),
        "AccessDenied": GrantSight(on({}), {ONE: replace(on({}), grants=DENIED)}),
    }
    for expected, seen in cases.items():
        done = plan(obj(), seen)
        assert (done.actions, reason(done)) == ((), expected)


def test_what_the_key_does_not_have_is_refused() -> None:
    signing = replace(on({}), key_spec="RSA_2048", key_usage="SIGN_VERIFY")
    done = plan(obj(), GrantSight(signing, {ONE: signing}))
    assert (done.actions, reason(done)) == ((), Reason.UNSUPPORTED_OPERATIONS)


def test_a_target_in_another_region_is_refused_once_there_is_a_grant() -> None:
    done = plan_kmsgrant(obj(made(NARROW, "a")), way(region="eu-west-1"), sight({}), operator(), NOW)
    assert (done.actions, reason(done)) == ((), Reason.IMMUTABLE_FIELD_CONFLICT)


def test_an_unanswered_grant_that_is_no_longer_wanted_is_waited_for_and_then_forgotten() -> None:
    young, old = timedelta(minutes=1), timedelta(minutes=6)
    waiting = plan(obj(made(NARROW, "a"), made(WIDE, age=young)), sight({"a": NARROW}))
    assert (len(waiting.status.grants), waiting.look_again) == (2, timedelta(seconds=10))
    done = plan(obj(made(NARROW, "a"), made(WIDE, age=old)), sight({"a": NARROW}))
    assert (len(done.status.grants), done.look_again) == (1, None)


ENDS: list[tuple[str, tuple[MadeGrant, ...], GrantSight, tuple[DependentAction, ...] | None]] = [
    ("its own", (made(NARROW, "a"),), sight({"a": NARROW, "x": THEIRS}), (RevokeGrant(ONE, "a", NAME),)),
    ("not seen", (made(NARROW, "a"),), sight({}), (RevokeGrant(ONE, "a", NAME),)),
    ("revoked just now", (made(NARROW, "a"),), sight({"a": None}), None),
    ("its answer lost", (made(NARROW),), sight({"a": NARROW}), (RevokeGrant(ONE, "a", NAME),)),
    ("its answer lost, and never seen", (made(NARROW),), sight({}), None),
    ("its answer lost a moment ago", (made(NARROW, age=timedelta(seconds=9)),), sight({}), ()),
    ("on a key that is gone", (made(NARROW, "a"),), GrantSight(None, {ONE: GONE}), None),
    ("not to be seen", (made(NARROW, "a"),), GrantSight(None, {ONE: replace(on({}), grants=DENIED)}), ()),
]


@pytest.mark.parametrize(("memory", "seen", "due"), [pytest.param(*rest, id=name) for name, *rest in ENDS])
def test_a_deleted_object_takes_its_own_grants_with_it(
    memory: tuple[MadeGrant, ...], seen: GrantSight, due: tuple[DependentAction, ...] | None
) -> None:
    done = plan(obj(*memory, deleting=True), replace(seen, target=None))
    assert done.is_last is (due is None)
    assert due is None or done.actions == due


def test_an_unanswered_grant_that_has_shown_is_remembered_by_its_id_before_it_is_revoked() -> None:
    done = plan(obj(made(NARROW), deleting=True), sight({"a": NARROW}))
    assert done.write_ahead
    assert [one.grant_id for one in done.status.grants] == ["a"]
    assert plan(replace(obj(deleting=True), status=done.status), sight({"a": None})).is_last


def test_the_keys_to_look_at_are_those_with_grants() -> None:
    assert keys_of(KMSGrantStatus(grants=(made(NARROW, "a"), made(WIDE, "b", TWO)))) == {ONE, TWO}
