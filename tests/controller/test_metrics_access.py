"""Who may read /metrics, asked over HTTP, with the API server's two reviews scripted."""

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest
from prometheus_client import REGISTRY

from controller.kube import Kube, Request, Response, Stream
from controller.metrics_access import ACCESS_REVIEWS, CACHE_SIZE, TOKEN_REVIEWS, MetricsAccess
from controller.server import Listener, metrics_routes
from controller.settings import Address

Spec = Mapping[str, Any]

SCRAPER = {"username": "system:serviceaccount:monitoring:prometheus", "uid": "7", "groups": ["system:serviceaccounts"]}


class Reviews:
    """An API server that knows two tokens: one may read metrics, the other may not."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Spec]] = []
        self.down = False

    async def send(self, request: Request) -> Response:
        assert request.body is not None
        spec = json.loads(request.body)["spec"]
        self.asked.append((request.path, spec))
        if self.down:
            return Response(500)
        if request.path == TOKEN_REVIEWS:
            known = {"scraper": SCRAPER, "stranger": {"username": "stranger"}}.get(spec["token"])
            status: dict[str, Any] = {"authenticated": True, "user": known} if known else {"authenticated": False}
        else:
            status = {"allowed": spec["user"] == SCRAPER["username"]}
        return Response(201, json.dumps({"status": status}).encode())

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        raise AssertionError(f"nothing is streamed: {request}")

    async def close(self) -> None:
        """Nothing to close."""


async def scrape(reviews: Reviews, *headers: str) -> list[int]:
    """The status of one scrape for each Authorization header."""
    access = MetricsAccess(Kube(reviews))
    listener = Listener(Address("127.0.0.1", 0), metrics_routes(), guards=[access.middleware()])
    await listener.start()
    statuses = []
    try:
        async with aiohttp.ClientSession() as session:
            for header in headers:
                url = f"http://127.0.0.1:{listener.port}/metrics"
                async with session.get(url, headers={"Authorization": header} if header else {}) as answer:
                    statuses.append(answer.status)
    finally:
        await listener.stop()
    return statuses


@pytest.mark.parametrize(
    ("header", "status"),
    [("", 401), ("Basic c2NyYXBlcjo=", 401), ("Bearer nobody", 401), ("Bearer stranger", 403), ("Bearer scraper", 200)],
)
async def test_only_a_caller_that_rbac_lets_read_metrics_is_served(header: str, status: int) -> None:
    assert await scrape(Reviews(), header) == [status]


async def test_the_api_server_is_asked_about_the_very_caller_and_path() -> None:
    reviews = Reviews()
    await scrape(reviews, "Bearer scraper")
    (_, token), (path, access) = reviews.asked
    assert (token, path) == ({"token": "scraper"}, ACCESS_REVIEWS)
    assert access["nonResourceAttributes"] == {"path": "/metrics", "verb": "get"}
    assert (access["user"], access["uid"], access["groups"]) == tuple(SCRAPER.values())


async def test_nobody_is_served_while_the_api_server_cannot_be_asked() -> None:
    reviews = Reviews()
    reviews.down = True
    assert await scrape(reviews, "Bearer scraper", "Bearer scraper") == [503, 503]


async def test_an_answer_is_believed_for_a_while_and_a_failure_to_ask_is_not() -> None:
    reviews = Reviews()
    assert await scrape(reviews, "Bearer scraper", "Bearer scraper", "Bearer scraper") == [200, 200, 200]
    assert len(reviews.asked) == 2


async def test_guessed_tokens_do_not_fill_the_memory() -> None:
    access = MetricsAccess(Kube(Reviews()))
    for number in range(CACHE_SIZE + 10):
        assert await access._judge(f"Bearer {number}", "/metrics") == 401
    assert len(access._answers) == CACHE_SIZE


def test_no_metric_has_a_token_in_a_label() -> None:
    assert "scraper" not in {value for family in REGISTRY.collect() for sample in family.samples for value in sample.labels.values()}
