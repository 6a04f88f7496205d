import math
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from controller.quota_use import MetricsError, QuotaUse, Use, fetch, p99, quota_use

PAGE = """
# TYPE aws_request_total counter
aws_request_total{code="OK",operation="DescribeKey",service="kms"} 90.0
aws_request_total{code="ThrottlingException",operation="DescribeKey",service="kms"} 8.0
aws_request_total{code="AccessDeniedException",operation="DescribeKey",service="kms"} 2.0
aws_request_total{code="OK",operation="CreateKey",service="kms"} 3.0
aws_request_total{code="OK",operation="DeleteAlias",service="kms"} 0.0
# TYPE aws_quota_wait_seconds histogram
aws_quota_wait_seconds_bucket{le="0.1",operation="DescribeKey",priority="resync"} 10.0
aws_quota_wait_seconds_bucket{le="1.0",operation="DescribeKey",priority="resync"} 59.0
aws_quota_wait_seconds_bucket{le="+Inf",operation="DescribeKey",priority="resync"} 60.0
aws_quota_wait_seconds_sum{operation="DescribeKey",priority="resync"} 19.0
aws_quota_wait_seconds_count{operation="DescribeKey",priority="resync"} 60.0
aws_quota_wait_seconds_bucket{le="0.1",operation="DescribeKey",priority="user"} 40.0
aws_quota_wait_seconds_bucket{le="1.0",operation="DescribeKey",priority="user"} 40.0
aws_quota_wait_seconds_bucket{le="+Inf",operation="DescribeKey",priority="user"} 40.0
aws_quota_wait_seconds_sum{operation="DescribeKey",priority="user"} 1.0
aws_quota_wait_seconds_count{operation="DescribeKey",priority="user"} 40.0
# TYPE leader_election_master_status gauge
leader_election_master_status{name="infra-operator"} 1.0
"""


def test_calls_are_told_by_operation_the_most_frequent_first() -> None:
    assert quota_use(PAGE) == QuotaUse((Use("DescribeKey", 100, 2, 8, 1.0), Use("CreateKey", 3, 0, 0, None)), leads=True)


@pytest.mark.parametrize(
    ("page", "leads"), [(PAGE, True), (PAGE.replace("} 1.0", "} 0.0"), False), (PAGE.replace("leader_", "x_"), None)]
)
def test_a_standby_is_known(page: str, leads: bool | None) -> None:
    assert quota_use(page).leads is leads


@pytest.mark.parametrize(
    ("buckets", "bound"),
    [
        ({}, None),
        ({0.1: 0, math.inf: 0}, None),
        ({0.1: 100, 1.0: 100, math.inf: 100}, 0.1),
        ({0.1: 98, 1.0: 100, math.inf: 100}, 1.0),
        ({0.1: 98, 1.0: 98, math.inf: 100}, math.inf),
    ],
)
def test_of_a_hundred_waits_99_ended_below_the_bound(buckets: dict[float, float], bound: float | None) -> None:
    assert p99(buckets) == bound


@pytest.mark.parametrize(("page", "words"), [("up 1\n", "is no operator's"), ("<html>", "not in Prometheus' form")])
def test_another_page_is_refused(page: str, words: str) -> None:
    with pytest.raises(MetricsError, match=words):
        quota_use(page)


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A server with the page, and nothing else."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=PAGE)

    app = web.Application()
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    host, port = runner.addresses[0]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_the_page_is_read_from_where_it_is_said_to_be(site: str) -> None:
    assert await fetch(f"{site}/metrics") == quota_use(PAGE)


async def test_a_page_that_is_not_there_is_a_problem_in_words(site: str) -> None:
    with pytest.raises(MetricsError, match="answers with 404"):
        await fetch(f"{site}/elsewhere")
    with pytest.raises(MetricsError, match="cannot be read"):
        await fetch("http://127.0.0.1:1/metrics")
    with pytest.raises(MetricsError, match="cannot be read"):
        await fetch("no url")
