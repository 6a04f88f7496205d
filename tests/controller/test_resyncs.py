import random
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from aws.tally import Call
from controller.jitter import RESYNC_JITTER
from controller.objects import KubeObject, decode_object
from controller.resyncs import Resyncs
from reconcilers.urgency import Urgency

HERE = ("111122223333", "eu-central-1")
READS = {Call(*HERE, "GetKeyPolicy"): 1, Call(*HERE, "ListGrants"): 2}
RATES = {"GetKeyPolicy": 500.0, "ListGrants": 50.0}
MINUTE = timedelta(minutes=1)


def rate(call: Call) -> float | None:
    return RATES.get(call.operation)


def obj(uid: str) -> KubeObject:
    body = b'{"metadata": {"namespace": "shop", "name": "orders", "uid": "%s", "resourceVersion": "1"}}'
    return decode_object(body % uid.encode())


def mean(resyncs: Resyncs, own: timedelta | None = None, why: Urgency = Urgency.RESYNC, uid: str = "0") -> float:
    """The seconds after which an object that is known is looked at again, without the jitter."""
    found = [resyncs.after(uid, own, why, READS).total_seconds() for _ in range(400)]
    assert max(found) - min(found) > RESYNC_JITTER * max(found)
    return sum(found) / len(found)


def known(objects: int, interval: timedelta = MINUTE) -> Resyncs:
    resyncs = Resyncs(interval, rate)
    for number in range(objects):
        resyncs.after(str(number), None, Urgency.RESYNC, READS)
    return resyncs


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"controller_resync_{name}")


@pytest.mark.parametrize(
    ("objects", "own", "seconds"),
    [
        (10, None, 60),
        (750, None, 60),  # 25 ListGrants a second are for looks, half of what is ours
        (3000, None, 240),
        (3000, timedelta(seconds=30), 120),
        (3000, timedelta(hours=1), 14_400),
    ],
)
def test_an_interval_is_what_was_asked_for_times_what_all_together_exceed(objects: int, own: timedelta | None, seconds: float) -> None:
    assert mean(known(objects), own) == pytest.approx(seconds, rel=0.02)


def test_the_metrics_tell_the_longest() -> None:
    resyncs = known(3000)
    assert gauge("stretch_ratio") == pytest.approx(4.0)
    assert gauge("interval_seconds") == pytest.approx(240.0)
    for number in range(2990):
        resyncs.changed(obj(str(number)), None)
    assert (gauge("stretch_ratio"), gauge("interval_seconds")) == (1.0, 60.0)


def test_an_object_elsewhere_is_not_held_up() -> None:
    resyncs, elsewhere = known(3000), {Call(HERE[0], "us-east-1", "ListGrants"): 2}
    resyncs.after("elsewhere", None, Urgency.RESYNC, elsewhere)
    assert resyncs.after("elsewhere", None, Urgency.RESYNC, elsewhere) < 1.2 * MINUTE


def test_many_are_held_up_by_the_cpu_where_no_quota_is_short() -> None:
    resyncs = Resyncs(MINUTE, rate)
    for number in range(10_000):
        resyncs.after(str(number), None, Urgency.RESYNC, {})
    assert gauge("interval_seconds") == pytest.approx(140.0)


def test_calls_that_no_look_makes_do_not_count() -> None:
    resyncs, write = Resyncs(MINUTE, lambda _: 0.001), {Call(*HERE, "PutKeyPolicy"): 1}
    resyncs.after("repaired", None, Urgency.RESYNC, write)
    resyncs.after("changed", None, Urgency.USER, READS)
    assert gauge("stretch_ratio") == 1.0


def test_a_change_is_followed_by_the_same_interval_as_a_look() -> None:
    assert mean(known(3000), why=Urgency.USER) == pytest.approx(240.0, rel=0.02)


def test_an_object_that_came_anew_under_its_name_is_counted_once() -> None:
    resyncs = known(1, timedelta(milliseconds=1))
    before = gauge("stretch_ratio")
    resyncs.changed(obj("0"), obj("1"))
    resyncs.after("1", None, Urgency.RESYNC, READS)
    assert gauge("stretch_ratio") == before != 1.0


def test_a_key_that_was_made_here_is_looked_at_after_its_whole_interval() -> None:
    resyncs = Resyncs(MINUTE, rate)
    for why in (Urgency.CREATION, Urgency.RESYNC):
        found = [resyncs.after(f"{number}", None, why, {}) for number in range(100)]
        assert min(found) >= MINUTE * (1 - RESYNC_JITTER)


def test_first_looks_that_were_together_are_followed_by_looks_at_any_time_of_the_interval() -> None:
    random.seed(7)
    resyncs = Resyncs(MINUTE, rate)
    found = [resyncs.after(str(number), None, Urgency.RESYNC, {}).total_seconds() for number in range(3000)]
    tenths = [sum(1 for seconds in found if tenth * 6 <= seconds < tenth * 6 + 6) for tenth in range(10)]
    assert sum(tenths) == 3000
    assert all(200 < count < 400 for count in tenths)
