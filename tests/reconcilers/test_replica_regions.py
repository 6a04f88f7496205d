"""What is to be done in one other region, from what is wanted, remembered and seen there."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconcilers.actions import (
    Action,
    CancelKeyDeletion,
    CreateAlias,
    DeleteAlias,
    DisableKey,
    EnableKey,
    ForgetReplica,
    ReplicateKey,
    ScheduleKeyDeletion,
    TagResource,
    UntagResource,
    UpdateKeyDescription,
)
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import ReplicaStatus
from reconcilers.reasons import Reason
from reconcilers.replica_fields import ReplicaSpec
from reconcilers.states import FailureKind, Missing, ObservedKey
from tests.reconcilers.builders import DENIED, KEY_ID, NOW, OWNER_TAGS, arn
from tests.reconcilers.replicas import ANOTHER, BEFORE, EU, KEPT, SPEC, THERE, attempt, failure, plan, primary, record, replica


@pytest.mark.parametrize(
    ("seen", "known", "due"),
    [
        ("as declared", KEPT, ()),
        (replica("Creating"), KEPT, ()),
        (replica("Disabled"), KEPT, (EnableKey(THERE),)),
        (replica("PendingDeletion"), KEPT, (CancelKeyDeletion(THERE),)),
        (replica(description="x"), record(), (UpdateKeyDescription(THERE, ""),)),
        (replica(tags=BEFORE), record(), (TagResource(THERE, OWNER_TAGS),)),
        (replica("PendingDeletion", tags=BEFORE), record(), (CancelKeyDeletion(THERE),)),
        (replica("Creating", tags=BEFORE), record(), ()),
        (replica(tags={}), KEPT, (TagResource(THERE, OWNER_TAGS),)),
        (replica(tags={}), record(), ()),
        (replica(tags=ANOTHER), KEPT, ()),
        (DENIED, KEPT, ()),
        (replica(tags=DENIED), KEPT, ()),
        (Missing(KEY_ID), record(managed=True, creation_date=NOW), ()),
        (Missing(KEY_ID), record(creation_attempt=attempt(timedelta(seconds=9))), ()),
    ],
)
def test_a_replica_is_kept_as_declared_if_it_is_ours(seen: Any, known: ReplicaStatus, due: tuple[Action, ...]) -> None:
    assert plan(primary(eu=replica() if seen == "as declared" else seen), SPEC, known).due == due


@pytest.mark.parametrize(
    ("seen", "known", "words", "passes"),
    [
        (replica("Creating"), KEPT, "Creating", True),
        (replica(tags={}), record(), "do not name this object", False),
        (replica(tags={}), record(creation_attempt=attempt(timedelta(minutes=1))), "does not show the tags", True),
        (replica(tags=ANOTHER), KEPT, "do not name this object", False),
        (replica(tags=DENIED), KEPT, DENIED.message, False),
        (DENIED, KEPT, DENIED.message, False),
        (failure(FailureKind.RETRY, "DescribeKey"), KEPT, "no", True),
        (failure(FailureKind.WAIT_FOR_CAUSE, "ReplicateKey", "AlreadyExistsException"), record(), "no", True),
        (failure(FailureKind.STALLED, "ReplicateKey"), record(), "no", False),
        (Missing(KEY_ID), record(managed=True, creation_date=NOW), "does not show the new replica", True),
        (Missing(KEY_ID), record(creation_attempt=attempt(timedelta(seconds=9))), "its answer lost", True),
    ],
)
def test_what_a_replica_waits_for_is_told_with_its_region(seen: Any, known: ReplicaStatus, words: str, passes: bool) -> None:
    planned = plan(primary(eu=seen), SPEC, known)
    assert planned.problem is not None
    assert planned.problem.reason is Reason.REPLICA_NOT_READY
    assert planned.problem.message.startswith(f"{EU}: ")
    assert words in planned.problem.message
    assert planned.problem.stalled is not passes
    assert planned.look_again is not None
    assert (planned.records[0].message or "nothing") in planned.problem.message


def test_a_missing_replica_is_written_down_and_made_with_its_own_policy_tags_and_description() -> None:
    own = ReplicaSpec(region=EU, description="Europe", key_policy='{"Id": "eu"}', tags={"team": "eu"})
    planned = plan(primary(), KMSKeySpec(multi_region=True, replicas=(own,)))
    (made,) = planned.due
    assert isinstance(made, ReplicateKey)
    assert (made.key, made.region, made.description, made.policy) == (arn(), EU, "Europe", '{"Id": "eu"}')
    assert made.tags == {"team": "eu", **OWNER_TAGS}
    assert planned.records == (record(creation_attempt=made.attempt, managed_tag_keys=("team",)),)
    assert planned.is_news


def test_an_attempt_whose_grace_is_over_is_followed_by_another_one() -> None:
    (made,) = plan(primary(), SPEC, record(creation_attempt=attempt(timedelta(hours=1)))).due
    assert isinstance(made, ReplicateKey)
    assert made.attempt.count == 2


@pytest.mark.parametrize("state", ["Disabled", "Creating", "Updating", "Unavailable", "PendingImport"])
def test_only_an_enabled_key_is_replicated(state: str) -> None:
    planned = plan(primary(state))
    assert (planned.due, planned.needs_enabled_key) == ((), False)
    assert planned.problem is not None
    assert state in planned.problem.message


def test_nothing_is_replicated_from_a_key_that_is_a_replica_itself() -> None:
    planned = plan(replace(primary(), multi_region_key_type="REPLICA"))
    assert planned.due == ()
    assert planned.problem is not None


@pytest.mark.parametrize(
    ("kind", "kept"), [(FailureKind.UNKNOWN_RESULT, True), (FailureKind.RETRY, False), (FailureKind.STALLED, False)]
)
def test_an_attempt_is_forgotten_when_it_is_known_that_it_came_to_nothing(kind: FailureKind, kept: bool) -> None:
    known = record(creation_attempt=attempt(timedelta()))
    (left,) = plan(primary(eu=failure(kind, "ReplicateKey")), SPEC, known).records
    assert (left.creation_attempt is not None) is kept


@pytest.mark.parametrize(
    ("policy", "seen", "due"),
    [
        (DeletionPolicy.RETAIN, replica(), ForgetReplica),
        (DeletionPolicy.DISABLE_KEY, replica(), DisableKey),
        (DeletionPolicy.DISABLE_KEY, replica("Disabled"), DisableKey),  # a late read may show what is no more
        (DeletionPolicy.DISABLE_KEY, replica("Disabled", state_is_answered=True), ForgetReplica),
        (DeletionPolicy.DELETE, replica(aliases={"alias/a": THERE}), DeleteAlias),
        (DeletionPolicy.DELETE, replica(), ScheduleKeyDeletion),
        (DeletionPolicy.DELETE, replica("PendingDeletion"), ScheduleKeyDeletion),
        (DeletionPolicy.DELETE, replica("PendingDeletion", state_is_answered=True), ForgetReplica),
    ],
)
def test_a_replica_that_left_the_spec_goes_as_the_deletion_policy_says(
    policy: DeletionPolicy, seen: ObservedKey, due: type[Action]
) -> None:
    spec = KMSKeySpec(multi_region=True, replicas=(), deletion_policy=policy)
    planned = plan(primary(eu=seen), spec, record(managed=True, aliases=("alias/a",)))
    assert isinstance(planned.due[0], due)
    assert [one.managed for one in planned.records] == [due is not ForgetReplica]


@pytest.mark.parametrize(
    ("seen", "known"),
    [
        (replica(), record()),  # ours by its tags, and nobody remembers that it was kept
        (replica(), record(managed=False)),
        (replica(tags=ANOTHER), KEPT),
        (replica(tags=ANOTHER), record()),
        (DENIED, record()),
    ],
)
def test_a_replica_that_nobody_asks_for_is_shown_and_holds_up_nothing(seen: Any, known: ReplicaStatus) -> None:
    planned = plan(primary(eu=seen), KMSKeySpec(multi_region=True), known)
    assert (planned.due, planned.problem) == ((), None)
    (shown,) = planned.records
    assert not shown.managed
    assert shown.message


@pytest.mark.parametrize(
    ("tags", "remembers"),
    [({**OWNER_TAGS, "team": "shop"}, True), (DENIED, True), ({**ANOTHER, "team": "shop"}, False)],
    ids=["ours", "not to be seen", "another's"],
)
def test_what_we_put_on_a_replica_is_remembered_after_it_was_let_go_of(tags: Any, remembers: bool) -> None:
    left = KMSKeySpec(multi_region=True, deletion_policy=DeletionPolicy.RETAIN)
    (let_go,) = plan(primary(eu=replica()), left, record(managed=True, managed_tag_keys=("team",), aliases=("alias/a",))).records
    assert not let_go.managed
    seen = replica(tags=tags, aliases={"alias/a": THERE})
    (shown,) = plan(primary(eu=seen), left, let_go).records
    assert (shown.managed_tag_keys, shown.aliases) == ((("team",), ("alias/a",)) if remembers else ((), ()))
    back = plan(primary(eu=seen), SPEC, shown)
    undone = {UntagResource(THERE, ("team",)), DeleteAlias(THERE, "alias/a")}
    assert (undone <= set(back.due)) is (tags is not DENIED and remembers)


def test_a_replica_that_is_gone_and_not_wanted_is_forgotten() -> None:
    assert plan(primary(eu=Missing(KEY_ID)), KMSKeySpec(multi_region=True), KEPT).records == ()


def test_an_alias_of_a_replica_is_written_down_before_it_is_made() -> None:
    spec = KMSKeySpec(multi_region=True, replicas=(ReplicaSpec(region=EU, aliases=("a",)),))
    planned = plan(primary(eu=replica(aliases={})), spec, KEPT)
    assert planned.due == (CreateAlias(THERE, "alias/a"),)
    assert planned.records[0].aliases == ("alias/a",)
    assert planned.is_news
