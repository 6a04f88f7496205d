"""A play of calls about one key: parameters name the key, and what comes of it, before either is there.

stage = Stage(kms, clock, {"MultiRegion": True})
stage.play((("CreateAlias", {"AliasName": "alias/a", "TargetKeyId": KEY}), (WAIT, {"days": 1})))
"""

from datetime import timedelta
from typing import Any

from tests.simulation.kms_model import Kms
from tests.simulation.kms_requests import EU, Clock, call, make, outcome

KEY, ANOTHER, REPLICA, ALIAS_ARN = "<the key>", "<another key>", "<its replica>", "<the ARN of its alias>"
AWSS, GRANT_ID, GRANT_TOKEN = "<a key of AWS's own>", "<the last grant>", "<its token>"
WAIT = "wait"
Step = tuple[str, dict[str, Any]]


class Stage:
    """One key under its name, and what the calls about it have made."""

    def __init__(self, kms: Kms, clock: Clock, key: dict[str, Any]) -> None:
        self._kms = kms
        self._clock = clock
        arn = make(kms, **key)
        alias_arn = "arn:aws:kms:us-east-1:123456789012:alias/a"
        self.names = {KEY: arn, REPLICA: arn.replace("us-east-1", EU), ALIAS_ARN: alias_arn, ANOTHER: make(kms)}

    def parameters(self, operation: str, more: dict[str, Any]) -> dict[str, Any]:
        """About the key, where they name no other."""
        about = {} if operation.endswith("Alias") or operation == "CreateKey" else {"KeyId": KEY}
        if AWSS in more.values():
            self.names[AWSS] = call(self._kms, "DescribeKey", KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"]
        told = {name: self.names.get(value, value) if isinstance(value, str) else value for name, value in (about | more).items()}
        return {name: value for name, value in told.items() if value is not None}

    def play(self, steps: tuple[Step, ...]) -> None:
        for operation, more in steps:
            if operation == WAIT:
                self._clock.now += timedelta(**more)
                continue
            asked = self.parameters(operation, more)
            if "DryRun" in asked:
                assert outcome(self._kms, operation, **asked) == "DryRunOperationException"
                continue
            answer = call(self._kms, operation, **asked)
            self.names |= {
                name: answer[told] for name, told in ((GRANT_ID, "GrantId"), (GRANT_TOKEN, "GrantToken")) if told in answer
            }
