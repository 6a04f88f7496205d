from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconcilers.actions import (
    Action,
    DeleteAlias,
    DisableKey,
    Plan,
    RecordKey,
    RemoveFinalizer,
    RevokeGrant,
    ScheduleKeyDeletion,
)
from reconcilers.conditions import find
from reconcilers.deletion import LET_GO, plan_deletion, plan_deletion_unseen
from reconcilers.failures import plan_after
from reconcilers.fields import DeletionPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus, RecordedGrant, ReplicaStatus
from reconcilers.reasons import Reason
from reconcilers.states import (
    Account,
    Candidates,
    Failure,
    FailureKind,
    Grant,
    KeyObject,
    Missing,
    NotCreated,
    Seen,
    Unobservable,
)
from tests.reconcilers.builders import (
    DENIED,
    KEY_ID,
    LONG_AGO,
    NOW,
    OTHER_KEY_ID,
    STATES,
    account,
    answered,
    arn,
    attempted,
    foreign,
    key,
    leading,
    observed,
    operator,
    remembered,
)
from tests.reconcilers.replicas import ANOTHER, EU, KEPT, THERE, failure, primary, replica

SCHEDULE, DELETE, RETAIN, DISABLE, FORCE = DeletionPolicy
MINUTE = timedelta(minutes=1)
ABROAD = account(region="eu-west-1")
NO_PROVIDER = Unobservable(Reason.PROVIDER_NOT_FOUND, "There is no AWSProvider production in the namespace shop.")


def dying(policy: DeletionPolicy | None = None, status: KMSKeyStatus | None = None, window: int | None = None) -> KeyObject:
    """The object with a deletion timestamp; its key was seen before."""
    return key(KMSKeySpec(deletion_policy=policy, pending_window_in_days=window), status or remembered(), deleting=True)


def plan(wish: KeyObject, seen: Seen, where: Account | Unobservable | None = None) -> Plan:
    return plan_deletion(wish, where or account(), seen, operator(), NOW)


def told(made: Plan) -> tuple[str, str]:
    """What keeps the object, and what it says."""
    ready = find("Ready", made.status.conditions)
    assert ready is not None
    assert ready.status == "False"
    return ready.reason, ready.message


def types(made: Plan) -> list[type[Action]]:
    return [type(action) for action in made.actions]


WAIT: list[type[Action]] = []
GO: list[type[Action]] = [RemoveFinalizer]
DUE: list[type[Action]] = [ScheduleKeyDeletion]
OFF: list[type[Action]] = [DisableKey]

OUTCOMES: dict[DeletionPolicy, dict[str, list[type[Action]]]] = {
    policy: {
        "Creating": WAIT,
        "Enabled": DUE,
        "Disabled": DUE,
        "PendingDeletion": DUE,
        "PendingImport": DUE,
        "PendingReplicaDeletion": DUE,
        "Unavailable": DUE,
        "Updating": WAIT,
    }
    for policy in (SCHEDULE, DELETE, FORCE)
}
OUTCOMES[RETAIN] = dict.fromkeys(STATES, GO)
OUTCOMES[DISABLE] = dict.fromkeys(STATES, OFF) | {"Creating": WAIT, "Updating": WAIT}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("policy", DeletionPolicy)
def test_each_policy_does_what_it_says_in_every_state(policy: DeletionPolicy, state: str) -> None:
    assert types(plan(dying(policy), observed(state))) == OUTCOMES[policy][state]


@pytest.mark.parametrize(
    ("policy", "states"),
    [
        (SCHEDULE, ("PendingDeletion", "PendingReplicaDeletion")),
        (FORCE, ("PendingDeletion", "PendingReplicaDeletion")),
        (DISABLE, ("Disabled", "PendingDeletion", "PendingReplicaDeletion", "PendingImport")),
    ],
)
def test_the_object_goes_on_the_word_of_kms_and_not_on_that_of_a_read(policy: DeletionPolicy, states: tuple[str, ...]) -> None:
    for state in states:
        assert types(plan(dying(policy), answered(observed(state)))) == GO
        assert types(plan(dying(policy), observed(state))) != GO


@pytest.mark.holds("I4")
@pytest.mark.parametrize(
    ("policy", "window", "days"),
    [
        (SCHEDULE, None, 30),
        (SCHEDULE, 7, 7),
        (DELETE, None, 30),
        (DELETE, 14, 14),
        (None, 30, 30),
        (FORCE, None, 7),
        (FORCE, 30, 7),
    ],
)
def test_the_window_is_the_spec_s_and_seven_days_for_force(policy: DeletionPolicy | None, window: int | None, days: int) -> None:
    assert plan(dying(policy, window=window), observed()).actions == (ScheduleKeyDeletion(arn(), days),)


@pytest.mark.parametrize("default", DeletionPolicy)
def test_the_operator_s_policy_holds_where_the_spec_has_none(default: DeletionPolicy) -> None:
    made = plan_deletion(dying(), account(), observed(), operator(default), NOW)
    assert types(made) == OUTCOMES[default]["Enabled"]


@pytest.mark.parametrize("seen", [observed(), foreign(), Missing(KEY_ID), DENIED, Candidates((), thorough=False), NotCreated()])
@pytest.mark.parametrize("where", [account(), ABROAD, NO_PROVIDER])
def test_retain_lets_go_without_aws_and_without_a_provider(seen: Seen, where: Account | Unobservable) -> None:
    assert types(plan(dying(RETAIN), seen, where)) == GO
    unseen = plan_deletion_unseen(dying(RETAIN), where, operator(), NOW)
    assert unseen is not None
    assert types(unseen) == GO


@pytest.mark.parametrize("policy", [SCHEDULE, DELETE, FORCE])
@pytest.mark.parametrize("state", ["Enabled", "PendingDeletion", "Disabled"])
def test_aliases_are_freed_before_the_key_goes(policy: DeletionPolicy, state: str) -> None:
    wish = dying(policy, remembered(aliases=("alias/a", "alias/b", "alias/moved")))
    seen = observed(state, aliases=leading("alias/a", "alias/b", "alias/theirs") | leading("alias/moved", key_id=OTHER_KEY_ID))
    made = plan(wish, seen)
    assert made.actions[:2] == (DeleteAlias(arn(), "alias/a"), DeleteAlias(arn(), "alias/b"))
    assert types(made)[2:] == DUE


def test_a_key_that_is_only_disabled_keeps_its_aliases() -> None:
    wish = dying(DISABLE, remembered(aliases=("alias/a",)))
    assert types(plan(wish, observed(aliases=leading("alias/a")))) == [DisableKey]
    assert types(plan(wish, answered(observed("Disabled", aliases=leading("alias/a"))))) == GO


@pytest.mark.parametrize("policy", DeletionPolicy)
@pytest.mark.parametrize("there", [DENIED, {}, {"id-1": Grant("reader", "x", frozenset({"Decrypt"}))}])
def test_only_force_revokes_our_grants_and_needs_no_list_for_it(policy: DeletionPolicy, there: Unobservable | dict[str, Grant]) -> None:
    wish = dying(policy, remembered(grants=(RecordedGrant(name="reader", hash="x", grant_id="id-1"),)))
    made = plan(wish, observed(grants=there))
    revoked = [action for action in made.actions if isinstance(action, RevokeGrant)]
    assert revoked == ([RevokeGrant(arn(), "id-1", "reader")] if policy is FORCE else [])
    assert not revoked or types(made)[-1] is ScheduleKeyDeletion
    again = plan(wish, answered(observed("Disabled" if policy is DISABLE else "PendingDeletion", grants={"id-1": None})))
    assert types(again) == GO


def test_without_our_finalizer_there_is_nothing_to_do() -> None:
    wish = replace(dying(), finalizers=("somebody/else",))
    assert plan(wish, observed()) == Plan((), wish.status)
    assert plan_deletion_unseen(wish, NO_PROVIDER, operator(), NOW) == Plan((), wish.status)


def test_a_reachable_key_is_seen_before_it_is_decided_about() -> None:
    assert plan_deletion_unseen(dying(), account(), operator(), NOW) is None


BLOCKED: list[tuple[Seen, Account | Unobservable, str]] = [
    (observed(), NO_PROVIDER, NO_PROVIDER.message),
    (DENIED, account(), DENIED.message),
    (observed(tags=DENIED), account(), DENIED.message),
    (foreign(), account(), "do not name this object"),
    (Candidates((observed(), observed(key_id=OTHER_KEY_ID)), thorough=True), account(), f"{KEY_ID}, {OTHER_KEY_ID}"),
]


@pytest.mark.parametrize("policy", [SCHEDULE, DELETE, DISABLE, FORCE])
@pytest.mark.parametrize(("seen", "where", "cause"), BLOCKED)
def test_what_stands_in_the_way_is_told_with_the_way_out(
    seen: Seen, where: Account | Unobservable, cause: str, policy: DeletionPolicy
) -> None:
    made = plan(dying(policy), seen, where)
    reason, message = told(made)
    assert (made.actions, made.look_again, reason) == ((), 5 * MINUTE, Reason.DELETION_BLOCKED)
    assert cause in message
    assert message.endswith(LET_GO)


@pytest.mark.parametrize("state", ["Enabled", "PendingDeletion"])
def test_aliases_that_cannot_be_seen_keep_the_object(state: str) -> None:
    reason, words = told(plan(dying(FORCE, remembered(aliases=("alias/a",))), observed(state, aliases=DENIED)))
    assert reason == Reason.DELETION_BLOCKED
    assert DENIED.message in words


@pytest.mark.parametrize("where", [account(account_id="999999999999"), ABROAD])
@pytest.mark.parametrize("seen", [Missing(KEY_ID), observed(), DENIED])
def test_a_provider_that_leads_elsewhere_now_proves_nothing_about_the_key(seen: Seen, where: Account) -> None:
    """There the key is missing, of course; where it was made it lives on, and costs."""
    made = plan(dying(), seen, where)
    assert (made.actions, told(made)[0]) == ((), Reason.DELETION_BLOCKED)
    assert plan_deletion_unseen(dying(), where, operator(), NOW) is not None


class TestKeysThatAreNotRemembered:
    def test_an_object_that_never_had_a_key_goes(self) -> None:
        assert types(plan(dying(status=KMSKeyStatus()), NotCreated())) == GO

    @pytest.mark.parametrize("age", [timedelta(), 10 * MINUTE])
    def test_a_key_of_an_unanswered_attempt_is_taken_over_first(self, age: timedelta) -> None:
        made = plan(dying(status=attempted(age)), Candidates((foreign(), observed()), thorough=False))
        assert made.actions == (RecordKey(observed()),)

    def test_a_key_that_was_only_just_found_is_remembered_before_it_is_touched(self) -> None:
        found = plan(dying(status=attempted(MINUTE)), observed())
        assert (types(found), found.write_ahead, found.status.key_id) == (DUE, True, KEY_ID)
        assert not plan(dying(), observed()).write_ahead

    @pytest.mark.parametrize(
        ("age", "thorough", "expected"),
        [
            (timedelta(), True, WAIT),
            (4 * MINUTE, True, WAIT),
            (4 * MINUTE, False, WAIT),
            (5 * MINUTE, True, GO),
        ],
    )
    def test_the_object_stays_until_an_unanswered_attempt_is_settled(
        self, age: timedelta, expected: list[type[Action]], *, thorough: bool
    ) -> None:
        made = plan(dying(status=attempted(age)), Candidates((), thorough))
        assert types(made) == expected
        assert made.actions or told(made)[0] == Reason.CREATION_UNKNOWN
        assert made.actions or made.look_again is not None

    def test_a_search_that_may_not_look_everywhere_blocks_the_deletion_and_asks_for_the_permission(self) -> None:
        made = plan(dying(status=attempted(60 * MINUTE)), Candidates((), thorough=False))
        reason, message = told(made)
        assert (made.actions, made.look_again, reason) == ((), 5 * MINUTE, Reason.DELETION_BLOCKED)
        assert "kms:ListKeys" in message
        assert message.endswith(LET_GO)

    def test_a_deletion_waits_for_kms_itself_and_says_so(self) -> None:
        made = plan(dying(status=attempted(60 * MINUTE)), Candidates((), thorough=True, unshown=(arn(OTHER_KEY_ID),)))
        reason, message = told(made)
        assert (made.actions, made.look_again, reason) == ((), MINUTE, Reason.CREATION_UNKNOWN)
        assert OTHER_KEY_ID in message
        assert LET_GO not in message

    def test_without_an_attempt_too_every_key_is_looked_at_before_the_object_goes(self) -> None:
        """A status can get lost; the tag index does not know a key of a minute ago."""
        assert types(plan(dying(status=KMSKeyStatus()), Candidates((), thorough=True))) == GO
        assert types(plan(dying(status=KMSKeyStatus()), Candidates((), thorough=False))) == WAIT

    def test_a_refused_creation_made_nothing_so_the_object_goes_without_a_look_at_every_key(self) -> None:
        refused = Failure(FailureKind.WAIT_FOR_CAUSE, "CreateKey", "AccessDeniedException", "Denied")
        status = plan_after(refused, key(status=attempted(timedelta())), operator(), NOW).status
        assert types(plan(dying(status=status), Candidates((), thorough=False))) == GO

    def test_a_found_key_whose_tags_cannot_be_read_keeps_the_object(self) -> None:
        assert types(plan(dying(status=attempted(10 * MINUTE)), Candidates((observed(tags=DENIED),), thorough=True))) == WAIT


class TestKeysThatDoNotShow:
    def test_a_key_that_is_gone_lets_the_object_go(self) -> None:
        assert types(plan(dying(), Missing(KEY_ID))) == GO

    @pytest.mark.parametrize(
        ("left", "reason"),
        [
            (replica(), "DeletionBlocked"),
            (replica("PendingDeletion", aliases={"alias/a": THERE}), None),
            (replica(tags=ANOTHER), None),
            (Missing(KEY_ID), None),
            (DENIED, "DeletionBlocked"),
            (replica("Updating"), "Deleting"),
        ],
    )
    def test_a_key_that_is_gone_and_has_left_its_primary_elsewhere_keeps_the_object(self, left: Any, reason: str | None) -> None:
        records = (ReplicaStatus(region=EU, managed=True, creation_date=LONG_AGO, aliases=("alias/a",)),)
        made = plan(dying(status=remembered().model_copy(update={"replicas": records})), Missing(KEY_ID, {EU: left}))
        assert types(made) == (GO if reason is None else WAIT)
        if reason is not None:
            assert told(made)[0] == reason
            assert EU in told(made)[1]

    def test_a_region_that_cannot_be_seen_for_a_moment_is_no_matter_for_anybody(self) -> None:
        left = failure(FailureKind.RETRY, "DescribeKey")
        made = plan(dying(status=remembered().model_copy(update={"replicas": (KEPT,)})), answered(primary("PendingReplicaDeletion", eu=left)))
        assert (types(made), told(made)[0], made.look_again) == (WAIT, "Deleting", timedelta(seconds=30))
        assert EU in told(made)[1]

    def test_a_key_that_is_gone_is_not_sought_in_a_region_that_never_had_it(self) -> None:
        records = (ReplicaStatus(region=EU, message="not enabled"),)
        wish = dying(status=remembered().model_copy(update={"replicas": records}))
        assert types(plan(wish, Missing(KEY_ID, {EU: DENIED}))) == GO

    @pytest.mark.parametrize("age", [-4 * MINUTE, 4 * MINUTE, 9 * MINUTE])
    def test_a_new_key_may_be_missing_for_a_while_also_where_our_clock_is_ahead(self, age: timedelta) -> None:
        made = plan(dying(status=remembered(creation_date=NOW - age)), Missing(KEY_ID))
        assert (made.actions, told(made)[0], made.look_again) == ((), Reason.DELETING, timedelta(seconds=5))

    def test_a_key_that_is_missing_for_longer_is_gone(self) -> None:
        assert types(plan(dying(status=remembered(creation_date=NOW - 10 * MINUTE)), Missing(KEY_ID))) == GO

    def test_a_new_key_whose_tags_do_not_show_yet_is_waited_for(self) -> None:
        bare = replace(observed(), tags={}, creation_date=NOW - MINUTE)
        made = plan(dying(status=remembered(creation_date=NOW - MINUTE)), bare)
        assert (made.actions, told(made)[0], made.look_again) == ((), Reason.DELETING, timedelta(seconds=5))


def test_work_in_progress_says_so() -> None:
    for state in ("Enabled", "Updating"):
        made = plan(dying(), observed(state))
        assert told(made)[0] == Reason.DELETING
        assert find("Reconciling", made.status.conditions) is not None
        assert made.status.key_state == state
