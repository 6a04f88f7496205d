"""What KMS checks in a key policy: size, JSON, statements, principals that exist, and that the caller does not lock itself out.

Conditions are not evaluated: an Allow with one counts as no permission, a Deny with one as no refusal.
"""

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from tests.simulation.kms_errors import limit_exceeded, malformed_policy

MAX_BYTES = 32_768
_CHANGES_POLICY = "kms:putkeypolicy"

Json = Any  # what json.loads returns


def default_policy(account_id: str) -> str:
    """The policy of a key that was made without one."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]})


def check_policy(text: str, caller_arn: str, unknown_principals: frozenset[str], *, bypass: bool) -> None:
    """Raises RefusedError as KMS would."""
    if len(text.encode()) > MAX_BYTES:
        raise limit_exceeded("The key policy is too large")
    statements = _statements(text)
    if any(name in unknown_principals for statement in statements for name in _principals(statement)):
        raise malformed_policy("Policy contains a statement with one or more invalid principals.")
    if not bypass and not _can_change_policy(statements, caller_arn):
        raise malformed_policy("The new key policy will not allow you to update the key policy in the future.")


def _statements(text: str) -> list[dict[str, Json]]:
    try:
        policy = json.loads(text)
    except ValueError:
        raise malformed_policy("Policy contains invalid json") from None
    found = policy.get("Statement", []) if isinstance(policy, dict) else []
    statements = found if isinstance(found, list) else [found]
    if not statements or any(_is_broken(statement) for statement in statements):
        raise malformed_policy("The policy failed legacy parsing")
    return statements


def _is_broken(statement: Json) -> bool:
    return not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny") or not statement.get("Principal")


def _can_change_policy(statements: list[dict[str, Json]], caller_arn: str) -> bool:
    about_caller = [s for s in statements if "Condition" not in s and _covers(s, caller_arn)]
    effects = {statement["Effect"] for statement in about_caller}
    return effects == {"Allow"}


def _covers(statement: dict[str, Json], caller_arn: str) -> bool:
    actions = [str(action).lower() for action in _many(statement.get("Action", []))]
    is_about_policy = any(fnmatchcase(_CHANGES_POLICY, action) for action in actions)
    return is_about_policy and bool(_names_of(caller_arn) & set(_principals(statement)))


def _principals(statement: dict[str, Json]) -> Iterable[str]:
    named = statement["Principal"]
    return [str(name) for name in _many(named.get("AWS", []) if isinstance(named, dict) else named)]


def _names_of(caller_arn: str) -> set[str]:
    """All names under which a policy may mean the caller."""
    account = caller_arn.split(":")[4]
    names = {"*", account, f"arn:aws:iam::{account}:root", caller_arn}
    if ":assumed-role/" in caller_arn:
        names.add(f"arn:aws:iam::{account}:role/{caller_arn.split('/')[1]}")
    return names


def _many(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]
