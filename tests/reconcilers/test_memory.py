import pytest

from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.memory import ahead, kept
from reconcilers.states import ObservedKey, Wanted
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import DENIED, OTHER_KEY_ID, account, arn, key, leading, observed, operator, remembered

A, B, C = "alias/a", "alias/b", "alias/c"
BEFORE = remembered(managed_tag_keys=("old",), aliases=(B,))


def wanted(**spec: object) -> Wanted:
    return wanted_key(key(KMSKeySpec.model_validate(spec)), account(), operator())


WISH = wanted(tags={"team": "x"}, aliases=("a", "c"))


@pytest.mark.parametrize(
    ("seen", "aliases"),
    [
        (observed(), (A, B, C)),
        (observed(aliases={}), (A, B, C)),
        (observed(aliases=leading(A)), (A, B, C)),
        (observed(aliases=leading(A, key_id=OTHER_KEY_ID)), (B, C)),
        (observed(aliases=DENIED), (B,)),
    ],
)
def test_what_is_to_be_ours_is_remembered_before_it_is(seen: ObservedKey, aliases: tuple[str, ...]) -> None:
    assert ahead(BEFORE, WISH, seen) == {"managed_tag_keys": ("old", "team"), "aliases": aliases, "grants": ()}


@pytest.mark.parametrize(
    ("before", "seen", "tags", "aliases"),
    [
        (BEFORE, observed(tags={"team": "x"}, aliases=leading(A, C)), ("team",), (A, C)),
        (BEFORE, observed(tags={"team": "x", "old": "y"}, aliases=leading(A, B)), ("old", "team"), (A, B)),
        (BEFORE, observed(aliases=leading("alias/theirs")), ("team",), ()),
        (BEFORE, observed(aliases=leading(A, B, C, key_id=OTHER_KEY_ID)), ("team",), ()),
        (BEFORE, observed(aliases=DENIED), ("team",), (B,)),
        (remembered(), observed(), ("team",), ()),
    ],
)
def test_what_was_seen_to_be_gone_is_forgotten(
    before: KMSKeyStatus, seen: ObservedKey, tags: tuple[str, ...], aliases: tuple[str, ...]
) -> None:
    assert kept(before, WISH, seen, {}) == {"managed_tag_keys": tags, "aliases": aliases, "grants": ()}


@pytest.mark.parametrize(
    ("late", "seen", "tags", "aliases"),
    [
        ((B, "old"), observed(aliases={}), ("old", "team"), (B,)),
        ((B,), observed(tags=None, aliases=leading(B)), ("team",), (B,)),
        ((B,), observed(aliases=leading(B, key_id=OTHER_KEY_ID)), ("team",), ()),  # another key's by now
        (("alias/never-ours",), observed(aliases={}), ("team",), ()),
    ],
)
def test_what_was_put_on_the_key_a_moment_ago_is_not_forgotten_though_it_does_not_show(
    late: tuple[str, ...], seen: ObservedKey, tags: tuple[str, ...], aliases: tuple[str, ...]
) -> None:
    names = {(seen.arn, name): False for name in late}
    assert kept(BEFORE, WISH, seen, names) == {"managed_tag_keys": tags, "aliases": aliases, "grants": ()}
    elsewhere = {(arn(OTHER_KEY_ID), name): True for name in late}
    assert kept(BEFORE, WISH, seen, elsewhere) == kept(BEFORE, WISH, seen, {})
