import random

import pytest

from controller.kube import Gone, KubeError, TooLargeResourceVersion, TooManyRequests, Unavailable
from controller.position import (
    FIRST_DELAY_SECONDS,
    IDLE_SECONDS,
    JITTER,
    LAST_DELAY_SECONDS,
    LONG_WATCH_SECONDS,
    RETRY_AFTER_LIMIT_SECONDS,
    SPACING_SECONDS,
    Backoff,
    EmptyWatchError,
    OutOfOrderError,
    Position,
    Watched,
    is_newer,
)
from controller.streams import GarbageError

GOOD = Watched(lived=100, chunks=3, events=3)
EMPTY = Watched(lived=0.1)
SILENT = Watched(lived=IDLE_SECONDS)
GONE = Gone(410, "Expired", "too old")
DOWN = Unavailable(0, "ConnectionRefusedError", "refused")


def listed(version: str = "7") -> Position:
    position = Position()
    position.listed(version)
    return position


def version_and_doubt(position: Position) -> tuple[str | None, str]:
    """Behind a function, because mypy remembers what an attribute was."""
    return position.version, position.doubt


def test_at_first_a_list_is_needed() -> None:
    assert version_and_doubt(Position()) == (None, "start")


@pytest.mark.parametrize(
    ("version", "other", "newer"),
    [("10", "9", True), ("9", "10", False), ("9", "9", False), ("abc", "abd", True), ("abc", "abc", False), ("²", "1", True)],
)
def test_versions_compare_as_numbers_where_they_are_numbers(version: str, other: str, newer: bool) -> None:
    assert is_newer(version, other) is newer


def test_it_only_advances() -> None:
    position = listed("7")
    for version in ("9", "8", "10", "10"):
        position.advance(version)
    assert position.version == "10"


@pytest.mark.parametrize(
    ("error", "doubt"),
    [
        (GONE, "expired"),
        (TooLargeResourceVersion(504, "Timeout", "too new"), "too_large_version"),
        (GarbageError("x"), "garbage"),
        (OutOfOrderError("x"), "out_of_order"),
        (DOWN, None),
        (TooManyRequests(429, "TooManyRequests", "later"), None),
        (KubeError(400, "BadRequest", "no"), None),
        (EmptyWatchError("x"), None),
    ],
)
def test_only_what_casts_doubt_on_the_version_drops_it(error: Exception, doubt: str | None) -> None:
    position = listed("7")
    assert position.after_watch(EMPTY, error) >= FIRST_DELAY_SECONDS * (1 - JITTER)
    assert version_and_doubt(position) == (("7", "start") if doubt is None else (None, doubt))


def test_a_version_that_had_worked_is_replaced_at_once_when_it_expires() -> None:
    position = listed()
    position.after_watch(GOOD, DOWN)
    assert [position.after_watch(EMPTY, DOWN) > 0 for _ in range(5)] == [True] * 5
    assert position.after_watch(EMPTY, GONE) == 0


def test_a_version_fresh_from_a_list_that_expires_waits_longer_each_time() -> None:
    position, pauses = Position(), []
    for _ in range(6):
        position.listed("7")
        pauses.append(position.after_watch(EMPTY, GONE))
    assert pauses == sorted(pauses)
    assert pauses[-1] > 10


def test_pauses_double_up_to_the_last_and_start_over_after_a_watch_that_worked() -> None:
    position = listed()
    ceilings = [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]
    pauses = [position.after_watch(EMPTY, DOWN) for _ in ceilings]
    assert all(ceiling * (1 - JITTER) <= pause <= ceiling for pause, ceiling in zip(pauses, ceilings, strict=True))
    assert position.after_watch(GOOD, DOWN) <= FIRST_DELAY_SECONDS


def test_a_long_watch_without_events_has_worked() -> None:
    position = listed()
    for _ in range(10):
        position.after_watch(EMPTY, DOWN)
    assert position.after_watch(Watched(lived=LONG_WATCH_SECONDS), DOWN) <= FIRST_DELAY_SECONDS


def test_events_before_garbage_do_not_shorten_the_pauses() -> None:
    position, pauses = Position(), []
    for _ in range(6):
        position.listed("7")
        pauses.append(position.after_watch(GOOD, GarbageError("x")))
    assert pauses == sorted(pauses)
    assert pauses[-1] > 10


@pytest.mark.parametrize(("lived", "pause"), [(100, 0), (SPACING_SECONDS, 0), (0.1, SPACING_SECONDS - 0.1)])
def test_after_a_good_end_only_the_spacing_is_kept(lived: float, pause: float) -> None:
    assert listed().after_watch(Watched(lived=lived, chunks=1, events=1), None) == pytest.approx(pause)


@pytest.mark.parametrize(
    ("asked", "least"), [(None, 0.6), (7.0, 7.0), (86_400.0, RETRY_AFTER_LIMIT_SECONDS), (0.001, FIRST_DELAY_SECONDS * (1 - JITTER))]
)
def test_retry_after_lengthens_a_pause_up_to_its_limit(asked: float | None, least: float) -> None:
    pause = listed().after_failure(TooManyRequests(429, "TooManyRequests", "later", asked))
    assert least <= pause <= max(least, FIRST_DELAY_SECONDS)


def test_two_silent_watches_in_a_row_drop_the_version() -> None:
    position = listed()
    for watched in (SILENT, GOOD, SILENT):
        position.after_watch(watched, DOWN)
    assert version_and_doubt(position) == ("7", "start")
    position.after_watch(SILENT, DOWN)
    assert version_and_doubt(position) == (None, "silent")


def test_a_short_watch_with_nothing_in_it_is_empty() -> None:
    assert EMPTY.is_empty
    assert not Watched(lived=0.1, chunks=1, events=1).is_empty
    assert not Watched(lived=5).is_empty


def test_ten_minutes_without_a_server_take_three_watches_no_more_than_ninety_attempts() -> None:
    for seed in range(100):
        random.seed(seed)
        assert sum(_attempts(600) for _ in range(3)) <= 90


def _attempts(seconds: float) -> int:
    backoff, waited, attempts = Backoff(), 0.0, 1
    while (waited := waited + backoff.next()) < seconds:
        attempts += 1
    assert backoff.next() <= LAST_DELAY_SECONDS
    return attempts
