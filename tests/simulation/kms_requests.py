"""Requests to the model of KMS without a wire or a world: what its own tests ask it, and how."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_model import Kms
from tests.simulation.kms_writes import Caller

EU = "eu-west-1"
CALLER = Caller("123456789012", "arn:aws:iam::123456789012:user/operator", "us-east-1")
RSA = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}
TAGS = [{"TagKey": f"tag-{number}", "TagValue": "x"} for number in range(51)]
GRANT = {"Name": "g", "GranteePrincipal": "arn:aws:iam::123456789012:role/app", "Operations": ["Decrypt", "DescribeKey"]}
LOCKOUT = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/eve"}, "Action": "kms:*"}]}
)


class Clock:
    """Stands still until somebody sets it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def caller_in(region: str) -> Caller:
    """The same one there."""
    return replace(CALLER, region=region)


def call(kms: Kms, operation: str, caller: Caller | None = None, /, **parameters: Any) -> dict[str, Any]:
    """In the region of the key that KeyId names by its ARN; where there is none, in the caller's."""
    arn = str(parameters.get("KeyId", "")).split(":")
    return kms.handle("kms", operation, parameters, caller or caller_in(arn[3] if arn[0] == "arn" else CALLER.region))


def make(kms: Kms, **parameters: Any) -> str:
    """The ARN of a new key."""
    return str(call(kms, "CreateKey", **parameters)["KeyMetadata"]["Arn"])


def refused(kms: Kms, operation: str, **parameters: Any) -> RefusedError:
    """How the call is refused."""
    with pytest.raises(RefusedError) as caught:
        call(kms, operation, **parameters)
    return caught.value


def refusal(kms: Kms, operation: str, **parameters: Any) -> str:
    """With which code."""
    return refused(kms, operation, **parameters).code


def outcome(kms: Kms, operation: str, caller: Caller | None = None, /, **parameters: Any) -> str:
    """OK, or the code of the refusal."""
    try:
        call(kms, operation, caller, **parameters)
    except RefusedError as error:
        return error.code
    return "OK"
