"""An identity of an emulated AWS that has what `infra-operator iam-policy` prints, and nothing else. Needs an emulator that asks IAM."""

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from reconcilers.iam import Feature
from tests.cluster.emulator import ACCOUNT_ID, REPOSITORY

USER = "infra-operator"


def printed_policy(cluster_id: str, features: Iterable[Feature] = tuple(Feature)) -> dict[str, Any]:
    """What the command prints."""
    words = [word for feature in features for word in ("--feature", feature.value)]
    command = [sys.executable, "-m", "controller", "iam-policy", "--cluster-id", cluster_id, "--account-id", ACCOUNT_ID, *words]
    printed = subprocess.run(command, check=True, cwd=REPOSITORY, capture_output=True, text=True)
    policy: dict[str, Any] = json.loads(printed.stdout)
    return policy


# AWS asks about the alias and about its key; ministack asks about "*".
ALIAS_ACTIONS = ("kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias")


def as_ministack_asks(policy: dict[str, Any]) -> dict[str, Any]:
    """The policy with two statements more, without which ministack would not let the operator touch an alias, or see that there is none.

    AWS asks about the key to which an alias leads, and says NotFound where it leads nowhere; ministack asks about the alias itself.
    """
    touch = {"Effect": "Allow", "Action": list(ALIAS_ACTIONS), "Resource": "*"}
    follow = {"Effect": "Allow", "Action": ["kms:DescribeKey"], "Resource": "arn:aws:kms:*:*:alias/*"}
    return {**policy, "Statement": [*policy["Statement"], touch, follow]}


def least_user(iam: Any, policy: dict[str, Any]) -> dict[str, str]:
    """The credentials of a new user with this policy."""
    iam.create_user(UserName=USER)
    allow(iam, policy)
    made = iam.create_access_key(UserName=USER)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}


def allow(iam: Any, policy: dict[str, Any]) -> None:
    """Gives the user another policy in the place of the one it had."""
    iam.put_user_policy(UserName=USER, PolicyName="least", PolicyDocument=json.dumps(policy))


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """The policy with one action less, wherever it stands."""
    fewer = [{**one, "Action": [name for name in one["Action"] if name != action]} for one in policy["Statement"]]
    return {**policy, "Statement": [one for one in fewer if one["Action"]]}
