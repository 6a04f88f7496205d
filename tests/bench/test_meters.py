"""What the meters read: metrics as text, and processes as /proc shows them."""

import os
import resource
import time

import pytest

from tests.bench.meters import Usage, age_seconds, cpu_seconds, memory, parse, total

TEXT = """\
# TYPE aws_request counter
aws_request_total{code="OK",operation="CreateKey",service="kms"} 3.0
aws_request_total{code="ThrottlingException",operation="CreateKey",service="kms"} 1.0
aws_request_total{code="OK",operation="DescribeKey",service="kms"} 7.0
"""


@pytest.mark.parametrize(
    ("labels", "sum_"), [({}, 11.0), ({"operation": "CreateKey"}, 4.0), ({"operation": "CreateKey", "code": "OK"}, 3.0), ({"x": "y"}, 0.0)]
)
def test_series_are_summed_over_the_labels_that_are_not_named(labels: dict[str, str], sum_: float) -> None:
    assert total(parse(TEXT), "aws_request_total", **labels) == sum_


def test_an_idle_operators_share_is_taken_off_by_the_time() -> None:
    busy = Usage(seconds=20, operator_cpu=1.5, servers_cpu=4.0, aws_calls=200, kube_calls=710, passes=100)
    idle = Usage(seconds=10, operator_cpu=0.1, servers_cpu=0.5, aws_calls=0, kube_calls=5, passes=0)
    assert busy.above(idle) == Usage(seconds=20, operator_cpu=1.3, servers_cpu=3.0, aws_calls=200, kube_calls=700, passes=100)


def test_the_cpu_time_of_a_process_is_what_the_process_itself_is_told() -> None:
    read = cpu_seconds(os.getpid())
    own = resource.getrusage(resource.RUSAGE_SELF)
    assert read == pytest.approx(own.ru_utime + own.ru_stime, abs=0.1)


def test_memory_is_at_most_its_peak() -> None:
    held = memory(os.getpid())
    assert 0 < held.now <= held.peak


def test_a_process_is_younger_than_the_machine() -> None:
    assert 0 < age_seconds(os.getpid()) < time.clock_gettime(time.CLOCK_BOOTTIME)
