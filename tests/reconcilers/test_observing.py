"""managementPolicy Observe: whatever is seen, nothing is done, and the status tells it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.actions import RemoveFinalizer
from reconcilers.adoption_fields import Adoption, ManagementPolicy
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.kmskey import plan_kmskey, plan_unasked
from reconcilers.reasons import Reason
from reconcilers.states import Candidates, Missing, NotCreated, ObservedKey, Offered, Seen
from tests.reconcilers.builders import (
    DENIED,
    KEY_ID,
    NOW,
    OTHER_KEY_ID,
    STATES,
    account,
    arn,
    attempted,
    foreign,
    key,
    observed,
    operator,
    remembered,
    stray,
)
from tests.reconcilers.verdicts import told

SPEC = KMSKeySpec(adopt=Adoption(key_id=KEY_ID), management_policy=ManagementPolicy.OBSERVE, description="mine", enabled=False)


def show(seen: Seen) -> Mapping[str, tuple[str, str]]:
    made = plan_kmskey(key(SPEC, finalizers=()), account(), seen, operator(), NOW)
    assert made.actions == ()
    return told(made)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("found", [stray(), foreign(), observed()], ids=["nobody's", "another's", "our own"])
def test_no_key_in_any_state_is_written_to(found: ObservedKey, state: str) -> None:
    made = show(Offered(replace(found, state=state), holder="KMSKey shop/invoices"))
    assert made == show(replace(found, state=state))
    assert made["Ready"][0] == ("True" if state == "Enabled" else "False")
    assert made["Synced"] == ("True", Reason.IN_SYNC)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (stray("Disabled"), Reason.KEY_DISABLED),
        (stray("PendingDeletion"), Reason.KEY_PENDING_DELETION),
        (stray("PendingImport"), Reason.KEY_PENDING_IMPORT),
        (stray("Unavailable"), Reason.KEY_UNAVAILABLE),
        (Offered(None), Reason.KEY_NOT_FOUND),
        (Missing(KEY_ID), Reason.KEY_NOT_FOUND),
        (Offered(replace(stray(), manager="AWS")), Reason.ADOPTION_REFUSED),
        (Offered(stray(), is_replica=True), Reason.ADOPTION_REFUSED),
        (DENIED, Reason.ACCESS_DENIED),
        (NotCreated(), Reason.INVALID_SPEC),
        (Candidates((), thorough=True), Reason.INVALID_SPEC),
    ],
)
def test_ready_says_why_the_key_cannot_be_used(seen: Seen, reason: Reason) -> None:
    assert show(seen)["Ready"] == ("False", reason)


def test_the_status_shows_the_key() -> None:
    made = plan_kmskey(key(SPEC), account(), Offered(stray(description="theirs")), operator(), NOW)
    assert (made.status.key_id, made.status.key_state, made.status.ready) == (KEY_ID, "Enabled", True)
    assert made.status.effective_deletion_policy is DeletionPolicy.RETAIN


@pytest.mark.parametrize("policy", [None, *DeletionPolicy])
def test_the_deletion_of_the_object_asks_aws_nothing(policy: DeletionPolicy | None) -> None:
    made = plan_unasked(key(SPEC.model_copy(update={"deletion_policy": policy}), remembered(), deleting=True), operator(), NOW)
    assert made is not None
    assert [type(action) for action in made.actions] == [RemoveFinalizer]


def test_a_creation_without_an_answer_is_not_forgotten_meanwhile() -> None:
    before = attempted(timedelta(minutes=6))
    made = plan_kmskey(key(SPEC, before), account(), Offered(stray()), operator(), NOW)
    assert made.status.creation_attempt == before.creation_attempt


@pytest.mark.parametrize(
    ("age", "keys", "reason"),
    [
        (1, (), Reason.CREATION_UNKNOWN),
        (6, (), Reason.KEY_NOT_FOUND),
        (6, (stray(),), Reason.KEY_NOT_FOUND),
        (1, (observed(), observed(key_id=OTHER_KEY_ID)), Reason.AMBIGUOUS_KEY),
        (6, (replace(observed(), tags=DENIED),), Reason.ACCESS_DENIED),
        (1, (observed(),), Reason.AVAILABLE),
    ],
)
def test_a_key_that_was_being_made_is_looked_for_and_shown(age: int, keys: tuple[ObservedKey, ...], reason: Reason) -> None:
    before = attempted(timedelta(minutes=age))
    made = plan_kmskey(key(SPEC, before), account(), Candidates(keys, thorough=True), operator(), NOW)
    assert (made.actions, told(made)["Ready"][1]) == ((), reason)
    found = reason is Reason.AVAILABLE
    assert (made.status.key_id, made.status.creation_attempt) == ((KEY_ID, None) if found else (None, before.creation_attempt))


def test_a_lost_key_that_shows_again_leaves_the_search_for_its_successor_open() -> None:
    before = remembered().model_copy(update={"creation_attempt": attempted(timedelta(minutes=6)).creation_attempt})
    made = plan_kmskey(key(SPEC, before), account(), Candidates((observed(),), thorough=True), operator(), NOW)
    assert made.status.creation_attempt == before.creation_attempt
    assert told(made)["Ready"][1] == Reason.AVAILABLE


@pytest.mark.parametrize("seen", [Candidates((), thorough=False), Candidates((), thorough=True, unshown=(arn(OTHER_KEY_ID),))])
def test_a_search_that_proves_nothing_says_why(seen: Candidates) -> None:
    made = plan_kmskey(key(SPEC, attempted(timedelta(minutes=6))), account(), seen, operator(), NOW)
    assert (made.actions, told(made)["Ready"][1]) == ((), Reason.CREATION_UNKNOWN)
