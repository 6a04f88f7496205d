"""ReplicateKey, and what is different for a primary that has replicas.

Source: ReplicateKey and ScheduleKeyDeletion of the KMS API reference, "Deleting multi-Region keys" of the developer guide.
"""

from dataclasses import replace
from typing import Any

from tests.simulation.kms_errors import unsupported, validation
from tests.simulation.kms_keys import Key
from tests.simulation.kms_policies import check_policy, default_policy
from tests.simulation.kms_tags import check_keys, check_number, read_tags
from tests.simulation.kms_writes import DEFAULT_WINDOW, Answer, Parameters, Scene


def new_replica(primary: Key, parameters: Parameters, scene: Scene) -> Key:
    """The replica that this request makes; its policy, tags and description are the request's, never the primary's. Raises RefusedError."""
    region = parameters["ReplicaRegion"]
    if not primary.multi_region or primary.is_replica:
        raise unsupported(f"{primary.arn} is not a multi-Region primary key")
    if region == primary.region:
        raise validation("A key cannot be replicated into its own Region")
    tags = read_tags(parameters.get("Tags", []))
    check_keys(list(tags))
    check_number(tags)
    if "Policy" in parameters:
        bypass = parameters.get("BypassPolicyLockoutSafetyCheck", False)
        check_policy(parameters["Policy"], scene.caller.arn, scene.unknown_principals, bypass=bypass)
    return replace(
        primary,
        arn=f"arn:aws:kms:{region}:{primary.account_id}:key/{primary.key_id}",
        region=region,
        created=scene.now,
        description=parameters.get("Description", ""),
        policy=parameters.get("Policy", default_policy(primary.account_id)),
        tags=tags,
        state="Creating",
        rotation_days=None,
        aliases=frozenset(),
        grants=(),
        grants_made=0,
    )


def schedule_primary(key: Key, parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    """A primary with replicas has no date: its window begins when the last of them is gone."""
    days = parameters.get("PendingWindowInDays", DEFAULT_WINDOW)
    if not 7 <= days <= 30:
        raise validation(f"PendingWindowInDays must be between 7 and 30 inclusive, not {days}")
    answer: dict[str, Any] = {"KeyId": key.arn, "KeyState": "PendingReplicaDeletion", "PendingWindowInDays": days}
    return replace(key, state="PendingReplicaDeletion", window=days), answer
