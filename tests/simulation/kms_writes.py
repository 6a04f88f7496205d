"""What each KMS write makes of a key: pure functions from a key and a request to the next key and the answer.

The state of the key, and whether the caller may, have been checked before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.kms_errors import validation
from tests.simulation.kms_grants import create_grant, revoke_grant
from tests.simulation.kms_imports import check_external, import_material, without_material
from tests.simulation.kms_keys import Key
from tests.simulation.kms_policies import check_policy
from tests.simulation.kms_rotations import check_rotates, rotate_on_demand
from tests.simulation.kms_tags import check_keys, check_number, read_tags

Parameters = Mapping[str, Any]
Answer = dict[str, Any]

DEFAULT_PERIOD = 365
DEFAULT_WINDOW = 30


@dataclass(frozen=True)
class Caller:
    """Who asks, and where."""

    account_id: str
    arn: str
    region: str


@dataclass(frozen=True)
class Scene:
    """What a write depends on beside the key."""

    caller: Caller
    now: datetime
    unknown_principals: frozenset[str]
    stores: Mapping[str, bool] = field(default_factory=dict)  # custom key stores: whether they are connected


def _cancel_key_deletion(key: Key, _parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    lacks_material = key.origin == "EXTERNAL" and not key.imported
    state = "PendingImport" if lacks_material else "Disabled"
    return replace(key, state=state, deletion_date=None, window=None), {"KeyId": key.arn}


def _schedule_key_deletion(key: Key, parameters: Parameters, scene: Scene) -> tuple[Key, Answer]:
    days = parameters.get("PendingWindowInDays", DEFAULT_WINDOW)
    if not 7 <= days <= 30:
        raise validation(f"PendingWindowInDays must be between 7 and 30 inclusive, not {days}")
    date = scene.now + timedelta(days=days)
    answer = {"KeyId": key.arn, "DeletionDate": date, "KeyState": "PendingDeletion", "PendingWindowInDays": days}
    return replace(key, state="PendingDeletion", deletion_date=date), answer


def _enable_key(key: Key, _parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    return _switched(key, "Enabled"), {}


def _disable_key(key: Key, _parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    return _switched(key, "Disabled"), {}


def _switched(key: Key, state: str) -> Key:
    """A key whose store is away shows it once the store is there again."""
    return replace(key, on_reconnect=state) if key.state == "Unavailable" else replace(key, state=state)


def _enable_key_rotation(key: Key, parameters: Parameters, scene: Scene) -> tuple[Key, Answer]:
    check_rotates(key)
    days = parameters.get("RotationPeriodInDays", DEFAULT_PERIOD)
    return key if days == key.rotation_days else replace(key, rotation_days=days, rotates_from=scene.now), {}


def _disable_key_rotation(key: Key, _parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    check_rotates(key)
    return replace(key, rotation_days=None, rotates_from=None), {}


def _rotate_key_on_demand(key: Key, _parameters: Parameters, scene: Scene) -> tuple[Key, Answer]:
    return rotate_on_demand(key, scene.now), {"KeyId": key.arn}


def _delete_imported_key_material(key: Key, _parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    check_external(key)
    return without_material(key), {"KeyId": key.arn}


def _import_key_material(key: Key, parameters: Parameters, scene: Scene) -> tuple[Key, Answer]:
    imported = import_material(key, parameters, scene.now)
    return imported, {"KeyId": key.arn, "KeyMaterialId": imported.material}


def _put_key_policy(key: Key, parameters: Parameters, scene: Scene) -> tuple[Key, Answer]:
    if parameters.get("PolicyName", "default") != "default":
        raise validation("The only valid policy name is default")
    bypass = parameters.get("BypassPolicyLockoutSafetyCheck", False)
    check_policy(parameters["Policy"], scene.caller.arn, scene.unknown_principals, bypass=bypass)
    return replace(key, policy=parameters["Policy"]), {}


def _update_key_description(key: Key, parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    return replace(key, description=parameters["Description"]), {}


def _tag_resource(key: Key, parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    new = read_tags(parameters["Tags"])
    check_keys(list(new))
    tags = {**key.tags, **new}
    check_number(tags)
    return replace(key, tags=tags), {}


def _untag_resource(key: Key, parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    check_keys(parameters["TagKeys"])
    return replace(key, tags={name: value for name, value in key.tags.items() if name not in parameters["TagKeys"]}), {}


def _create_grant(key: Key, parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    return create_grant(key, parameters)


def _revoke_grant(key: Key, parameters: Parameters, _scene: Scene) -> tuple[Key, Answer]:
    return revoke_grant(key, parameters["GrantId"]), {}


WRITES: dict[str, Callable[[Key, Parameters, Scene], tuple[Key, Answer]]] = {
    "CancelKeyDeletion": _cancel_key_deletion,
    "CreateGrant": _create_grant,
    "DeleteImportedKeyMaterial": _delete_imported_key_material,
    "DisableKey": _disable_key,
    "DisableKeyRotation": _disable_key_rotation,
    "EnableKey": _enable_key,
    "EnableKeyRotation": _enable_key_rotation,
    "PutKeyPolicy": _put_key_policy,
    "ImportKeyMaterial": _import_key_material,
    "RetireGrant": _revoke_grant,
    "RevokeGrant": _revoke_grant,
    "RotateKeyOnDemand": _rotate_key_on_demand,
    "ScheduleKeyDeletion": _schedule_key_deletion,
    "TagResource": _tag_resource,
    "UntagResource": _untag_resource,
    "UpdateKeyDescription": _update_key_description,
}
