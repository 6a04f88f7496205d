"""What is said about policies, and remembered of them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import PolicyStatus
from reconcilers.policies import digest
from reconcilers.policy_findings import LARGE_BYTES, LONGEST_FINDING, MOST_FINDINGS, findings, policy_news, policy_status
from reconcilers.states import Wanted
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import ACCOUNT_ID, DENIED, account, key, observed, operator
from tests.reconcilers.test_policy_forms import APP, ID, JOB, policy, use

FOREIGN = "9" * 12


def wanted(text: str | None) -> Wanted:
    return wanted_key(key(KMSKeySpec(key_policy=text)), account(), operator())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (policy(use(APP)), []),
        (policy(use("*")), ["PolicyTooOpen: statement 2 lets in everybody"]),
        (policy(use(Principal="*")), ["PolicyTooOpen: statement 2 lets in everybody"]),
        (policy(use("*", Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT_ID}})), []),
        (policy(use("*", Effect="Deny")), []),
        (policy(use(NotPrincipal={"AWS": APP}, Principal=None)), ["PolicyTooOpen: statement 2 lets in everybody but"]),
        (policy(use(FOREIGN, f"arn:aws:iam::{FOREIGN}:role/x")), [f"PolicyTooOpen: statement 2 lets in another account: {FOREIGN}"]),
        (policy(use(f"arn:aws:sts::{FOREIGN}:assumed-role/x/y")), ["PolicyTooOpen: statement 2 lets in another account"]),
        (policy(use(Principal={"Service": "s3.amazonaws.com"})), []),
        (policy(use(ID)), []),
        (policy(use("arn:aws:iam::ACCOUNT_ID:role/x")), ["AccountIdLiteral: "]),
        (policy(use("arn:aws:iam::MY_ACCOUNT_ID_2:role/x")), []),
        (policy(Version="2008-10-17"), ["PolicyVersion: it has Version 2008-10-17"]),
        (json.dumps({"Statement": json.loads(policy())["Statement"]}), ["PolicyVersion: it has no Version"]),
        (policy(use(APP, Sid="x" * LARGE_BYTES)), ["PolicyLarge: it has "]),
        (policy(use("*"), use(FOREIGN, Sid="B")), ["PolicyTooOpen: statement 2", "PolicyTooOpen: statement 3"]),
    ],
)
def test_what_is_worth_saying_is_said(text: str, words: list[str]) -> None:
    found = findings(text, ACCOUNT_ID)
    assert len(found) == len(words)
    assert all(finding.startswith(begin) for finding, begin in zip(found, words, strict=True))


def test_a_status_holds_a_few_short_findings() -> None:
    foreign = [f"{number:012}" for number in range(100)]
    status = policy_status(None, wanted(policy(*(use(*foreign, Sid=str(number)) for number in range(40)))), None)
    assert status is not None
    assert len(status.findings) == MOST_FINDINGS
    assert max(map(len, status.findings)) == LONGEST_FINDING


WANTED, SHOWN = policy(use(APP)), policy(use(ID))


@pytest.mark.parametrize(
    ("before", "seen", "hashes"),
    [
        ((None, None), None, (None, None)),
        ((None, None), observed(policy=WANTED), (WANTED, WANTED)),
        ((None, None), observed(policy=SHOWN), (None, None)),
        ((WANTED, WANTED), observed(policy=SHOWN), (WANTED, WANTED)),
        ((WANTED, WANTED), observed(policy=DENIED), (WANTED, WANTED)),
        ((WANTED, SHOWN), observed(policy=SHOWN), (WANTED, SHOWN)),
        ((WANTED, SHOWN), observed(policy=WANTED), (WANTED, SHOWN)),
        ((SHOWN, SHOWN), observed(policy=WANTED), (WANTED, WANTED)),
    ],
)
def test_what_was_put_and_what_is_shown_for_it_are_remembered(
    before: tuple[str | None, str | None], seen: Any, hashes: tuple[str | None, str | None]
) -> None:
    applied, observed_before = (digest(text) if text else None for text in before)
    status = policy_status(PolicyStatus(applied_hash=applied, observed_hash=observed_before), wanted(WANTED), seen)
    assert status is not None
    assert (status.applied_hash, status.observed_hash) == tuple(digest(text) if text else None for text in hashes)


def test_what_a_put_has_replaced_is_its_form_if_it_shows_ids() -> None:
    for replaced, observed_hash in ((SHOWN, digest(SHOWN)), (policy(use(JOB)), digest(WANTED))):
        status = policy_status(None, wanted(WANTED), replace(observed(policy=WANTED), replaced_policy=replaced))
        assert status is not None
        assert status.observed_hash == observed_hash


def test_principals_that_are_gone_are_named() -> None:
    status = policy_status(None, wanted(WANTED), observed(policy=SHOWN))
    assert status is not None
    assert status.findings == (f"PrincipalGone: KMS shows an id in place of {APP}, which was deleted",)


def test_nothing_is_told_of_a_policy_that_is_not_managed() -> None:
    assert policy_status(PolicyStatus(applied_hash="x"), wanted(None), observed(policy=SHOWN)) is None


OPEN = policy_status(None, wanted(policy(use("*"))), None)


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [(None, None, False), (None, OPEN, True), (OPEN, OPEN, False), (OPEN, None, False), (None, PolicyStatus(findings=("X: y",)), False)],
)
def test_only_a_policy_that_is_newly_open_is_news(before: PolicyStatus | None, after: PolicyStatus | None, *, is_told: bool) -> None:
    assert (policy_news(before, after) is not None) is is_told
