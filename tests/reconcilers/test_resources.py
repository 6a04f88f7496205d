"""The kinds whole: what the server holds before a status was written."""

from reconcilers.key_status import KMSKeyStatus
from reconcilers.resources import AWSProvider, KMSKey


def test_an_object_without_a_status_has_an_empty_one() -> None:
    assert KMSKey.model_validate_json('{"spec": {}}').status == KMSKeyStatus()
    assert AWSProvider.model_validate_json('{"spec": {"region": "us-east-1"}}').status.ready is None
