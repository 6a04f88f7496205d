"""How an object comes to its key: a new one, one of an unanswered attempt, or none while it is not certain."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.actions import AddFinalizer, CreateKey, Plan, RecordKey
from reconcilers.failures import plan_after
from reconcilers.key_spec import KMSKeySpec
from reconcilers.kmskey import plan_kmskey
from reconcilers.reasons import Reason
from reconcilers.states import Account, Candidates, Failure, FailureKind, KeyObject, NotCreated, Seen, Unobservable
from tests.reconcilers.builders import (
    ACCOUNT_ID,
    DENIED,
    KEY_ID,
    NOW,
    OTHER_KEY_ID,
    OWNER_TAGS,
    UID,
    account,
    attempted,
    foreign,
    key,
    observed,
    operator,
)
from tests.reconcilers.verdicts import message, stalled, told, working

MINUTE = timedelta(minutes=1)
LATE = Unobservable(Reason.PROVIDER_NOT_READY, "The AWSProvider production is not ready: see its conditions.")


def plan(wish: KeyObject, seen: Seen, where: Account | Unobservable | None = None) -> Plan:
    return plan_kmskey(wish, where or account(), seen, operator(), NOW)


class TestCreation:
    def test_an_empty_spec_asks_for_kms_defaults(self) -> None:
        create = creation(plan(key(), NotCreated()))
        assert (create.key_spec, create.key_usage, create.multi_region) == ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", False)
        assert (create.description, create.policy, create.bypass_policy_lockout_safety_check) == ("", None, False)
        assert create.tags == OWNER_TAGS

    def test_a_full_spec_reaches_the_call(self) -> None:
        policy = (
            '{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::${AWS_ACCOUNT_ID}:root"},"Action":"*","Resource":"*"}}'
        )
        spec = KMSKeySpec(
            description="Orders",
            key_usage="SIGN_VERIFY",
            customer_master_key_spec="RSA_2048",
            multi_region=True,
            key_policy=policy,
            bypass_policy_lockout_safety_check=True,
            tags={"team": "shop"},
        )
        bold = operator(allow_policy_lockout_bypass=True)
        create = creation(plan_kmskey(key(spec), account({"env": "test", "team": "all"}), NotCreated(), bold, NOW))
        assert (create.key_spec, create.key_usage, create.multi_region) == ("RSA_2048", "SIGN_VERIFY", True)
        assert create.description == "Orders"
        assert create.policy == policy.replace("${AWS_ACCOUNT_ID}", ACCOUNT_ID)
        assert create.bypass_policy_lockout_safety_check
        assert create.tags == {"env": "test", "team": "shop", **OWNER_TAGS}

    def test_the_attempt_and_the_tags_are_written_down_before_the_call(self) -> None:
        made = plan(key(KMSKeySpec(tags={"team": "shop"})), NotCreated())
        assert made.write_ahead
        assert made.status.creation_attempt == creation(made).attempt
        assert made.status.managed_tag_keys == ("team",)
        assert told(made) == working(Reason.CREATING)

    def test_the_finalizer_comes_before_the_key(self) -> None:
        assert [type(action) for action in plan(key(finalizers=()), NotCreated()).actions] == [AddFinalizer, CreateKey]
        assert [type(action) for action in plan(key(), NotCreated()).actions] == [CreateKey]

    def test_attempts_are_counted(self) -> None:
        again = creation(plan(key(status=attempted(6 * MINUTE, count=3)), Candidates((), thorough=True)))
        assert (again.attempt.id, again.attempt.count, again.attempt.time) == (f"{UID}.4", 4, NOW)


def creation(made: Plan) -> CreateKey:
    (create,) = (action for action in made.actions if isinstance(action, CreateKey))
    return create


class TestSearch:
    """No id is remembered, and the object has been touched before."""

    @pytest.mark.parametrize("age", [timedelta(), MINUTE, 60 * MINUTE])
    def test_the_one_key_with_our_tags_is_taken_over(self, age: timedelta) -> None:
        made = plan(key(status=attempted(age)), Candidates((observed(), foreign()), thorough=False))
        assert made.actions == (RecordKey(observed()),)
        assert told(made) == working(Reason.CREATING)
        assert KEY_ID in message(made)

    @pytest.mark.parametrize(
        ("age", "thorough"), [(timedelta(), True), (timedelta(), False), (MINUTE * 4.99, True), (MINUTE * 4.99, False)]
    )
    def test_no_second_key_is_made_before_the_grace_is_over(
        self, age: timedelta, *, thorough: bool
    ) -> None:
        made = plan(key(status=attempted(age)), Candidates((), thorough))
        assert made.actions == ()
        assert told(made) == working(Reason.CREATION_UNKNOWN)
        assert made.status.creation_attempt == attempted(age).creation_attempt
        assert made.look_again is not None

    def test_a_search_that_may_not_look_everywhere_asks_for_the_permission(self) -> None:
        """The grace is over, and listing the keys is still denied: without help this never ends."""
        made = plan(key(status=attempted(60 * MINUTE)), Candidates((), thorough=False))
        assert (made.actions, made.look_again) == ((), 5 * MINUTE)
        assert told(made) == stalled(Reason.CREATION_UNKNOWN)
        assert "kms:ListKeys" in message(made)

    def test_the_grace_being_over_and_nothing_found_a_new_attempt_is_made(self) -> None:
        assert creation(plan(key(status=attempted(5 * MINUTE)), Candidates((), thorough=True))).attempt.count == 2

    def test_without_an_attempt_too_every_key_is_looked_at_before_one_is_made(self) -> None:
        """A status can get lost; the tag index does not know a key of a minute ago."""
        assert creation(plan(key(), Candidates((), thorough=True)))
        assert plan(key(), Candidates((), thorough=False)).actions == ()

    def test_a_found_key_whose_tags_cannot_be_read_keeps_a_second_one_from_being_made(self) -> None:
        made = plan(key(status=attempted(6 * MINUTE)), Candidates((observed(tags=DENIED),), thorough=True))
        assert made.actions == ()

    def test_between_two_keys_nobody_guesses(self) -> None:
        two = Candidates((observed(), observed(key_id=OTHER_KEY_ID)), thorough=True)
        made = plan(key(status=attempted(MINUTE)), two)
        assert made.actions == ()
        assert told(made) == stalled(Reason.AMBIGUOUS_KEY)
        assert f"{KEY_ID}, {OTHER_KEY_ID}" in message(made)

    def test_a_found_key_of_another_spec_is_not_taken_over(self) -> None:
        made = plan(key(status=attempted(MINUTE)), Candidates((replace(observed(), key_spec="RSA_2048"),), thorough=True))
        assert made.actions == ()
        assert told(made) == stalled(Reason.IMMUTABLE_FIELD_CONFLICT)

    @pytest.mark.parametrize("kind", [FailureKind.RETRY, FailureKind.WAIT_FOR_CAUSE])
    def test_a_refused_creation_made_nothing_so_the_next_one_needs_no_look_at_every_key(self, kind: FailureKind) -> None:
        """Else whoever may not list keys would get no key at all after a single throttled call."""
        refused = Failure(kind, "CreateKey", "ThrottlingException", "Rate exceeded")
        status = plan_after(refused, key(status=attempted(timedelta())), operator(), NOW).status
        assert creation(plan(key(status=status), Candidates((), thorough=False)))
