"""Whether a key policy would shut the operator out: said only where it is certain, because KMS judges too, and knows more.

Rules:
1. A statement without condition that denies kms:PutKeyPolicy to everybody, or to us by name, shuts us out for certain: no other statement
   can undo it, and nobody but AWS Support could put it right. It is not sent at all.
2. A policy that allows it to others only is sent when the key is made: KMS refuses it, or somebody knows better. On a key that lives it is
   not sent: the policy that it has works, and would be lost on a backend that does not look.
3. What a condition or NotPrincipal does is not judged: neither is certain.

Who we are in a policy: the role behind our session, with whatever path; our user; our account, which leaves it to IAM.

Sources: "Determining whether a request is allowed or denied within an account"; "Default key policy", on the lockout safety check of KMS.
"""

import re
from collections.abc import Iterator

from reconcilers.policies import Json, many, parse, statements

_OPERATION = "kms:putkeypolicy"
_ROOT_OR_ID = re.compile(r"^(arn:[^:]+:iam::)?([0-9]{12})(:root)?$")
_SESSION = re.compile(r"^arn:(?P<partition>[^:]+):sts::(?P<account>[0-9]{12}):assumed-role/(?P<role>[^/]+)/")
_NAMED = re.compile(r"^arn:[^:]+:iam::[0-9]{12}:(role|user)/")


def denies_us(policy: str, caller_arn: str) -> bool:
    """Whether a statement takes away the right to change the policy, for certain. caller_arn: ours, as STS tells it; may be unknown."""
    return any(
        "*" in many(statement.get("Resource")) and any(name == "*" or _names_us(name, caller_arn) for name in _aws_names(statement))
        for statement in _about_policies(policy)
        if statement["Effect"] == "Deny" and "Condition" not in statement
    )


def leaves_us_out(policy: str, account_id: str, caller_arn: str) -> bool:
    """Whether no statement can give us the right to change the policy, for certain."""
    admits_us = any(
        "Principal" not in statement or any(_may_mean_us(name, account_id, caller_arn) for name in _aws_names(statement))
        for statement in _about_policies(policy)
        if statement["Effect"] == "Allow"
    )
    return bool(caller_arn) and not admits_us


def _about_policies(policy: str) -> Iterator[dict[str, Json]]:
    return (statement for statement in statements(parse(policy)) if _covers_operation(statement))


def _covers_operation(statement: dict[str, Json]) -> bool:
    if "Action" in statement:
        return any(_matches(action) for action in many(statement["Action"]))
    return not any(_matches(action) for action in many(statement["NotAction"]))


def _matches(action: Json) -> bool:
    pattern = re.escape(str(action).lower()).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, _OPERATION) is not None


def _aws_names(statement: dict[str, Json]) -> list[str]:
    principal = statement.get("Principal", [])
    return [str(name) for name in many(principal.get("AWS", []) if isinstance(principal, dict) else principal)]


def _names_us(name: str, caller_arn: str) -> bool:
    """Exactly us: the caller itself, or the role whose session it is."""
    session = _SESSION.match(caller_arn)
    if session is None:
        return bool(caller_arn) and name == caller_arn
    role = rf"arn:{session['partition']}:iam::{session['account']}:role/(.+/)?{re.escape(session['role'])}"
    return name == caller_arn or re.fullmatch(role, name) is not None


def _may_mean_us(name: str, account_id: str, caller_arn: str) -> bool:
    """Anything but another account, and a role or user of ours that we are not."""
    if account := _ROOT_OR_ID.match(name):
        return account[2] == account_id
    return _names_us(name, caller_arn) or not _NAMED.match(name)
