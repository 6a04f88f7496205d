from dataclasses import replace

import pytest

from reconcilers.actions import CreateGrant, RevokeGrant
from reconcilers.grant_fields import GrantConstraints, GrantSpec
from reconcilers.grants import (
    digest,
    found_grants,
    grant_changes,
    grants_wait,
    recorded_after,
    recorded_ahead,
    to_revoke,
    wanted_grant,
)
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import RecordedGrant
from reconcilers.states import Grant, ObservedKey, Wanted
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import DENIED, account, arn, key, observed, operator, remembered

KEY = arn()
ROLE = "arn:aws:iam::123456789012:role/app"
NARROW = GrantSpec(name="app", grantee_role_arn=ROLE, operations=("Decrypt",))
WIDE = NARROW.model_copy(update={"operations": ("Encrypt", "Decrypt")})
OTHER = NARROW.model_copy(update={"name": "other"})
A, W, THIRD = (wanted_grant(spec) for spec in (NARROW, WIDE, OTHER))
UNLIKE = replace(A, grantee="AROAEXAMPLE")  # as AWS may show it once the role is gone


def record(grant: Grant, grant_id: str | None = None) -> RecordedGrant:
    return RecordedGrant(name=grant.name, hash=digest(grant), grant_id=grant_id)


def wanted(*grants: GrantSpec) -> Wanted:
    return wanted_key(key(KMSKeySpec(grants=grants)), account(), operator())


def seen(state: str = "Enabled", **grants: Grant | None) -> ObservedKey:
    """By id."""
    return observed(state, grants=grants)


def create(grant: Grant) -> CreateGrant:
    return CreateGrant(KEY, grant)


def revoke(grant_id: str, name: str = "app") -> RevokeGrant:
    return RevokeGrant(KEY, grant_id, name)


Change = CreateGrant | RevokeGrant
Row = tuple[tuple[GrantSpec, ...], ObservedKey, tuple[RecordedGrant, ...], tuple[Change, ...], tuple[RecordedGrant, ...]]

# What is wanted, seen and remembered; what is done; and what would be remembered if nothing were left to do.
ROWS: dict[str, Row] = {
    "nothing": ((), observed(), (), (), ()),
    "a new one": ((NARROW,), seen(), (), (create(A),), ()),
    "not asked about yet": ((NARROW,), observed(), (), (create(A),), ()),
    "as wanted": ((NARROW,), seen(i=A), (record(A, "i"),), (), (record(A, "i"),)),
    "as wanted, under another name of its principal": ((NARROW,), seen(i=UNLIKE), (record(A, "i"),), (), (record(A, "i"),)),
    "there already": ((NARROW,), seen(i=A, j=A), (), (), (record(A, "i"),)),
    "made before a crash": ((NARROW,), seen(i=A), (record(A),), (), (record(A, "i"),)),
    "asked for, and not there": ((NARROW,), seen(), (record(A),), (create(A),), ()),
    "changed": ((WIDE,), seen(i=A), (record(A, "i"),), (create(W), revoke("i")), (record(A, "i"),)),
    "changed, and made anew": ((WIDE,), seen(i=A, j=W), (record(A, "i"), record(W)), (revoke("i"),), (record(A, "i"), record(W, "j"))),
    "changed after a crash, before the answer was stored": ((WIDE,), seen(i=A), (record(A),), (create(W), revoke("i")), (record(A, "i"),)),
    "unset": ((), seen(i=A), (record(A, "i"),), (revoke("i"),), (record(A, "i"),)),
    "unset, not shown": ((), seen(), (record(A, "i"),), (revoke("i"),), (record(A, "i"),)),
    "unset and revoked": ((), seen(i=None), (record(A, "i"),), (), ()),
    "gone or not shown": ((NARROW,), seen(), (record(A, "i"),), (create(A),), (record(A, "i"),)),
    "gone and made anew": ((NARROW,), seen(j=A), (record(A, "i"),), (), (record(A, "j"),)),
    "somebody else's": ((), seen(i=A), (), (), ()),
    "somebody else's of the same name": ((NARROW,), seen(i=W), (), (create(A),), ()),
    "one of two": ((NARROW, OTHER), seen(i=A), (record(A, "i"),), (create(THIRD),), (record(A, "i"),)),
    "changed, disabled": ((WIDE, OTHER), seen("Disabled", i=A), (record(A, "i"),), (), (record(A, "i"),)),
    "unset, disabled": ((OTHER,), seen("Disabled", i=A), (record(A, "i"),), (revoke("i"),), (record(A, "i"),)),
    "its store is away": ((NARROW,), seen("Unavailable"), (), (create(A),), ()),
    "waits for its material": ((NARROW,), seen("PendingImport"), (), (), ()),
    "may not be read": ((WIDE,), observed(grants=DENIED), (record(A, "i"),), (), (record(A, "i"),)),
}
each_row = pytest.mark.parametrize(("wish", "is_now", "memory", "due", "after"), ROWS.values(), ids=ROWS)


@each_row
def test_what_is_done_and_remembered(
    wish: tuple[GrantSpec, ...],
    is_now: ObservedKey,
    memory: tuple[RecordedGrant, ...],
    due: tuple[Change, ...],
    after: tuple[RecordedGrant, ...],
) -> None:
    assert grant_changes(wanted(*wish), is_now, memory) == due
    assert set(recorded_after(remembered(grants=memory), wanted(*wish), is_now)) == set(after)


@each_row
def test_what_is_about_to_be_made_is_remembered_beside_what_was(
    wish: tuple[GrantSpec, ...],
    is_now: ObservedKey,
    memory: tuple[RecordedGrant, ...],
    due: tuple[Change, ...],
    after: tuple[RecordedGrant, ...],  # noqa: ARG001 - the other half of the same table
) -> None:
    ahead = recorded_ahead(remembered(grants=memory), wanted(*wish), is_now)
    assert set(ahead) == {*memory, *(record(action.grant) for action in due if isinstance(action, CreateGrant))}


@pytest.mark.parametrize(
    ("state", "is_now", "waits"), [("Enabled", {}, False), ("Disabled", {}, True), ("Disabled", {"i": A}, False), ("Disabled", None, True)]
)
def test_grants_wait_for_a_key_that_takes_them(state: str, is_now: dict[str, Grant | None] | None, *, waits: bool) -> None:
    assert grants_wait(wanted(NARROW), observed(state, grants=is_now), ()) is waits


def test_grants_that_may_not_be_read_wait_for_nothing_but_that() -> None:
    assert not grants_wait(wanted(NARROW), observed("Disabled", grants=DENIED), ())


def test_all_of_ours_can_be_revoked_without_a_list() -> None:
    memory = (record(A, "i"), record(W), record(THIRD, "k"))
    assert to_revoke(observed(grants=DENIED), memory) == (revoke("i"), revoke("k", "other"))
    assert to_revoke(seen(i=None, j=W, x=A), memory) == (revoke("j"), revoke("k", "other"))


def test_what_was_not_seen_is_none() -> None:
    assert found_grants(observed()) == found_grants(observed(grants=DENIED)) == {}


CONTEXT = GrantConstraints(encryption_context_equals={"b": "1", "a": "2"})
VARIANTS = [
    NARROW,
    WIDE,
    OTHER,
    NARROW.model_copy(update={"grantee_role_arn": None, "grantee_principal": "arn:aws:iam::123456789012:user/app"}),
    NARROW.model_copy(update={"retiring_principal": ROLE}),
    NARROW.model_copy(update={"constraints": CONTEXT}),
    NARROW.model_copy(update={"constraints": GrantConstraints(encryption_context_subset={"b": "1", "a": "2"})}),
    NARROW.model_copy(update={"constraints": GrantConstraints(source_arn="arn:aws:s3:eu-west-1:123456789012:bucket")}),
]


def test_grants_that_say_something_else_have_another_hash() -> None:
    assert len({digest(wanted_grant(spec)) for spec in VARIANTS}) == len(VARIANTS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NARROW, NARROW.model_copy(update={"constraints": GrantConstraints(encryption_context_equals={})})),
        (WIDE, NARROW.model_copy(update={"operations": ("Decrypt", "Encrypt", "Decrypt")})),
        (
            NARROW.model_copy(update={"constraints": CONTEXT}),
            NARROW.model_copy(update={"constraints": GrantConstraints(encryption_context_equals={"a": "2", "b": "1"})}),
        ),
        (NARROW, NARROW.model_copy(update={"grantee_role_arn": None, "grantee_principal": ROLE})),
    ],
)
def test_grants_that_say_the_same_in_other_words_are_one(one: GrantSpec, other: GrantSpec) -> None:
    assert wanted_grant(one) == wanted_grant(other)
    assert digest(wanted_grant(one)) == digest(wanted_grant(other))
