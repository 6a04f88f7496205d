from dataclasses import replace

import pytest

from reconcilers.actions import PutKeyPolicy, UpdateKeyDescription
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.reasons import Reason
from reconcilers.refusals import put_refusal, refusal
from reconcilers.states import Account, KeyObject, Operator, Problem
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import KEY_ID, account, arn, key, operator, remembered

GOOD_POLICY = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}'
DENIES_ALL = GOOD_POLICY.replace("Allow", "Deny")
BYPASS = KMSKeySpec(bypass_policy_lockout_safety_check=True)
BOLD = operator(allow_policy_lockout_bypass=True)


def tags(count: int, prefix: str = "own") -> dict[str, str]:
    return {f"{prefix}-{number}": "x" for number in range(count)}


def refused(wish: KeyObject, where: Account | None = None, by: Operator | None = None) -> Problem | None:
    where, by = where or account(), by or operator()
    return refusal(wish, where, wanted_key(wish, where, by), by)


@pytest.mark.parametrize(
    ("wish", "where", "by"),
    [
        (key(), account(), operator()),
        (key(status=remembered()), account(), operator()),
        (key(status=KMSKeyStatus()), account(region="eu-west-1"), operator()),
        (key(status=KMSKeyStatus(key_id=KEY_ID)), account(), operator()),
        (key(KMSKeySpec(key_policy=GOOD_POLICY)), account(), operator()),
        (key(KMSKeySpec(bypass_policy_lockout_safety_check=False)), account(), operator()),
        (key(BYPASS), account(), BOLD),
        (key(BYPASS.model_copy(update={"key_policy": DENIES_ALL})), account(), BOLD),
        (key(KMSKeySpec(tags=tags(47))), account(), operator()),
        (key(KMSKeySpec(tags=tags(40))), account(tags(7, "default")), operator()),
        (key(KMSKeySpec(tags=tags(47))), account(tags(47)), operator()),
    ],
)
def test_nothing_speaks_against_a_good_spec(wish: KeyObject, where: Account, by: Operator) -> None:
    assert refused(wish, where, by) is None


@pytest.mark.parametrize(
    ("wish", "where", "reason", "words"),
    [
        (
            key(status=remembered()),
            account(account_id="999999999999"),
            Reason.IMMUTABLE_FIELD_CONFLICT,
            "made in account 123456789012, region us-east-1, but the provider now leads to account 999999999999",
        ),
        (key(status=remembered()), account(region="eu-west-1"), Reason.IMMUTABLE_FIELD_CONFLICT, "region eu-west-1"),
        (key(BYPASS), account(), Reason.BYPASS_NOT_ALLOWED, "--allow-policy-lockout-bypass"),
        (key(KMSKeySpec(key_policy="[]")), account(), Reason.INVALID_POLICY, "a JSON object with a Statement"),
        (key(KMSKeySpec(key_policy="{x")), account(), Reason.INVALID_POLICY, "it is not JSON"),
        (key(KMSKeySpec(key_policy=DENIES_ALL)), account(), Reason.POLICY_LOCKOUT, "deny it to neither"),
        (key(KMSKeySpec(key_policy="\u00e9" * 65_537)), account(), Reason.POLICY_TOO_LARGE, "has 131074 bytes"),
        (key(KMSKeySpec(tags=tags(47))), account(tags(1, "default")), Reason.TOO_MANY_TAGS, "would have 51 tags"),
        (key(BYPASS.model_copy(update={"key_policy": "[]"})), account(), Reason.BYPASS_NOT_ALLOWED, "remove it"),
    ],
)
def test_what_cannot_be_right_is_refused_with_the_way_out(wish: KeyObject, where: Account, reason: Reason, words: str) -> None:
    problem = refused(wish, where)
    assert problem is not None
    assert (problem.reason, problem.stalled) == (reason, True)
    assert words in problem.message


def test_a_policy_is_judged_after_its_placeholder_is_filled_in() -> None:
    assert refused(key(KMSKeySpec(key_policy=GOOD_POLICY.replace('"*"}', '"${AWS_ACCOUNT_ID}"}')))) is None


def test_open_policies_are_refused_only_by_an_operator_that_is_told_to() -> None:
    strict = replace(operator(), refuse_open_policies=True)
    problem = refused(key(KMSKeySpec(key_policy=GOOD_POLICY)), by=strict)
    assert problem is not None
    assert (problem.reason, problem.stalled) == (Reason.POLICY_TOO_OPEN, True)
    assert "statement 1 lets in everybody" in problem.message
    closed = GOOD_POLICY.replace('"Principal": "*"', '"Principal": {"AWS": "${AWS_ACCOUNT_ID}"}')
    assert refused(key(KMSKeySpec(key_policy=closed)), by=strict) is None


@pytest.mark.parametrize(
    ("policy", "bypass", "is_sent", "refused"),
    [("Others", False, True, True), ("Others", False, False, False), ("Others", True, True, False), ("Ours", False, True, False)],
)
def test_a_living_keys_policy_is_not_given_up_for_one_that_leaves_us_out(policy: str, *, bypass: bool, is_sent: bool, refused: bool) -> None:
    role = {"Others": "arn:aws:iam::123456789012:role/others", "Ours": "arn:aws:iam::123456789012:role/keys"}[policy]
    text = GOOD_POLICY.replace('"Principal": "*"', f'"Principal": {{"AWS": "{role}"}}')
    where = replace(account(), caller_arn="arn:aws:sts::123456789012:assumed-role/keys/session")
    wish = wanted_key(key(KMSKeySpec(key_policy=text, bypass_policy_lockout_safety_check=bypass)), where, operator())
    put = PutKeyPolicy(arn(), text, bypass_policy_lockout_safety_check=bypass)
    problem = put_refusal(wish, (put,) if is_sent else (UpdateKeyDescription(arn(), "x"),))
    assert (problem is not None and problem.reason is Reason.POLICY_LOCKOUT) is refused
