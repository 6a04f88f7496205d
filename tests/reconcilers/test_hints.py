"""The annotation key-id is a hint: followed, verified, and written when nothing else is left to do."""

from dataclasses import replace

import pytest

from reconcilers.adoption_fields import Adoption, ManagementPolicy
from reconcilers.hints import hint_due, hinted_id, with_hinted
from reconcilers.key_spec import KMSKeySpec
from reconcilers.states import Candidates, KeyObject, Missing, NotCreated, ObservedKey, Seen
from tests.reconcilers.builders import (
    CLUSTER,
    DENIED,
    KEY_ID,
    OTHER_KEY_ID,
    foreign,
    key,
    observed,
    predecessors,
    remembered,
    stray,
)

RESTORED = replace(key(finalizers=()), key_id_hint=KEY_ID)
OTHER = predecessors(key_id=OTHER_KEY_ID)
OBSERVING = KMSKeySpec(adopt=Adoption(key_id=KEY_ID), management_policy=ManagementPolicy.OBSERVE)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (RESTORED, KEY_ID),
        (key(), None),
        (replace(key(status=remembered()), key_id_hint=OTHER_KEY_ID), None),
        *((replace(key(), key_id_hint=bad), None) for bad in ("", "alias/aws/ebs", "arn:aws:kms:r:1:key/k", "a b", "x" * 129)),
    ],
)
def test_only_an_id_is_followed_and_only_where_none_is_remembered(wish: KeyObject, expected: str | None) -> None:
    assert hinted_id(wish) == expected


@pytest.mark.parametrize(
    ("hinted", "seen", "expected"),
    [
        (None, NotCreated((OTHER,)), NotCreated((OTHER,))),
        (foreign(), NotCreated(), NotCreated()),
        (stray(), NotCreated(), NotCreated()),
        (predecessors(), NotCreated(), NotCreated((predecessors(),))),
        (predecessors(), NotCreated((predecessors(),)), NotCreated((predecessors(),))),
        (predecessors(), Candidates((), True), Candidates((), True, (predecessors(),))),
        (observed(), NotCreated((OTHER,)), Candidates((observed(),), False, (OTHER,))),
        (observed(), Candidates((observed(),), True), Candidates((observed(),), True)),
        (observed(tags=DENIED), NotCreated(), Candidates((observed(tags=DENIED),), False)),
    ],
)
def test_a_hinted_key_counts_by_its_owner_tags(
    hinted: ObservedKey | None, seen: NotCreated | Candidates, expected: NotCreated | Candidates
) -> None:
    assert with_hinted(RESTORED, hinted, seen, CLUSTER) == expected


@pytest.mark.parametrize(
    ("begun", "seen", "due"),
    [
        (key(status=remembered()), observed(), True),
        (replace(key(status=remembered()), key_id_hint=OTHER_KEY_ID), observed(), True),
        (replace(key(status=remembered()), key_id_hint=KEY_ID), observed(), False),
        (key(), observed(), False),
        (key(status=remembered()), observed(key_id=OTHER_KEY_ID), False),
        (key(status=remembered()), foreign(), False),
        (key(status=remembered()), Missing(KEY_ID), False),
        (key(status=remembered(), deleting=True), observed(), False),
        (key(OBSERVING, remembered()), observed(), False),
    ],
)
def test_it_is_written_for_a_key_that_was_remembered_when_the_pass_began(begun: KeyObject, seen: Seen, *, due: bool) -> None:
    assert hint_due(begun, seen, CLUSTER) is due
