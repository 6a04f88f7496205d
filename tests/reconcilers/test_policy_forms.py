"""Another form of the same policy, told apart from another policy."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import PolicyStatus
from reconcilers.policies import digest
from reconcilers.policy_forms import gone_principals, policy_agrees
from reconcilers.wanted import wanted_key
from tests.reconcilers.builders import DENIED, account, key, observed, operator
from tests.reconcilers.test_policies import policies, shuffled

ROOT = "arn:aws:iam::123456789012:root"
APP, JOB = "arn:aws:iam::123456789012:role/app", "arn:aws:iam::123456789012:user/job"
ID, OTHER_ID = "AROAEXAMPLEEXAMPLE1", "AIDAEXAMPLEEXAMPLE2"


def use(*principals: str, **changes: Any) -> dict[str, Any]:
    statement = {"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "kms:Decrypt", "Resource": "*"}
    return {name: value for name, value in (statement | changes).items() if value is not None}


def policy(*statements: dict[str, Any], **more: Any) -> str:
    admin = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [admin, *statements], **more})


@pytest.mark.parametrize(
    ("wanted", "shown", "gone"),
    [
        (policy(use(APP)), policy(use(ID)), (APP,)),
        (policy(use(APP, JOB)), policy(use(JOB, ID)), (APP,)),
        (policy(use(APP, JOB)), policy(use(OTHER_ID, ID)), (APP, JOB)),
        (policy(use(APP, Sid=None), use(JOB, Sid=None)), policy(use(ID, Sid=None), use(JOB, Sid=None)), (APP,)),
        (policy(use(APP, Condition={"Bool": {"a": True}})), policy(use(ID, Condition={"Bool": {"a": ["true"]}})), (APP,)),
        (policy(use(APP)), policy(use(APP)), ()),
        (policy(use(APP)), policy(use(JOB)), ()),
        (policy(use(APP)), policy(use(APP, ID)), ()),
        (policy(use(APP, JOB)), policy(use(ID)), ()),
        (policy(use(APP)), policy(use(ID, Action="kms:*")), ()),
        (policy(use(APP)), policy(use(ID, Effect="Deny")), ()),
        (policy(use(APP)), policy(use(ID), use(JOB, Sid="B")), ()),
        (policy(use(APP)), policy(use(ID), Id="x"), ()),
        (policy(use(APP)), policy(use(ID), Version="2008-10-17"), ()),
        (policy(use(APP, NotPrincipal={"AWS": APP}, Principal=None)), policy(use(ID, NotPrincipal={"AWS": ID}, Principal=None)), ()),
        (policy(use(Principal={"Service": "a"})), policy(use(Principal={"Service": ID})), ()),
        (policy(use("*")), policy(use("*")), ()),
        (policy(use(APP)), "no policy", ()),
    ],
)
def test_ids_in_place_of_principals_are_the_only_other_form(wanted: str, shown: str, gone: tuple[str, ...]) -> None:
    assert gone_principals(wanted, shown, "aws") == gone


WANTED, SHOWN = policy(use(APP)), policy(use(ID))
WISH = wanted_key(key(KMSKeySpec(key_policy=WANTED)), account(), operator())
KNOWN = PolicyStatus(applied_hash=digest(WANTED), observed_hash=digest(SHOWN))


@pytest.mark.parametrize(
    ("shown", "memory", "agrees"),
    [
        (WANTED, None, True),
        (SHOWN, None, False),
        (SHOWN, KNOWN, True),
        (WANTED, KNOWN, True),
        (policy(use(OTHER_ID)), KNOWN, False),
        (policy(use(JOB)), KNOWN, False),
        (policy(use(JOB)), PolicyStatus(applied_hash=digest(WANTED), observed_hash=digest(policy(use(JOB)))), False),
        (SHOWN, PolicyStatus(applied_hash=digest(policy(use(JOB))), observed_hash=digest(SHOWN)), False),
        (DENIED, None, True),
    ],
)
def test_a_form_counts_once_it_is_known_and_only_for_its_policy(shown: Any, memory: PolicyStatus | None, *, agrees: bool) -> None:
    assert policy_agrees(WISH, observed(policy=shown), memory) is agrees


@given(policies, st.randoms(use_true_random=False))
def test_a_shuffled_policy_lost_no_principal_and_has_the_same_digest(made: dict[str, Any], dice: Any) -> None:
    one, other = json.dumps(made), json.dumps(shuffled(made, dice))
    assert gone_principals(one, other, "aws") == ()
    assert digest(one) == digest(other)
