from dataclasses import replace

import pytest

from reconcilers.actions import CreateAlias, DeleteAlias
from reconcilers.aliases import (
    ALIAS_ADVICE,
    alias_changes,
    alias_conflict,
    alias_names,
    freed,
    hidden,
    on_key,
    ours_by_spec,
    targets,
)
from reconcilers.key_fields import MAX_ALIASES
from reconcilers.key_spec import KMSKeySpec
from reconcilers.reasons import Reason
from reconcilers.states import ObservedKey, Unobservable
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import DENIED, OTHER_KEY_ID, account, arn, key, leading, observed, operator, remembered

KEY = arn()
A, B, C = "alias/a", "alias/b", "alias/c"
OTHERS = leading(A, key_id=OTHER_KEY_ID)
FULL = tuple(f"alias/{number:02}" for number in range(MAX_ALIASES))


def changes(wish: tuple[str, ...], seen: ObservedKey, ours: tuple[str, ...] = ()) -> tuple[CreateAlias | DeleteAlias, ...]:
    wanted = wanted_key(key(KMSKeySpec(aliases=wish)), account(), operator())
    return alias_changes(wanted, seen, ours)


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ((), set()),
        (("a", "alias/b", "c/d"), {A, B, "alias/c/d"}),
        (("a", "alias/a"), {A}),
        (("aliases/a", "alias"), {"alias/aliases/a", "alias/alias"}),
        (("aws/s3", "alias/aws/s3", "awsome"), {"alias/awsome"}),
    ],
)
def test_a_name_is_whole_and_never_aws_s_own(written: tuple[str, ...], names: set[str]) -> None:
    assert alias_names(written) == names


@pytest.mark.parametrize(
    ("wish", "is_now", "ours", "due"),
    [
        ((), None, (), ()),
        (("a",), leading(A), (), ()),
        (("b", "a"), {}, (), (CreateAlias(KEY, A), CreateAlias(KEY, B))),
        (("a",), None, (), (CreateAlias(KEY, A),)),
        ((), leading(A), (A,), (DeleteAlias(KEY, A),)),
        (("b",), leading(A), (A,), (CreateAlias(KEY, B), DeleteAlias(KEY, A))),
        ((), leading(A), (), ()),
        ((), leading(A), (B,), ()),
        ((), {}, (A,), ()),
        (("a",), OTHERS, (A,), ()),
        ((), OTHERS, (A,), ()),
        (("a", "b"), OTHERS, (), (CreateAlias(KEY, B),)),
        (("a",), DENIED, (B,), ()),
        ((), leading("alias/aws/s3"), ("alias/aws/s3",), ()),
    ],
)
def test_an_alias_is_made_where_it_is_free_and_deleted_where_it_is_ours(
    wish: tuple[str, ...],
    is_now: dict[str, str] | Unobservable | None,
    ours: tuple[str, ...],
    due: tuple[CreateAlias | DeleteAlias, ...],
) -> None:
    assert changes(wish, observed(aliases=is_now), ours) == due


def test_a_full_key_loses_an_alias_before_it_gets_another() -> None:
    due = changes((*FULL[1:], "z"), observed(aliases=leading(*FULL)), FULL)
    assert due == (DeleteAlias(KEY, FULL[0]), CreateAlias(KEY, "alias/z"))


def test_an_alias_of_another_key_is_a_conflict_that_names_it() -> None:
    wanted = wanted_key(key(KMSKeySpec(aliases=("a", "b"))), account(), operator())
    found = alias_conflict(wanted, observed(aliases=OTHERS | leading(B)))
    assert found is not None
    assert (found.reason, found.stalled) == (Reason.ALIAS_CONFLICT, True)
    assert found.message == f"{A} leads to {arn(OTHER_KEY_ID)}. {ALIAS_ADVICE}"


@pytest.mark.parametrize("is_now", [None, {}, DENIED, leading(A), leading(B, key_id=OTHER_KEY_ID)])
def test_what_is_ours_free_or_not_wanted_is_no_conflict(is_now: dict[str, str] | Unobservable | None) -> None:
    wanted = wanted_key(key(KMSKeySpec(aliases=("a",))), account(), operator())
    assert alias_conflict(wanted, observed(aliases=is_now)) is None


def test_aliases_of_the_key_are_told_from_those_of_others() -> None:
    seen = observed(aliases=OTHERS | leading(B))
    assert (targets(seen), on_key(seen)) == (OTHERS | leading(B), frozenset({B}))


def test_before_a_key_goes_the_remembered_and_the_declared_are_freed_and_no_others() -> None:
    wish = key(KMSKeySpec(aliases=("a",)), remembered(aliases=(B, "alias/gone")))
    assert freed(observed(aliases=leading(A, B, C)), ours_by_spec(wish)) == (DeleteAlias(KEY, A), DeleteAlias(KEY, B))
    assert freed(observed(aliases=OTHERS), ours_by_spec(wish)) == ()


@pytest.mark.parametrize(
    ("late", "there", "waits"),
    [
        ({(arn(), "alias/a"): True}, {}, ("alias/a",)),
        ({(arn(), "alias/a"): False}, {}, ()),  # nobody knows whether it was made, and the object does not wait for it
        ({(arn(), "alias/a"): True}, leading("alias/a"), ()),
        ({(arn(), "alias/a"): True}, leading("alias/a", key_id=OTHER_KEY_ID), ()),
        ({(arn(OTHER_KEY_ID), "alias/a"): True}, {}, ()),
        ({(arn(), "alias/theirs"): True}, {}, ()),
    ],
)
def test_an_alias_that_kms_has_made_and_does_not_show_yet_is_known(
    late: dict[tuple[str, str], bool], there: dict[str, str], waits: tuple[str, ...]
) -> None:
    going = replace(key(KMSKeySpec(aliases=("a",)), remembered(), deleting=True), late_names=late)
    assert hidden(going, observed(aliases=there), ("a",)) == waits
