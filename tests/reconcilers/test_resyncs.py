from math import inf

import pytest

from reconcilers.resyncs import LOOK_SECONDS, SHARE, Load, stretch

PLAIN = {"DescribeKey": 2000, "ListResourceTags": 2000, "GetKeyPolicy": 1000, "GetKeyRotationStatus": 1000}  # AWS's quotas


def loads(objects: int, interval: float, fraction: float, **others: float) -> list[Load]:
    """So many plain keys in one account and region, of whose quotas this fraction is ours."""
    reads = [Load(objects / interval, quota * fraction) for quota in (PLAIN | others).values()]
    return [*reads, Load(objects * LOOK_SECONDS / interval, 1.0)]


@pytest.mark.parametrize(
    ("loads", "factor"),
    [
        ([], 1.0),
        ([Load(0.0, 5.0)], 1.0),
        ([Load(2.5, 5.0)], 1.0),
        ([Load(2.6, 5.0)], 1.04),
        ([Load(5.0, 5.0)], 2.0),
        ([Load(5.0, 5.0), Load(1.0, 1000.0)], 2.0),
        ([Load(1.0, 1000.0), Load(60.0, 5.0)], 24.0),
        ([Load(1e9, inf)], 1.0),
    ],
    ids=["nothing", "no_look", "just_fits", "hardly_too_much", "all_of_it", "what_is_short_counts", "the_shortest_counts", "no_quota"],
)
def test_an_interval_grows_as_what_is_asked_exceeds_the_share_for_looks(loads: list[Load], factor: float) -> None:
    assert stretch(loads) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("objects", "interval", "fraction", "round_seconds"),
    [
        (100_000, 600.0, 0.5, 1400.0),  # our own time: 700 s of CPU, at half of a core
        (100_000, 36_000.0, 0.5, 36_000.0),
        (100_000, 600.0, 0.1, 2000.0),  # GetKeyPolicy: 50 a second
        (10_000, 600.0, 0.5, 600.0),
        (10_000, 30.0, 0.5, 140.0),
        (10, 30.0, 0.5, 30.0),
    ],
)
def test_a_round_over_a_full_account_takes_what_it_must(objects: int, interval: float, fraction: float, round_seconds: float) -> None:
    assert interval * stretch(loads(objects, interval, fraction)) == pytest.approx(round_seconds)


@pytest.mark.parametrize("objects", [1, 1000, 100_000, 10_000_000])
@pytest.mark.parametrize("interval", [1.0, 600.0, 36_000.0])
def test_looks_that_wait_so_long_take_no_more_than_their_share(objects: int, interval: float) -> None:
    asked = loads(objects, interval, 0.5, ListGrants=100)
    factor = stretch(asked)
    assert factor >= 1.0
    assert all(load.asked / factor <= load.there * SHARE * (1 + 1e-9) for load in asked)
