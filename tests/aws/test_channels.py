import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from aws.channels import CALL_SECONDS, READ_OPERATIONS, Channel, Terms
from aws.credentials import Access
from aws.errors import FencedError, RetryableError
from aws.quotas import PER_SECOND
from tests.aws.worlds import FakeAws, refusal, terms

pytestmark = pytest.mark.virtual_time

HERE = Access("eu-central-1", None, None)


def no_answer(_: Access, __: Mapping[str, Any]) -> dict[str, Any]:
    raise refusal("ThrottlingException")


def an_answer(_: Access, __: Mapping[str, Any]) -> dict[str, Any]:
    return {"Keys": []}


def test_every_operation_that_changes_something_is_a_write() -> None:
    assert {operation for operation in PER_SECOND if not operation.startswith(("Describe", "Get", "List"))}.isdisjoint(READ_OPERATIONS)


async def test_calls_are_counted_with_their_outcome_and_fenced_ones_are_not() -> None:
    aws = FakeAws({"ListKeys": an_answer, "DescribeKey": no_answer})
    counted: list[tuple[str, str, str]] = []
    told = Terms(aws.open, lambda _: False, lambda service, operation, code, _: counted.append((service, operation, code)), lambda *_: None)
    channel = Channel(told, HERE)
    await channel.call("kms", "ListKeys", {})
    with pytest.raises(RetryableError):
        await channel.call("kms", "DescribeKey", {})
    with pytest.raises(FencedError):
        await channel.call("kms", "EnableKey", {})
    assert counted == [("kms", "ListKeys", "OK"), ("kms", "DescribeKey", "ThrottlingException")]


async def test_the_fence_is_asked_for_as_long_as_the_call_may_take() -> None:
    asked: list[float] = []

    def fence(seconds: float) -> bool:
        asked.append(seconds)
        return True

    aws = FakeAws({"EnableKey": an_answer})
    await Channel(terms(aws.open, fence), HERE).call("kms", "EnableKey", {})
    assert asked == [CALL_SECONDS]


async def test_a_wire_that_hangs_is_given_up_in_time() -> None:
    aws = FakeAws({"ListKeys": an_answer})
    channel = Channel(terms(aws.open), HERE)
    await channel.call("kms", "ListKeys", {})
    aws.opened[0].gate = asyncio.Event()
    began = asyncio.get_running_loop().time()
    with pytest.raises(RetryableError, match="no answer in time"):
        await channel.call("kms", "ListKeys", {})
    assert asyncio.get_running_loop().time() - began == pytest.approx(CALL_SECONDS)


async def test_calls_at_the_same_time_share_one_wire_for_each_service() -> None:
    aws = FakeAws({"ListKeys": an_answer, "GetCallerIdentity": an_answer})
    channel = Channel(terms(aws.open), HERE)
    await asyncio.gather(*(channel.call("kms", "ListKeys", {}) for _ in range(10)), channel.call("sts", "GetCallerIdentity", {}))
    assert sorted(wire.service for wire in aws.opened) == ["kms", "sts"]


async def test_retiring_cuts_no_call_off_and_leaves_nothing_open() -> None:
    aws = FakeAws({"ListKeys": an_answer})
    channel = Channel(terms(aws.open), HERE)
    await channel.call("kms", "ListKeys", {})
    gate = aws.opened[0].gate = asyncio.Event()
    calls = [asyncio.create_task(channel.call("kms", "ListKeys", {})) for _ in range(3)]
    await asyncio.sleep(1)
    await channel.retire()
    assert aws.open_wires == 1
    gate.set()
    assert await asyncio.gather(*calls) == [{"Keys": []}] * 3
    assert aws.open_wires == 0


async def test_a_retired_channel_still_works_and_closes_again() -> None:
    aws = FakeAws({"ListKeys": an_answer})
    channel = Channel(terms(aws.open), HERE)
    await channel.retire()
    assert await channel.call("kms", "ListKeys", {}) == {"Keys": []}
    assert aws.open_wires == 0
