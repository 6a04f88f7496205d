"""Keys whose primary was moved: where it is, whose rotation it keeps, and what is told."""

from dataclasses import replace
from typing import Any

import pytest

from reconcilers.actions import DisableKeyRotation, EnableKeyRotation
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.primaries import NO_END, OUT_OF_SIGHT, as_primary, primary_region, rotation_out_of_sight
from reconcilers.reasons import Reason
from reconcilers.states import Missing, ObservedKey, Rotation, Unobservable
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import KEY_ID, account, key, observed, operator
from tests.reconcilers.replicas import EU, KEPT, SPEC, THERE, plan, replica

ROTATING = KMSKeySpec(multi_region=True, replicas=SPEC.replicas, enable_key_rotation=True, rotation_period_in_days=200)
UNSEEN = Unobservable(Reason.AWS_UNAVAILABLE, "no")


def moved(there: Any) -> ObservedKey:
    """The object's key as a replica, and what there is in the other region."""
    here = replace(observed(rotation=None), multi_region=True, multi_region_key_type="REPLICA")
    return replace(here, replicas={EU: there})


def the_primary(rotation: Rotation) -> ObservedKey:
    return replace(replica(), multi_region_key_type="PRIMARY", rotation=rotation)


@pytest.mark.parametrize(
    ("seen", "region"),
    [
        (moved(the_primary(Rotation(False))), EU),
        (moved(replica()), None),
        (moved(Missing(KEY_ID)), None),
        (moved(UNSEEN), None),
        (replace(moved(replica()), multi_region_key_type="PRIMARY"), None),
        (observed(), None),
    ],
)
def test_the_primary_is_where_it_was_seen(seen: ObservedKey, region: str | None) -> None:
    assert primary_region(seen) == region


@pytest.mark.parametrize(
    ("spec", "rotation", "due"),
    [
        (ROTATING, Rotation(True, 200), ()),
        (ROTATING, Rotation(True, 365), (EnableKeyRotation(THERE, 200),)),
        (ROTATING, Rotation(False), (EnableKeyRotation(THERE, 200),)),
        (SPEC, Rotation(False), ()),
        (SPEC, Rotation(True, 200), (DisableKeyRotation(THERE),)),
    ],
)
def test_rotation_is_kept_where_the_primary_is(spec: KMSKeySpec, rotation: Rotation, due: tuple[Any, ...]) -> None:
    assert plan(moved(the_primary(rotation)), spec, KEPT).due == due


def test_a_replica_wishes_for_no_rotation() -> None:
    wanted = wanted_key(key(ROTATING), account(), operator())
    wish = wanted.replicas[EU]
    assert as_primary(wish, wanted, replica()) == wish
    assert not wish.rotation_enabled


@pytest.mark.parametrize(
    ("spec", "seen", "told"),
    [
        (ROTATING, moved(the_primary(Rotation(True, 200))), None),
        (ROTATING, moved(replica()), OUT_OF_SIGHT),
        (ROTATING, moved(Missing(KEY_ID)), OUT_OF_SIGHT),
        (ROTATING, moved(UNSEEN), None),
        (SPEC, moved(replica()), None),
        (ROTATING, observed(), None),
    ],
)
def test_a_rotation_that_nobody_sees_is_told(spec: KMSKeySpec, seen: ObservedKey, told: object) -> None:
    assert rotation_out_of_sight(wanted_key(key(spec), account(), operator()), seen) == told


@pytest.mark.parametrize("policy", [DeletionPolicy.DELETE, DeletionPolicy.FORCE_DELETE, DeletionPolicy.SCHEDULE_KEY_DELETION])
def test_a_primary_that_left_the_spec_is_not_deleted_while_its_replicas_live(policy: DeletionPolicy) -> None:
    spec = KMSKeySpec(multi_region=True, replicas=(), deletion_policy=policy)
    planned = plan(moved(the_primary(Rotation(False))), spec, KEPT)
    assert planned.due == ()
    assert planned.problems[EU].message == NO_END
