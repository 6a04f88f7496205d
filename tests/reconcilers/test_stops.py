"""The plan that waits: what it says, and when it looks again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.actions import AddFinalizer
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.reasons import Reason
from reconcilers.states import Problem
from reconcilers.stops import PATIENCE, finalizer, has_lasted, immutable_conflict, stop
from reconcilers.waits import LATER
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import NOW, account, key, observed, operator
from tests.reconcilers.verdicts import told

TROUBLE = Problem(Reason.PROVIDER_NOT_READY, "The provider is not ready.", stalled=True)


@pytest.mark.parametrize(("stalled", "look_again"), [(True, LATER), (False, PATIENCE)])
def test_it_looks_again_soon_only_where_the_problem_may_pass(stalled: bool, look_again: timedelta) -> None:
    plan = stop(key(), replace(TROUBLE, stalled=stalled), operator(), NOW)
    assert (plan.actions, plan.look_again) == ((), look_again)
    assert told(plan)["Ready"] == ("False", Reason.PROVIDER_NOT_READY)


@pytest.mark.parametrize(("after", "lasted"), [(timedelta(), False), (PATIENCE, True)])
def test_somebody_is_called_only_when_the_same_reason_has_lasted(after: timedelta, lasted: bool) -> None:
    waiting = key(status=stop(key(), TROUBLE, operator(), NOW).status)
    assert has_lasted(waiting, TROUBLE.reason, NOW + after) is lasted
    assert not has_lasted(waiting, Reason.PROVIDER_NOT_FOUND, NOW + after)


def test_a_finalizer_is_put_back_only_where_it_is_missing() -> None:
    bare = replace(key(), finalizers=("somebody.else/finalizer",))
    assert finalizer(bare) == (AddFinalizer(),)
    assert finalizer(replace(bare, finalizers=(KMSKEY_FINALIZER,))) == ()


def test_a_conflict_names_each_field_with_both_values() -> None:
    wanted = wanted_key(key(), account(), operator())
    assert immutable_conflict(wanted, observed()) is None
    problem = immutable_conflict(wanted, replace(observed(), key_spec="RSA_2048", multi_region=True))
    assert problem is not None
    assert "keySpec is RSA_2048 in AWS and SYMMETRIC_DEFAULT in the spec; multiRegion is True in AWS and False" in problem.message
