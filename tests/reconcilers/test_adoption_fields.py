"""The name of a key to adopt is read strictly: an alias cannot come in as an id, which would be described."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from reconcilers.adoption_fields import Adoption

ARN = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
FLAWS: list[dict[str, Any]] = [
    {"keyId": ""},
    {"keyId": "alias/aws/ebs"},
    {"keyId": ARN},
    {"arn": "1234abcd"},
    {"arn": ARN.replace("key/", "alias/")},
    {"arn": "arn:aws:s3:us-east-1:123456789012:key/k"},
    {"alias": ""},
    {"alias": "a*"},
    {"alias": ARN},
    {"policy": "adopt"},
]


def read(**fields: Any) -> Adoption:
    return Adoption.model_validate_json(json.dumps(fields))


@pytest.mark.parametrize("flaw", FLAWS, ids=str)
def test_a_flawed_name_is_refused(flaw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(**flaw)


@pytest.mark.parametrize("alias", ["orders", "alias/orders"])
def test_an_alias_has_its_prefix_whether_it_is_written_or_not(alias: str) -> None:
    assert (read(alias=alias).alias_name, read(alias=alias).told) == ("alias/orders", "alias/orders")


def test_a_key_is_made_only_if_that_is_asked_for() -> None:
    assert not read(keyId="k").or_create
    assert not read(keyId="k", policy="Adopt").or_create
    assert read(keyId="k", policy="AdoptOrCreate").or_create
