"""Metrics that are scraped without a pause: the operator works on beside it."""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.operator_process import Operator
from tests.cluster.pages import page
from tests.cluster.probe import status
from tests.cluster.tenant import Tenant

LAG = re.compile(r'^event_loop_lag_seconds_(bucket{le="10.0"}|count) (.*)$', re.MULTILINE)


@contextmanager
def scraped(operator: Operator) -> Iterator[Counter[int]]:
    """As fast as it answers, so that the answers' statuses are many times more than a Prometheus would get."""
    over, statuses = threading.Event(), Counter[int]()

    def scrape() -> None:
        while not over.is_set():
            statuses[page(operator.metrics_url)[0]] += 1

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        yield statuses
    finally:
        over.set()
        scraper.join()


@pytest.mark.holds("F70")
def test_who_scrapes_without_a_pause_stops_neither_the_loop_nor_the_work(operator: Operator, tenant: Tenant) -> None:
    names = [f"k-{number}" for number in range(20)]
    with scraped(operator) as statuses:
        for name in names:
            tenant.declare(name, enableKeyRotation=True)
        for name in names:
            tenant.until_settled(name)
    assert statuses.keys() == {200}
    assert statuses[200] > 20
    assert status(f"{operator.health_url}/healthz") == 200
    lags = dict(LAG.findall(page(operator.metrics_url)[1]))
    assert float(lags["count"]) > 0
    assert lags['bucket{le="10.0"}'] == lags["count"], "no timer was later than that"
