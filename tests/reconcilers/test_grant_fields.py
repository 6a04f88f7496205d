"""A grant is read strictly: for one principal, and for operations that KMS has."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from reconcilers.grant_fields import GrantSpec

GRANT: dict[str, Any] = {"name": "a", "granteeRoleArn": "arn:aws:iam::123456789012:role/a", "operations": ["Sign"]}
FLAWS: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "a b"},
    {"operations": []},
    {"operations": ["Fly"]},
    {"operations": ["*"]},
    {"granteeRoleArn": "*"},
    {"granteeRoleArn": "arn:aws:iam::123456789012:user/a"},
    {"granteePrincipal": "*"},
    {"granteePrincipal": "arn:aws:iam::123456789012:user/*"},
    {"constraints": {"encryptionContextEquals": {str(number): "x" for number in range(9)}}},
    {"constraints": {"encryptionContextEquals": {"a": "x" * 385}}},
    {"constraints": {"sourceArn": "*"}},
]


def test_a_grant_is_read_as_it_was_written() -> None:
    made = GrantSpec.model_validate_json(json.dumps(GRANT))
    assert (made.name, made.grantee_role_arn, made.operations) == ("a", GRANT["granteeRoleArn"], ("Sign",))


@pytest.mark.parametrize("flaw", FLAWS, ids=str)
def test_a_flawed_grant_is_refused(flaw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GrantSpec.model_validate_json(json.dumps(GRANT | flaw))
