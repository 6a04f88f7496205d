"""For how long a reading of the keys is believed, and what of it stays when the next one ends."""

import pytest

from aws import key_index
from aws.key_index import DENIED_SECONDS, HOUR_SECONDS, LAG_SECONDS, KeyIndex

DENIED = False
WHOLE = True


def read(index: KeyIndex, now: float, *found: tuple[str, str], whole: bool = WHOLE, cost: float = 0.0) -> None:
    index.begin(now)
    index.end(found, now, whole=whole, cost=cost)


def good_for(index: KeyIndex, now: float) -> float:
    """How long from now on, to the second."""
    return next(seconds for seconds in range(100_000) if not index.is_good(now + seconds))


def test_what_was_never_read_is_not_good() -> None:
    assert not KeyIndex().is_good(0.0)
    assert not KeyIndex().was_read


@pytest.mark.parametrize(
    ("before", "whole", "cost", "expected"),
    [
        pytest.param(None, WHOLE, 0.0, LAG_SECONDS, id="the first may be too early"),
        pytest.param(None, WHOLE, 200.0, LAG_SECONDS, id="the first is repeated whatever it costs"),
        pytest.param(LAG_SECONDS - 1, WHOLE, 0.0, LAG_SECONDS, id="another within the lag is too early as well"),
        pytest.param(LAG_SECONDS, WHOLE, 0.0, HOUR_SECONDS, id="one after the lag is good for an hour"),
        pytest.param(LAG_SECONDS, WHOLE, 36.0, HOUR_SECONDS, id="a hundredth of the quota is not more than that"),
        pytest.param(LAG_SECONDS, WHOLE, 200.0, 20_000.0, id="one that costs much is good for longer"),
        pytest.param(None, DENIED, 0.0, DENIED_SECONDS, id="what was denied is tried again"),
        pytest.param(9000.0, DENIED, 0.0, DENIED_SECONDS, id="what was denied later too"),
        pytest.param(9000.0, DENIED, 50.0, 5000.0, id="and that costs no more than a hundredth either"),
    ],
)
def test_a_reading_is_good_for_as_long_as_it_may_be_believed(before: float | None, whole: bool, cost: float, expected: float) -> None:
    index, now = KeyIndex(), 5000.0
    if before is not None:
        read(index, now - before)
    read(index, now, whole=whole, cost=cost)
    assert good_for(index, now) == expected


def test_a_reading_that_fails_is_no_reading_but_its_time_counts() -> None:
    index = KeyIndex()
    index.begin(0.0)
    assert not index.was_read
    read(index, LAG_SECONDS)
    assert good_for(index, LAG_SECONDS) == HOUR_SECONDS


def test_a_whole_reading_forgets_what_it_does_not_show_and_one_that_was_denied_something_does_not() -> None:
    index = KeyIndex()
    read(index, 0.0, ("shop/orders", "gone"), ("shop/orders", "one"), ("shop/sales", "renamed"))
    read(index, 600.0, ("shop/orders", "two"), whole=DENIED)
    assert index.of("shop/orders") == {"gone", "one", "two"}
    read(index, 1200.0, ("shop/orders", "one"), ("shop/bills", "renamed"))
    assert (index.of("shop/orders"), index.of("shop/sales"), index.of("shop/bills")) == ({"one"}, set(), {"renamed"})


def test_what_was_noted_outlives_the_next_reading_which_may_not_show_it_yet_and_not_the_one_after() -> None:
    index = KeyIndex()
    read(index, 0.0)
    index.note("shop/orders", "before")
    index.begin(600.0)
    index.note("shop/orders", "meanwhile")
    assert index.of("shop/orders") == {"before", "meanwhile"}
    index.end([], 601.0, whole=True, cost=0.0)
    assert index.of("shop/orders") == {"before", "meanwhile"}
    read(index, 5000.0)
    assert index.of("shop/orders") == {"meanwhile"}
    read(index, 9000.0)
    assert index.of("shop/orders") == set()


def test_what_was_noted_outlives_readings_that_fail() -> None:
    index = KeyIndex()
    for moment, arn in enumerate(("one", "two", "three")):
        index.note("shop/orders", arn)
        index.begin(float(moment))
    read(index, 10.0)
    assert index.of("shop/orders") == {"one", "two", "three"}


def test_what_is_noted_again_and_again_takes_no_more_room_and_all_of_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_index, "MOST_NOTED", 2)
    index = KeyIndex()
    for owner in ("first", "first", "second", "third"):
        index.note(owner, "key")
    assert [sorted(index.of(owner)) for owner in ("first", "second", "third")] == [[], ["key"], ["key"]]
