"""How a key rotates, and when it was rotated.

Rules:
1. A key that cannot rotate does not: UnsupportedOperationException is an answer.
2. The list of rotations is a help and no more: whoever may not read it, or whose backend has none, gets all else.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aws.answers import ROTATIONS, decode
from aws.clients import Connection
from aws.errors import BlockedError, StalledError
from reconcilers.failures import explain
from reconcilers.states import Rotation, Rotations, Unobservable

ON_DEMAND = "ON_DEMAND"


async def read_rotation(connection: Connection, key: str) -> Rotation:
    """GetKeyRotationStatus. Raises AWSError."""
    operation = "GetKeyRotationStatus"
    try:
        answer = await connection.call("kms", operation, {"KeyId": key})
    except StalledError as error:
        if error.failure.code == "UnsupportedOperationException":
            return Rotation(enabled=False)
        raise
    next_date, started = answer.get("NextRotationDate"), answer.get("OnDemandRotationStartDate")
    return decode(
        operation,
        lambda: Rotation(
            answer["KeyRotationEnabled"], answer.get("RotationPeriodInDays"), next_date and _utc(next_date), started and _utc(started)
        ),
    )


async def read_rotations(connection: Connection, key: str) -> Rotations | Unobservable:
    """ListKeyRotations, all pages of it. Raises AWSError for what passes by itself."""
    try:
        listed = await ROTATIONS.read(connection, {"KeyId": key})
    except (BlockedError, StalledError) as error:
        problem = explain(error.failure)
        return Unobservable(problem.reason, problem.message, error.failure)
    return decode("ListKeyRotations", lambda: _summary(listed))


def _summary(listed: Sequence[Any]) -> Rotations:
    """Without the first material of a key, and what waits to be rotated to: neither has a date."""
    dates = [(_utc(one["RotationDate"]), one.get("RotationType")) for one in listed if "RotationDate" in one]
    asked = [date for date, kind in dates if kind == ON_DEMAND]
    return Rotations(max((date for date, _ in dates), default=None), len(asked), max(asked, default=None))


def _utc(date: datetime) -> datetime:
    return date.astimezone(UTC)
