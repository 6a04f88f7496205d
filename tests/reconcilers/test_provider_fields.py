"""The provider's spec is read with AWS's own spelling."""

import json

from reconcilers.provider_fields import AWSProviderSpec


def test_aws_s_spelling_of_initials_is_kept() -> None:
    fields = {
        "region": "us-east-1",
        "roleARN": "arn:aws:iam::123456789012:role/a",
        "accountID": "123456789012",
        "credentialsSecret": {"name": "aws"},
    }
    made = AWSProviderSpec.model_validate_json(json.dumps(fields))
    assert json.loads(made.model_dump_json(by_alias=True, exclude_none=True)) == fields
