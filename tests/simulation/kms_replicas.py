"""ReplicateKey, UpdatePrimaryRegion, and what is different for a primary that has replicas.

Source: ReplicateKey, UpdatePrimaryRegion and ScheduleKeyDeletion of the KMS API reference, "Deleting multi-Region keys" of the developer guide.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.simulation.kms_errors import not_found, unsupported, validation
from tests.simulation.kms_keys import Key, check_state
from tests.simulation.kms_policies import check_policy, default_policy
from tests.simulation.kms_rotations import shared_with
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
        rotates_from=None,
        rotations=(),
        used=None,
        aliases=frozenset(),
        grants=(),
        grants_made=0,
    )


def moved_primary(primary: Key, family: Sequence[Key], region: str, now: datetime) -> list[Key]:
    """All keys of the family, once the replica in this region is the primary. Raises RefusedError.

    The old and the new primary are Updating for a while. Rotation is the primary's to tell, and goes with it.
    """
    if not primary.multi_region or primary.is_replica:
        raise unsupported(f"{primary.arn} is not a multi-Region primary key")
    target = next((key for key in family if key.region == region), None)
    if target is None:
        raise not_found(f"arn:aws:kms:{region}:{primary.account_id}:key/{primary.key_id}")
    check_state("UpdatePrimaryRegion", target)
    old, new = shared_with(primary, None), shared_with(target, primary)
    others = [key for key in family if key is not target]
    moving = [replace(key, state="Updating", updating=(now, key.state)) for key in (old, new)]
    return [replace(key, primary_region=region) for key in (*moving, *others)]


def schedule_primary(key: Key, parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    """A primary with replicas has no date: its window begins when the last of them is gone."""
    days = parameters.get("PendingWindowInDays", DEFAULT_WINDOW)
    if not 7 <= days <= 30:
        raise validation(f"PendingWindowInDays must be between 7 and 30 inclusive, not {days}")
    answer: dict[str, Any] = {"KeyId": key.arn, "KeyState": "PendingReplicaDeletion", "PendingWindowInDays": days}
    return replace(key, state="PendingReplicaDeletion", window=days), answer
