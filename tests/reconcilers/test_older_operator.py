"""Keys that the older operator made: which of them are taken over, and that this changes nothing else on them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.actions import Plan, RecordKey, TagResource
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmskey import plan_kmskey
from reconcilers.names import CLUSTER_TAG, UID_TAG
from reconcilers.older_operator import made_by_older_operator
from reconcilers.ownership import owned
from reconcilers.reasons import Reason
from reconcilers.states import KeyObject, ObservedKey, Offered, Rotation, Seen, Unobservable
from tests.reconcilers.builders import (
    CLUSTER,
    DENIED,
    KEY_ID,
    LONG_AGO,
    NOW,
    OTHER_KEY_ID,
    OWNER_TAGS,
    account,
    arn,
    attempted,
    key,
    observed,
    operator,
    remembered,
    stray,
)
from tests.reconcilers.passes import Around, World, settle, steps
from tests.reconcilers.verdicts import stalled, told

AROUND = Around(account(), operator(), NOW)
OLD = KMSKeyStatus(key_id=KEY_ID, key_state="Enabled", ready=True, key_manager="CUSTOMER", creation_date=LONG_AGO, last_sync_time=LONG_AGO)
LATE = Unobservable(Reason.PROVIDER_NOT_READY, "The AWSProvider production is not ready: see its conditions.")


def plan(wish: KeyObject, seen: Seen) -> Plan:
    return plan_kmskey(wish, account(), seen, operator(), NOW)


@pytest.mark.parametrize(
    ("wish", "seen", "expected"),
    [
        (key(status=OLD), stray(), True),
        (key(status=KMSKeyStatus(key_id=KEY_ID)), stray(), True),
        (key(status=OLD.model_copy(update={"key_arn": arn()})), stray(), True),
        (key(KMSKeySpec(tags={"a": "b"}), OLD), stray(tags={"a": "b", "c": "d"}), True),
        (key(KMSKeySpec(tags={"a": "b"}), OLD), stray(), False),
        (key(KMSKeySpec(tags={"a": "b"}), OLD), stray(tags={"a": "c"}), False),
        (key(status=OLD, finalizers=()), stray(), False),
        (key(status=OLD), replace(stray(), key_id=OTHER_KEY_ID), False),
        (key(status=OLD.model_copy(update={"key_arn": arn(OTHER_KEY_ID)})), stray(), False),
        (key(status=OLD.model_copy(update={"creation_date": NOW})), stray(), False),
        (key(status=OLD), stray(tags={UID_TAG: "x"}), False),
        (key(status=OLD), stray(tags={CLUSTER_TAG: CLUSTER}), False),
        (key(status=OLD), observed(tags=DENIED), False),
        (key(status=remembered()), stray(), False),
        (key(status=attempted(timedelta())), stray(), False),
    ],
)
def test_a_key_is_the_older_operator_s_if_all_that_can_be_told_says_so(wish: KeyObject, seen: ObservedKey, *, expected: bool) -> None:
    assert made_by_older_operator(wish, seen) is expected


def test_a_provider_that_was_late_does_not_make_the_object_ours() -> None:
    """Both are often started together, and the first passes have no provider."""
    waited = plan_kmskey(key(status=OLD), LATE, stray(), operator(), NOW)
    assert made_by_older_operator(key(status=waited.status), stray())


@pytest.mark.parametrize("state", ["Enabled", "Disabled"])
@pytest.mark.parametrize("enabled", [None, False])
def test_it_is_claimed_in_place_and_nothing_is_flipped(state: str, *, enabled: bool | None) -> None:
    wish = key(KMSKeySpec(enabled=enabled if state == "Disabled" else None), OLD)
    found = stray(state, description="theirs", rotation=Rotation(True, 365))
    end = settle(World(wish, Offered(found)), AROUND)
    assert isinstance(end.seen, ObservedKey)
    assert owned(end.key, end.seen, CLUSTER)
    assert replace(end.seen, tags={}) == replace(found, tags={})
    assert (end.key.status.key_id, end.key.status.taken_over, plan(end.key, end.seen).actions) == (KEY_ID, True, ())


def test_dying_at_any_point_leaves_a_key_that_the_next_pass_takes_as_it_is() -> None:
    found = stray("Disabled", description="theirs")
    for stop in steps(World(key(status=OLD), Offered(found)), AROUND):
        seen = stop.seen if isinstance(stop.seen, Offered) or owned(stop.key, _key(stop.seen), CLUSTER) else _offer(stop.key, _key(stop.seen))
        end = settle(replace(stop, seen=seen), AROUND)
        assert replace(_key(end.seen), tags={}) == replace(found, tags={})
        assert (end.key.status.key_id, plan(end.key, end.seen).actions) == (KEY_ID, ())


def _key(seen: Seen) -> ObservedKey:
    assert isinstance(seen, ObservedKey)
    return seen


def _offer(wish: KeyObject, seen: ObservedKey) -> Offered:
    """As the next pass sees it."""
    assert made_by_older_operator(wish, seen)
    return Offered(seen)


def test_the_claim_says_why() -> None:
    made = plan(key(status=OLD), Offered(stray()))
    assert made.actions == (RecordKey(stray(), "which an older operator made for this object"), TagResource(arn(), OWNER_TAGS))
    assert made.write_ahead


def test_a_key_that_two_objects_name_is_nobody_s() -> None:
    made = plan(key(status=OLD), Offered(stray(), holder="KMSKey shop/copy"))
    assert (made.actions, told(made)) == ((), stalled(Reason.ADOPTION_REFUSED))
    assert made_by_older_operator(key(status=made.status), stray())


def test_one_that_is_not_recognized_says_what_to_do_and_may_be_recognized_later() -> None:
    wish = key(KMSKeySpec(tags={"a": "b"}), OLD)
    made = plan(wish, stray())
    assert (made.actions, told(made)) == ((), stalled(Reason.KEY_NOT_OWNED))
    assert made_by_older_operator(replace(wish, status=made.status), stray(tags={"a": "b"}))
