"""What an operator's /metrics say about its calls to AWS: how many, how many of them throttled, and how long they waited for their turn.

Rules:
1. The numbers are those of one process since it began: a standby has next to none, and a restart begins anew.
2. A quantile of a histogram is known to its bucket: told is the bound below which 99 of 100 waits ended.
3. A page without our metrics is no operator's, and said to be none.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from reconcilers.codes import THROTTLING_CODES

QUANTILE = 0.99
TIMEOUT_SECONDS = 10.0
OK = "OK"
CALLS, WAITS, LEADS = "aws_request_total", "aws_quota_wait_seconds_bucket", "leader_election_master_status"


class MetricsError(ValueError):
    """There is no page of an operator's metrics; the message says what there is instead."""


@dataclass(frozen=True, slots=True)
class Use:
    """One operation. p99_wait: seconds; None: it never waited, inf: longer than the last bucket."""

    operation: str
    calls: int
    refused: int  # by AWS, for another reason than the pace
    throttled: int
    p99_wait: float | None


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """One process. leads: whether it holds the Lease; None where it does not say."""

    uses: tuple[Use, ...]
    leads: bool | None


async def fetch(url: str) -> QuotaUse:
    """Reads the page. Raises MetricsError."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), aiohttp.ClientSession() as session, session.get(url) as answer:
            if answer.status != 200:
                raise MetricsError(f"{url} answers with {answer.status}")
            return quota_use(await answer.text())
    except (aiohttp.ClientError, OSError, UnicodeDecodeError) as error:
        raise MetricsError(f"{url} cannot be read: {error or type(error).__name__}") from error


def quota_use(page: str) -> QuotaUse:
    """By the text of /metrics, operations that were called most first. Raises MetricsError."""
    samples = list(_samples(page))
    calls: defaultdict[str, dict[str, int]] = defaultdict(dict)
    waits: defaultdict[str, defaultdict[float, float]] = defaultdict(lambda: defaultdict(float))  # whatever their priority
    for sample in samples:
        if sample.name == CALLS:
            calls[sample.labels["operation"]][sample.labels["code"]] = int(sample.value)
        elif sample.name == WAITS:
            waits[sample.labels["operation"]][float(sample.labels["le"])] += sample.value
    if not calls:
        raise MetricsError(f"the page has no {CALLS}: it is no operator's")
    uses = [_use(operation, codes, waits[operation]) for operation, codes in calls.items() if any(codes.values())]
    leads = next((sample.value == 1 for sample in samples if sample.name == LEADS), None)
    return QuotaUse(tuple(sorted(uses, key=lambda use: (-use.calls, use.operation))), leads)


def _samples(page: str) -> Iterable[Sample]:
    try:
        return [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    except (ValueError, KeyError, IndexError) as error:
        raise MetricsError(f"the page is not in Prometheus' form: {error}") from error


def _use(operation: str, codes: Mapping[str, int], waits: Mapping[float, float]) -> Use:
    calls = sum(codes.values())
    throttled = sum(count for code, count in codes.items() if code in THROTTLING_CODES)
    return Use(operation, calls, calls - throttled - codes.get(OK, 0), throttled, p99(waits))


def p99(buckets: Mapping[float, float]) -> float | None:
    """The bound of the first bucket that holds 99 of 100; buckets as Prometheus has them: each counts what is at most its bound."""
    total = buckets.get(math.inf, 0.0)
    if not total:
        return None
    return min(bound for bound, count in buckets.items() if count >= QUANTILE * total)
