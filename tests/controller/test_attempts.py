"""Since when calls without a result are known, in virtual time."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from controller.attempts import KnownAttempts
from controller.objects import KubeObject
from reconcilers.attempts import Ages, Attempt
from reconcilers.key_status import CreationAttempt, RotationAttempt

pytestmark = pytest.mark.virtual_time

TIME = "2026-03-01T12:00:00Z"
FIRST: dict[str, Any] = {"id": "u.1", "time": TIME, "count": 1}
SECOND = FIRST | {"id": "u.2", "count": 2}
TURN = {"token": "new", "time": TIME}


def obj(status: dict[str, Any]) -> KubeObject:
    return KubeObject("shop", "orders", "u", "1", 1, None, (), {}, {}, b"{}", json.dumps(status, separators=(",", ":")).encode())


def creation(attempt: dict[str, Any], region: str = "") -> Attempt:
    return Attempt(CreationAttempt.model_validate_json(json.dumps(attempt)), region)


def rotation(attempt: dict[str, Any]) -> Attempt:
    return Attempt(RotationAttempt.model_validate_json(json.dumps(attempt)))


async def after(*statuses: dict[str, Any]) -> Ages:
    """What is known when the object has had these statuses, each for ten seconds."""
    attempts = KnownAttempts()
    for status in statuses:
        attempts.changed(obj(status))
        await asyncio.sleep(10)
    return attempts.ages("u")


IN_EU = {"region": "eu-west-1", "creationAttempt": FIRST}
TABLE: list[tuple[str, list[dict[str, Any]], dict[Attempt, int]]] = [
    ("none", [{"keyId": "k"}], {}),
    ("one", [{"creationAttempt": FIRST}], {creation(FIRST): 10}),
    ("what else changes does not matter", [{"creationAttempt": FIRST}, {"creationAttempt": FIRST, "ready": False}], {creation(FIRST): 20}),
    ("the next one", [{"creationAttempt": FIRST}, {"creationAttempt": SECOND}], {creation(SECOND): 10}),
    (
        "the same count at another time",
        [{"creationAttempt": FIRST}, {"creationAttempt": FIRST | {"time": "2026-03-01T12:00:05Z"}}],
        {creation(FIRST | {"time": "2026-03-01T12:00:05Z"}): 10},
    ),
    ("one that has ended", [{"creationAttempt": FIRST}, {"keyId": "k"}], {}),
    ("one that shows again", [{"creationAttempt": FIRST}, {}, {"creationAttempt": FIRST}], {creation(FIRST): 10}),
    ("of a replica", [{}, {"replicas": [IN_EU]}], {creation(FIRST, "eu-west-1"): 10}),
    (
        "of several kinds",
        [{"rotationAttempt": TURN}, {"rotationAttempt": TURN, "replicas": [IN_EU, IN_EU | {"region": "ap-south-1"}]}],
        {rotation(TURN): 20, creation(FIRST, "eu-west-1"): 10, creation(FIRST, "ap-south-1"): 10},
    ),
]


@pytest.mark.parametrize(("statuses", "known"), [pytest.param(*rest, id=name) for name, *rest in TABLE])
async def test_an_attempt_is_known_since_the_object_has_first_shown_it(statuses: list[dict[str, Any]], known: dict[Attempt, int]) -> None:
    assert await after(*statuses) == {attempt: timedelta(seconds=age) for attempt, age in known.items()}


async def test_of_an_object_that_is_away_nothing_is_known() -> None:
    attempts = KnownAttempts()
    attempts.changed(obj({"creationAttempt": FIRST}))
    attempts.forget("u")
    attempts.forget("another")
    assert attempts.ages("u") == {}
