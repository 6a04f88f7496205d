"""The figures beside their baseline: what is shown, what counts as a change, what is kept in files."""

from pathlib import Path

import pytest

from tests.bench.figures import Figure, change, load, save, table


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        (10.0, None, "new"),
        (10.0, 10.0, "same"),
        (10.1, 10.0, "same"),
        (10.3, 10.0, "+3%"),
        (11.9, 10.0, "+19%"),
        (8.1, 10.0, "-19%"),
        (12.1, 10.0, "+21% worse"),
        (7.5, 10.0, "-25% better"),
        (0.01, 0.0, "same"),
        (0.04, 0.0, "+100% worse"),
    ],
)
def test_a_change_is_judged_only_beyond_the_noise(now: float, before: float | None, shown: str) -> None:
    assert change(now, before) == shown


def test_the_table_shows_now_the_baseline_and_the_peers_side_by_side() -> None:
    figures = [Figure("CPU", 15.25, "ms", "20 / 30 ms"), Figure("Objects", 1234.0, "", note="of two kinds")]
    assert table(figures, {"CPU": 30.5}).splitlines() == [
        "             now  baseline  change       ACK kms / older Go operator",
        "CPU      15.2 ms   30.5 ms  -50% better  20 / 30 ms",
        "Objects    1,234            new",
        "",
        "Objects: of two kinds",
    ]


def test_what_was_saved_is_loaded_by_name(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    save(path, [Figure("CPU", 15.25, "ms"), Figure("Memory", 99.0, "MB")])
    assert load(path) == {"CPU": 15.25, "Memory": 99.0}


def test_without_a_baseline_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert load(tmp_path / "none.json") == {}
