"""Key policies: is it one at all, and do two of them mean the same?

Rules:
1. `parse` is stricter than JSON readers are: a repeated key, NaN or a lone surrogate would mean one thing here and another in KMS.
2. `same` compares meaning. The order of statements and of values, a scalar or a list of one, an account id or its root ARN, the case of
   actions and of condition keys: all of these are form. KMS stores the text as it was put, but other tools write it too.
3. Nothing here judges whether a policy is wise.

Source of the grammar: "Grammar of the IAM JSON policy language" and "Key policies in AWS KMS".
"""

import hashlib
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

Json = Any  # what json.loads returns

_ACCOUNT_ID = re.compile(r"^[0-9]{12}$")
_DEFAULT_VERSION = "2008-10-17"  # what IAM takes an absent Version for


class PolicyError(ValueError):
    """Not a key policy; the message says what is wrong with it."""


# One plan looks at two policies, the wanted one and the key's, and asks many things of them.
_REMEMBERED = 4


@lru_cache(maxsize=_REMEMBERED)
def parse(text: str) -> dict[str, Json]:
    """The policy as a JSON object with statements, which nobody may change. Raises PolicyError."""
    policy = _load(text)
    if not isinstance(policy, dict):
        raise PolicyError("a key policy is a JSON object with a Statement")
    found = statements(policy)
    if not found:
        raise PolicyError("the policy has no Statement")
    for number, statement in enumerate(found, start=1):
        _check_statement(number, statement)
    return policy


def same(one: str, other: str, partition: str = "aws") -> bool:
    """Whether two policy texts mean the same to a key of this partition. A text that is no policy is the same only as itself."""
    try:
        return _meant(one, partition) == _meant(other, partition)
    except (PolicyError, RecursionError):
        return one == other


def digest(text: str, partition: str = "aws") -> str:
    """A fingerprint of what the policy means, the same for ever and for every form of it."""
    try:
        meant = _meant(text, partition)
    except (PolicyError, RecursionError):
        meant = text
    return hashlib.sha256(meant.encode(errors="surrogatepass")).hexdigest()[:12]


def summary(text: str) -> str:
    """The policy in a few words that tell nothing of what it allows."""
    try:
        number = len(statements(parse(text)))
    except (PolicyError, RecursionError):
        return f"{len(text)} characters that are no policy, {digest(text)}"
    return f"{number} statement{'s' if number > 1 else ''}, {digest(text)}"


def _load(text: str) -> Json:
    try:
        loaded = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        json.dumps(loaded, ensure_ascii=False).encode()
    except PolicyError:
        raise
    except RecursionError:
        raise PolicyError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise PolicyError("it holds half of a surrogate pair") from None
    except ValueError as error:
        raise PolicyError(f"it is not JSON: {error}") from None
    return loaded


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found:
            raise PolicyError(f"the key {key[:64]!r} stands twice in one object, and only one of them would count")
        found[key] = value
    return found


def _refuse_constant(name: str) -> Json:
    raise PolicyError(f"{name} is not JSON")


def statements(policy: dict[str, Json]) -> list[Json]:
    """The statements of a policy, be they one or many."""
    found = policy.get("Statement", [])
    return found if isinstance(found, list) else [found]


def _check_statement(number: int, statement: Json) -> None:
    if not isinstance(statement, dict):
        raise PolicyError(f"statement {number} is not an object")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"statement {number} needs an Effect, Allow or Deny")
    for element in ("Principal", "Action", "Resource"):
        if not (statement.get(element) or statement.get(f"Not{element}")):
            raise PolicyError(f"statement {number} has no {element}, so it would have no effect")


@lru_cache(maxsize=_REMEMBERED)
def _meant(text: str, partition: str) -> str:
    """In the one form that all policies of the same meaning share."""
    policy = parse(text)
    meanings = sorted((statement_meaning(s, partition) for s in statements(policy)), key=_text)
    return _text({"Version": policy.get("Version", _DEFAULT_VERSION), "Id": policy.get("Id", ""), "Statement": meanings})


def statement_meaning(statement: dict[str, Json], partition: str) -> dict[str, Json]:
    """A statement in the one form that all statements of the same meaning share."""
    meaning: dict[str, Json] = {"Sid": statement.get("Sid", "")}
    for element, value in statement.items():
        match element:
            case "Principal" | "NotPrincipal":
                meaning[element] = _principals(value, partition)
            case "Action" | "NotAction":
                meaning[element] = _values(str(action).lower() for action in many(value))
            case "Resource" | "NotResource":
                meaning[element] = _values(many(value))
            case "Condition":
                meaning[element] = _conditions(value)
            case "Sid":
                pass
            case _:
                meaning[element] = value
    return meaning


def _principals(value: Json, partition: str) -> Json:
    kinds = value if isinstance(value, dict) else {"AWS": value}
    return {kind: _values(_account(name, partition) for name in many(names)) for kind, names in kinds.items()}


def _account(principal: Json, partition: str) -> Json:
    """KMS writes an account's id back as its root ARN; both mean the account."""
    is_id = isinstance(principal, str) and _ACCOUNT_ID.match(principal)
    return f"arn:{partition}:iam::{principal}:root" if is_id else principal


def _conditions(value: Json) -> Json:
    """Condition keys are compared without case, and two that differ only in case both count."""
    if not isinstance(value, dict):
        return value
    return {operator: _tests(tests) if isinstance(tests, dict) else tests for operator, tests in value.items()}


def _tests(tests: dict[str, Json]) -> Json:
    return sorted([key.lower(), _values(_condition_value(v) for v in many(values))] for key, values in tests.items())


def _condition_value(value: Json) -> Json:
    """IAM compares conditions as text: true and "true" are one value."""
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def many(value: Json) -> list[Json]:
    """The values of an element, which is a list or a single one."""
    return value if isinstance(value, list) else [value]


def _values(values: Iterable[Json]) -> list[str]:
    return sorted({_text(value) for value in values})


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True)
