"""Policies that shut the operator out for certain, and those of which only KMS can say."""

import json
from typing import Any

import pytest

from reconcilers.lockout import denies_us, leaves_us_out

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/keys/infra-operator"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/keys"
USER = f"arn:aws:iam::{ACCOUNT}:user/keys"
OTHER = f"arn:aws:iam::{ACCOUNT}:role/app"


def statement(effect: str, principal: Any, action: Any = "kms:*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **more}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{k: v for k, v in one.items() if v is not None} for one in statements]})


ADMIN = statement("Allow", {"AWS": ROOT})


@pytest.mark.parametrize(
    ("deny", "caller"),
    [
        (statement("Deny", "*"), SESSION),
        (statement("Deny", {"AWS": "*"}, "*"), SESSION),
        (statement("Deny", {"AWS": [OTHER, "*"]}, ["kms:Sign", "KMS:putkeypolicy"]), SESSION),
        (statement("Deny", "*", "kms:Put*"), ""),
        (statement("Deny", "*", "kms:PutKey?olicy"), SESSION),
        (statement("Deny", "*", None, NotAction="kms:Decrypt"), SESSION),
        (statement("Deny", {"AWS": ROLE}), SESSION),
        (statement("Deny", {"AWS": ROLE.replace("role/", "role/a/b/")}), SESSION),
        (statement("Deny", {"AWS": SESSION}), SESSION),
        (statement("Deny", {"AWS": USER}), USER),
    ],
)
def test_a_denial_of_everybody_or_of_us_shuts_us_out(deny: dict[str, Any], caller: str) -> None:
    assert denies_us(policy(ADMIN, deny), caller)


@pytest.mark.parametrize(
    ("deny", "caller"),
    [
        (statement("Allow", "*"), SESSION),
        (statement("Deny", "*", "kms:Decrypt"), SESSION),
        (statement("Deny", "*", None, NotAction="kms:*"), SESSION),
        (statement("Deny", "*", Condition={"Bool": {"aws:SecureTransport": "false"}}), SESSION),
        (statement("Deny", "*", Resource="arn:aws:kms:us-east-1:123456789012:key/other"), SESSION),
        (statement("Deny", {"AWS": OTHER}), SESSION),
        (statement("Deny", {"AWS": ROLE.replace(ACCOUNT, "9" * 12)}), SESSION),
        (statement("Deny", {"AWS": ROLE}), ""),
        (statement("Deny", {"Service": "s3.amazonaws.com"}), SESSION),
        (statement("Deny", None, NotPrincipal={"AWS": OTHER}), SESSION),
    ],
)
def test_any_other_denial_is_left_to_kms(deny: dict[str, Any], caller: str) -> None:
    assert not denies_us(policy(ADMIN, deny), caller)


@pytest.mark.parametrize(
    "allow",
    [
        statement("Allow", {"AWS": OTHER}),
        statement("Allow", {"AWS": [OTHER, "9" * 12, ROOT.replace(ACCOUNT, "9" * 12)]}),
        statement("Allow", {"AWS": ROOT}, "kms:Decrypt"),
        statement("Allow", {"AWS": ROOT}, None, NotAction="kms:*"),
        statement("Allow", {"Service": "s3.amazonaws.com"}),
        statement("Deny", {"AWS": OTHER}),
    ],
)
def test_a_policy_for_others_only_leaves_us_out(allow: dict[str, Any]) -> None:
    assert leaves_us_out(policy(allow), ACCOUNT, SESSION)
    assert not leaves_us_out(policy(allow, ADMIN), ACCOUNT, SESSION)


@pytest.mark.parametrize(
    "allow",
    [
        statement("Allow", "*", Condition={"StringEquals": {"kms:CallerAccount": "1"}}),
        statement("Allow", {"AWS": ACCOUNT}),
        statement("Allow", {"AWS": ROLE}, ["kms:PutKeyPolicy"]),
        statement("Allow", {"AWS": "AROAEXAMPLEEXAMPLE"}),
        statement("Allow", {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/keys/somebody"}),
        statement("Allow", None, NotPrincipal={"AWS": OTHER}),
        statement("Allow", {"AWS": ROOT}, None, NotAction="kms:Decrypt"),
    ],
)
def test_whoever_may_be_us_is_left_to_kms(allow: dict[str, Any]) -> None:
    assert not leaves_us_out(policy(allow), ACCOUNT, SESSION)


def test_nothing_is_certain_while_we_do_not_know_who_we_are() -> None:
    assert not leaves_us_out(policy(statement("Allow", {"AWS": OTHER})), ACCOUNT, "")
