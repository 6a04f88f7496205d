"""Rotations in the model of KMS: what RotateKeyOnDemand does and refuses, and how GetKeyRotationStatus and ListKeyRotations tell of it.

A rotation on demand is under way for ROTATION_LASTS; until then the status tells its start, and from then on the list tells its end.
An automatic one comes with its date, counted from when rotation was enabled or given another period, or from the last automatic one. A key
that is disabled or to be deleted then is rotated as soon as it is enabled. All of it is the primary's, and told of its replicas too.

Source: "Rotate AWS KMS keys" of the developer guide.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.kms_errors import RefusedError, limit_exceeded, unsupported
from tests.simulation.kms_keys import Key

ROTATION_LASTS = timedelta(seconds=20)
NEAR_AUTOMATIC = timedelta(minutes=20)
MOST_ON_DEMAND = 25


def rotate_on_demand(key: Key, now: datetime) -> Key:
    """The key after the call. Raises RefusedError."""
    check_rotates(key)
    if under_way(key, now) or _near_automatic(key, now):
        raise RefusedError("ConflictException", f"{key.arn} is being rotated, or will be within 20 minutes.")
    if sum(one["RotationType"] == "ON_DEMAND" for one in key.rotations) >= MOST_ON_DEMAND:
        raise limit_exceeded(f"You have reached the maximum number of on-demand rotations for {key.arn}.")
    done = {"KeyId": key.key_id, "RotationDate": now + ROTATION_LASTS, "RotationType": "ON_DEMAND"}
    return replace(key, rotations=(*key.rotations, done))


def rotation_status(key: Key, now: datetime) -> dict[str, Any]:
    """As GetKeyRotationStatus tells it. Raises RefusedError for keys whose material is not KMS's own."""
    if key.origin != "AWS_KMS":
        raise unsupported(f"{key.arn} origin is {key.origin} which is not valid for this operation.")
    rotates = key.rotation_days is not None and not key.is_leaving
    answer: dict[str, Any] = {"KeyId": key.arn, "KeyRotationEnabled": rotates}
    if rotates:
        answer |= {"RotationPeriodInDays": key.rotation_days, "NextRotationDate": next_automatic(key)}
    current = under_way(key, now)
    return answer | ({"OnDemandRotationStartDate": current["RotationDate"] - ROTATION_LASTS} if current else {})


def completed(key: Key, now: datetime) -> list[Mapping[str, Any]]:
    """As ListKeyRotations lists them."""
    if not key.has_rotation:
        raise _not_supported(key)
    return [one for one in key.rotations if one["RotationDate"] <= now]


def check_rotates(key: Key) -> None:
    """Raises RefusedError for a key without rotation."""
    if not key.can_rotate:
        raise _not_supported(key)


def under_way(key: Key, now: datetime) -> Mapping[str, Any] | None:
    """The rotation that has begun and is not over."""
    return next((one for one in key.rotations if one["RotationDate"] > now), None)


def next_automatic(key: Key) -> datetime | None:
    """When its period ends."""
    return None if key.rotation_days is None else (key.rotates_from or key.created) + timedelta(days=key.rotation_days)


def rotated(key: Key, moment: datetime) -> Key:
    """The key after an automatic rotation."""
    done = {"KeyId": key.key_id, "RotationDate": moment, "RotationType": "AUTOMATIC"}
    return replace(key, rotations=(*key.rotations, done), rotates_from=moment)


def shared_with(replica: Key, primary: Key | None) -> Key:
    """The replica as it is told of: with the primary's rotation, and none where the primary is gone."""
    if primary is None:
        return replace(replica, rotation_days=None, rotates_from=None, rotations=())
    return replace(replica, rotation_days=primary.rotation_days, rotates_from=primary.rotates_from, rotations=primary.rotations)


def _not_supported(key: Key) -> RefusedError:
    return unsupported(f"{key.arn} key spec is not supported for this operation.")


def _near_automatic(key: Key, now: datetime) -> bool:
    """One lasts still, or begins within the next 20 minutes."""
    lasts = any(one["RotationType"] == "AUTOMATIC" and now - one["RotationDate"] < ROTATION_LASTS for one in key.rotations)
    coming = next_automatic(key)
    return lasts or (coming is not None and coming - now <= NEAR_AUTOMATIC)
