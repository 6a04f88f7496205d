"""What docs/performance.md calculates, calculated."""

import re
from datetime import timedelta

import pytest

from aws.quotas import PER_SECOND
from reconcilers import durations
from reconcilers.resyncs import LOOK_SECONDS, Load, stretch
from tests.bench.steady import READS
from tests.cluster.emulator import REPOSITORY

ROWS = re.findall(
    r"^\| ([\d,]+) \| (\w+) \| ([\d.]+) \| (\w+) \| (\w+) \| (\w+) \|$", (REPOSITORY / "docs/performance.md").read_text(), re.MULTILINE
)
MOMENT = timedelta(milliseconds=1)  # asked for so often, looks take what they must


def quotas(objects: int, interval: timedelta, fraction: float) -> list[Load]:
    return [Load(objects / interval.total_seconds(), PER_SECOND[read] * fraction) for read in READS]


def cpu(objects: int, interval: timedelta) -> Load:
    return Load(objects * LOOK_SECONDS / interval.total_seconds(), 1.0)


def test_there_is_a_table() -> None:
    assert len(ROWS) == 4


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_the_interval_of_many_keys_is_what_the_rule_says(row: tuple[str, ...]) -> None:
    number, asked, fraction, by_quotas, by_cpu, told = row
    objects, interval, share = int(number.replace(",", "")), durations.parse(asked), float(fraction)
    assert durations.parse(by_quotas) / MOMENT == pytest.approx(stretch(quotas(objects, MOMENT, share)))
    assert durations.parse(by_cpu) / MOMENT == pytest.approx(stretch([cpu(objects, MOMENT)]))
    in_force = stretch([*quotas(objects, interval, share), cpu(objects, interval)]) * interval
    assert in_force / durations.parse(told) == pytest.approx(1.0)
