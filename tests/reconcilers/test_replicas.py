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
    Plan,
    ReplicateKey,
    ScheduleKeyDeletion,
    TagResource,
    UntagResource,
    UpdateKeyDescription,
)
from reconcilers.arns import in_region
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import CreationAttempt, KMSKeyStatus, ReplicaStatus
from reconcilers.kmskey import plan_kmskey
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from reconcilers.reasons import Reason
from reconcilers.replica_fields import ReplicaSpec
from reconcilers.replicas import ReplicasPlan, Scene, held_back, is_ours, not_sent, plan_replicas, replicated, unresolved, unsent
from reconcilers.states import Failure, FailureKind, Missing, ObservedKey, Unobservable
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import (
    DENIED,
    KEY_ID,
    LONG_AGO,
    NOW,
    OWNER_TAGS,
    account,
    arn,
    key,
    observed,
    operator,
    remembered,
)

EU, ASIA = "eu-west-1", "ap-south-1"
THERE = in_region(arn(), EU)
SPEC = KMSKeySpec(multi_region=True, replicas=(ReplicaSpec(region=EU),))
ANOTHER = {CLUSTER_TAG: "x", UID_TAG: "y"}
BEFORE = {**OWNER_TAGS, UID_TAG: "of an earlier object"}


def primary(state: str = "Enabled", **replicas: Any) -> ObservedKey:
    return replace(observed(state), multi_region=True, multi_region_key_type="PRIMARY", replicas=by_region(replicas))


def by_region(named: dict[str, Any]) -> dict[str, Any]:
    return {{"eu": EU, "asia": ASIA}[name]: there for name, there in named.items()}


def replica(state: str = "Enabled", region: str = EU, **fields: Any) -> ObservedKey:
    seen = replace(observed(state, rotation=None), arn=in_region(arn(), region), region=region, multi_region_key_type="REPLICA")
    return replace(seen, **fields)


def record(**fields: Any) -> ReplicaStatus:
    return ReplicaStatus(region=EU, **fields)


def attempt(age: timedelta) -> CreationAttempt:
    return CreationAttempt(id="u.1", time=NOW - age, count=1)


def plan(seen: ObservedKey, spec: KMSKeySpec = SPEC, *records: ReplicaStatus) -> ReplicasPlan:
    wish = key(spec, remembered().model_copy(update={"replicas": records}))
    return plan_replicas(Scene(wish, wanted_key(wish, account(), operator()), seen, operator(), NOW), is_ours=True)


def failure(kind: FailureKind, operation: str, code: str = "Some") -> Unobservable:
    return Unobservable(Reason.AWS_UNAVAILABLE, "no", Failure(kind, operation, code, "no"))


KEPT = record(managed=True, creation_date=LONG_AGO)


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


def test_replicas_are_made_one_at_a_time_and_only_the_next_one_is_written_down() -> None:
    spec = KMSKeySpec(multi_region=True, replicas=(ReplicaSpec(region=EU), ReplicaSpec(region=ASIA)))
    planned = plan(primary(), spec)
    assert [action.region for action in planned.due if isinstance(action, ReplicateKey)] == [ASIA]
    assert [one.region for one in planned.records] == [ASIA]


def test_an_attempt_of_a_plan_that_is_not_carried_out_is_not_written_down() -> None:
    planned = plan(primary())
    status = KMSKeyStatus(key_id="k", replicas=planned.records)
    (kept,) = unsent(Plan(planned.due, status)).replicas
    assert (kept.region, kept.creation_attempt) == (EU, None)
    assert unsent(Plan((), status)) == status


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
    ("seen", "known", "waits"),
    [
        (Missing(KEY_ID), record(), True),
        (Missing(KEY_ID), record(creation_attempt=attempt(timedelta(seconds=9))), True),
        (failure(FailureKind.RETRY, "ReplicateKey"), record(creation_attempt=attempt(timedelta())), True),
        (failure(FailureKind.STALLED, "ReplicateKey"), record(), False),
        (failure(FailureKind.RETRY, "DescribeKey"), record(), False),
        (replica(), KEPT, False),
    ],
)
def test_a_key_is_disabled_after_it_was_replicated_if_that_can_be(seen: Any, known: ReplicaStatus, waits: bool) -> None:
    due = (EnableKey(arn()), DisableKey(arn()))
    assert held_back(due, plan(primary(eu=seen), SPEC, known)) == (due[:1] if waits else due)


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
        (DeletionPolicy.DISABLE_KEY, replica("Disabled"), ForgetReplica),
        (DeletionPolicy.DELETE, replica(aliases={"alias/a": THERE}), DeleteAlias),
        (DeletionPolicy.DELETE, replica(), ScheduleKeyDeletion),
        (DeletionPolicy.DELETE, replica("PendingDeletion"), ForgetReplica),
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


def test_one_region_that_cannot_be_seen_does_not_stop_the_others() -> None:
    spec = KMSKeySpec(multi_region=True, replicas=(ReplicaSpec(region=EU), ReplicaSpec(region=ASIA)))
    planned = plan(primary(eu=DENIED, asia=replica("Disabled", ASIA)), spec, KEPT)
    assert planned.due == (EnableKey(in_region(arn(), ASIA)),)
    assert planned.problem is not None


def test_throttling_alone_is_told_as_throttling() -> None:
    slow = Unobservable(Reason.THROTTLED, "slow", Failure(FailureKind.RETRY, "DescribeKey", "ThrottlingException", "slow"))
    problem = plan(primary(eu=slow), SPEC, KEPT).problem
    assert problem is not None
    assert (problem.reason, problem.stalled) == (Reason.THROTTLED, False)


def test_an_alias_of_a_replica_is_written_down_before_it_is_made() -> None:
    spec = KMSKeySpec(multi_region=True, replicas=(ReplicaSpec(region=EU, aliases=("a",)),))
    planned = plan(primary(eu=replica(aliases={})), spec, KEPT)
    assert planned.due == (CreateAlias(THERE, "alias/a"),)
    assert planned.records[0].aliases == ("alias/a",)
    assert planned.is_news


def test_nothing_is_done_for_a_key_that_is_not_ours() -> None:
    wish = key(SPEC, remembered().model_copy(update={"replicas": (KEPT,)}))
    scene = Scene(wish, wanted_key(wish, account(), operator()), primary(), operator(), NOW)
    assert plan_replicas(scene, is_ours=False) == ReplicasPlan((KEPT,), (KEPT,))


def test_an_answer_makes_the_replica_ours_and_a_fence_forgets_the_attempt() -> None:
    sent = (ReplicaStatus(region=ASIA), record(creation_attempt=attempt(timedelta())))
    (_, stored) = replicated(sent, replica("Creating"), {**OWNER_TAGS, "team": "shop"})
    assert (stored.managed, stored.creation_attempt, stored.arn, stored.managed_tag_keys) == (True, None, THERE, ("team",))
    assert not_sent(sent, EU) == (ReplicaStatus(region=ASIA), record())


@pytest.mark.parametrize(
    ("tags", "managed", "ours"),
    [(OWNER_TAGS, None, True), ({}, True, True), ({}, None, False), (ANOTHER, True, False), ({OWNER_TAG: "shop/orders"}, True, False)],
)
def test_a_replica_is_ours_by_its_tags_or_by_kms_s_answer(tags: dict[str, str], managed: bool | None, ours: bool) -> None:
    seen = replace(replica(), tags=tags)
    assert is_ours(key(), seen, record(managed=managed), operator().cluster_id) is ours


@pytest.mark.parametrize(("age", "open_"), [(timedelta(seconds=1), True), (timedelta(hours=1), False)])
def test_an_attempt_is_open_until_its_grace_is_over(age: timedelta, open_: bool) -> None:
    assert unresolved(record(creation_attempt=attempt(age)), operator(), NOW) is open_
    assert not unresolved(record(), operator(), NOW)


def test_a_key_is_ready_only_with_its_replicas_and_says_which_region_lacks_one() -> None:
    wish = key(SPEC, remembered().model_copy(update={"replicas": (KEPT,)}))
    for there, ready in ((replica(), "True"), (replica("Creating"), "False"), (DENIED, "False")):
        planned = plan_kmskey(wish, account(), primary(eu=there), operator(), NOW)
        conditions = {one.type: one for one in planned.status.conditions}
        assert conditions["Ready"].status == ready
        assert ready == "True" or EU in conditions["Ready"].message


def test_the_status_of_a_key_without_replicas_is_as_it_was() -> None:
    planned = plan_kmskey(key(status=remembered()), account(), observed(), operator(), NOW)
    assert (planned.status.replicas, planned.status.multi_region_key_type) == ((), None)
    assert planned.status == KMSKeyStatus.model_validate(planned.status.model_dump())


def test_the_key_is_looked_at_again_as_soon_as_any_of_what_it_waits_for_may_be_over() -> None:
    spec = SPEC.model_copy(update={"enabled": False, "rotate_on_demand": "new"})  # a disabled key cannot be rotated: five minutes
    status = remembered().model_copy(update={"replicas": (KEPT,), "last_handled_rotate_on_demand": "old"})
    made = plan_kmskey(key(spec, status), account(), primary("Disabled", eu=replica("Creating")), operator(), NOW)
    assert (made.actions, made.look_again) == ((), timedelta(seconds=5))
