"""When a key was rotated, from answers of every kind."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from aws.clients import Clients
from aws.credentials import AccessRequest
from aws.errors import AWSError, RetryableError, UnknownResultError
from aws.kms import apply, observe_key
from reconcilers.actions import RotateKeyOnDemand
from reconcilers.key_status import RotationAttempt
from reconcilers.reasons import Reason
from reconcilers.states import Asked, ObservedKey, Rotation, Rotations, Unobservable
from tests.aws.worlds import FakeAws, refusal, terms

ACCOUNT, REGION = "111122223333", "eu-central-1"
ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
DAY = datetime(2026, 2, 1, tzinfo=UTC)
LOCAL = DAY.astimezone(timezone(timedelta(hours=2)))  # as the SDK gives it
METADATA = {"AWSAccountId": ACCOUNT, "KeyId": "k", "Arn": ARN, "CreationDate": DAY, "KeyState": "Enabled"}
ROTATING = {"KeyRotationEnabled": True, "NextRotationDate": LOCAL}

Answers = Mapping[str, Mapping[str, Any] | Exception]


def automatic(days: int) -> dict[str, object]:
    return {"RotationDate": DAY + timedelta(days=days), "RotationType": "AUTOMATIC"}


def by_hand(days: int) -> dict[str, object]:
    return {"RotationDate": DAY + timedelta(days=days), "RotationType": "ON_DEMAND"}


async def observe(answers: Answers, asked: Asked, metadata: Mapping[str, Any] = METADATA) -> tuple[ObservedKey, list[str]]:
    """The key, and what was asked about rotation."""
    world: Answers = {
        "GetCallerIdentity": {"Account": ACCOUNT, "Arn": "arn:aws:iam::1:user/u"},
        "DescribeKey": {"KeyMetadata": metadata},
        "ListResourceTags": {"Tags": []},
        "GetKeyRotationStatus": {"KeyRotationEnabled": False},
        **answers,
    }
    aws = FakeAws({name: _answer(answer) for name, answer in world.items()})
    clients = Clients(terms(aws.open), quota_fraction=1.0)
    try:
        seen = await observe_key(await clients.connect(AccessRequest("ns/p", REGION)), ARN, asked)
    finally:
        await clients.close()
    assert isinstance(seen, ObservedKey)
    return seen, [name for name in aws.operations() if "Rotation" in name]


def _answer(answer: Mapping[str, Any] | Exception) -> Any:
    def give(*_: object) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    return give


@pytest.mark.parametrize(
    ("answer", "asked", "listed"),
    [
        ({"KeyRotationEnabled": False}, Asked(), False),
        ({"KeyRotationEnabled": False}, Asked(rotations=True), True),
        (ROTATING, Asked(next_rotation=DAY), False),
        (ROTATING, Asked(), True),
        (ROTATING, Asked(next_rotation=DAY - timedelta(days=90)), True),
        ({"KeyRotationEnabled": True}, Asked(), False),
    ],
)
async def test_the_list_is_read_when_it_has_news_or_is_asked_for(answer: dict[str, Any], asked: Asked, *, listed: bool) -> None:
    seen, called = await observe({"GetKeyRotationStatus": answer, "ListKeyRotations": {"Rotations": []}}, asked)
    assert called == ["GetKeyRotationStatus"] + ["ListKeyRotations"] * listed
    assert seen.rotations == (Rotations() if listed else None)


async def test_a_key_that_is_to_be_deleted_has_no_list() -> None:
    gone = {**METADATA, "KeyState": "PendingDeletion", "DeletionDate": DAY}
    _, called = await observe({}, Asked(rotations=True), gone)
    assert called == ["GetKeyRotationStatus"]


@pytest.mark.parametrize(
    ("rows", "summary"),
    [
        ([automatic(1)], Rotations(DAY + timedelta(days=1))),
        ([by_hand(3), automatic(2), by_hand(1)], Rotations(DAY + timedelta(days=3), 2, DAY + timedelta(days=3))),
        ([{"KeyMaterialState": "CURRENT"}, automatic(5), by_hand(1)], Rotations(DAY + timedelta(days=5), 1, DAY + timedelta(days=1))),
    ],
)
async def test_rotations_are_summed_up(rows: list[dict[str, object]], summary: Rotations) -> None:
    seen, _ = await observe({"ListKeyRotations": {"Rotations": rows}}, Asked(rotations=True))
    assert seen.rotations == summary


async def test_dates_are_in_utc_and_what_is_under_way_is_seen() -> None:
    answer = {"KeyRotationEnabled": True, "RotationPeriodInDays": 90, "NextRotationDate": LOCAL, "OnDemandRotationStartDate": LOCAL}
    seen, _ = await observe({"GetKeyRotationStatus": answer}, Asked(next_rotation=DAY))
    assert seen.rotation == Rotation(True, 90, DAY, DAY)
    assert seen.rotation.on_demand_started is not None
    assert seen.rotation.on_demand_started.tzinfo is UTC


@pytest.mark.parametrize(
    ("code", "reason"), [("AccessDeniedException", Reason.ACCESS_DENIED), ("UnsupportedOperationException", Reason.REJECTED_BY_AWS)]
)
async def test_without_the_list_all_else_is_seen(code: str, reason: Reason) -> None:
    seen, _ = await observe({"GetKeyRotationStatus": ROTATING, "ListKeyRotations": refusal(code)}, Asked())
    assert seen.rotation == Rotation(True, None, DAY)
    assert isinstance(seen.rotations, Unobservable)
    assert seen.rotations.reason == reason


async def test_what_passes_by_itself_is_tried_again() -> None:
    with pytest.raises(RetryableError):
        await observe({"ListKeyRotations": refusal("KMSInternalException", status=500)}, Asked(rotations=True))


@pytest.mark.parametrize(
    ("error", "unknown"), [(refusal("KMSInternalException", status=500), True), (TimeoutError(), True), (refusal("ConflictException"), False)]
)
async def test_a_rotation_without_an_answer_may_have_been_done(error: Exception, *, unknown: bool) -> None:
    aws = FakeAws({"GetCallerIdentity": _answer({"Account": ACCOUNT, "Arn": "a"}), "RotateKeyOnDemand": _answer(error)})
    clients = Clients(terms(aws.open), quota_fraction=1.0)
    connection = await clients.connect(AccessRequest("ns/p", REGION))
    with pytest.raises(AWSError) as raised:
        await apply(connection, RotateKeyOnDemand(ARN, RotationAttempt(token="1", time=DAY)))
    await clients.close()
    assert isinstance(raised.value, UnknownResultError) is unknown
    assert aws.operations().count("RotateKeyOnDemand") == 1
