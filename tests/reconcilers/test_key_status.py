"""The status is read as the server stores it, whatever version wrote it."""

import json

from reconcilers.fields import Condition, DeletionPolicy
from reconcilers.key_status import KMSKeyStatus


def test_a_status_of_the_server_is_read() -> None:
    time = "2026-03-01T12:00:00Z"
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": time, "reason": "Available", "message": ""}
    stored = {"conditions": [condition], "managedTagKeys": ["a"], "effectiveDeletionPolicy": "Delete", "creationDate": time}
    status = KMSKeyStatus.model_validate_json(json.dumps(stored))
    assert isinstance(status.conditions[0], Condition)
    assert (status.managed_tag_keys, status.effective_deletion_policy) == (("a",), DeletionPolicy.DELETE)
    assert status.creation_date is not None
    assert status.creation_date.tzinfo is not None


def test_fields_of_tomorrow_are_ignored() -> None:
    assert KMSKeyStatus.model_validate_json('{"tomorrow": 1, "keyId": "x"}').key_id == "x"
