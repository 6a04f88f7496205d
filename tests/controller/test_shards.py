"""How many shards of a ring live, by their Leases on a scripted API server."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager

import pytest
from prometheus_client import REGISTRY

from controller.kube import Kube, Request, Response, Stream
from controller.shards import Shards

pytestmark = pytest.mark.virtual_time


class Leases:
    """Those of a ring: by name, the version and the holder."""

    def __init__(self) -> None:
        self.leases: dict[str, tuple[int, str]] = {}
        self.requests: list[Request] = []
        self.down = False

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        if self.down:
            return Response(503)
        items = [
            {"metadata": {"name": name, "resourceVersion": str(version)}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15}}
            for name, (version, holder) in self.leases.items()
        ]
        return Response(200, json.dumps({"items": items}).encode())

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        raise AssertionError(f"nothing is streamed: {request}")

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def leases() -> Leases:
    return Leases()


async def numbers(leases: Leases, *changes: dict[str, tuple[int, str]], seconds: float) -> list[int]:
    """What is told, where the Leases change so, with so many seconds between."""
    told: list[int] = []
    shards = Shards(Kube(leases), "operators", "keys", told.append)
    for change in changes:
        leases.leases = change
        await shards.look()
        await asyncio.sleep(seconds)
    return told


async def test_those_that_hold_their_leases_are_counted_each_time_their_number_changes(leases: Leases) -> None:
    one, two = {"a": (1, "a")}, {"a": (2, "a"), "b": (3, "b")}
    assert await numbers(leases, one, two, {"a": (4, "a"), "b": (5, "b")}, {"a": (6, "a")}, seconds=2) == [1, 2, 1]
    assert REGISTRY.get_sample_value("controller_ring_shards") == 1
    assert {request.query["labelSelector"] for request in leases.requests} == {"alpha.sharding.timebertt.dev/controllerring=keys"}


async def test_a_lease_that_was_given_back_or_taken_by_the_sharder_counts_no_more(leases: Leases) -> None:
    both = {"a": (1, "a"), "b": (1, "b")}
    assert await numbers(leases, both, {**both, "b": (2, "")}, both | {"b": (3, "b")}, both | {"b": (4, "sharder")}, seconds=2) == [2, 1, 2, 1]


async def test_a_lease_that_is_not_renewed_for_its_duration_counts_no_more(leases: Leases) -> None:
    looks = [{"a": (number, "a"), "b": (1, "b")} for number in range(9)]
    assert await numbers(leases, *looks, seconds=2) == [2, 1]


async def test_what_cannot_be_read_changes_nothing(leases: Leases) -> None:
    told: list[int] = []
    shards = Shards(Kube(leases), "operators", "keys", told.append)
    leases.leases = {"a": (1, "a"), "b": (1, "b")}
    await shards.look()
    leases.down = True
    await shards.look()
    assert told == [2]


async def test_there_is_never_none(leases: Leases) -> None:
    assert await numbers(leases, {}, seconds=2) == [1]
