"""The list of bad inputs is whole: each of the numbers B1 to B126 names a test on the level where its result is decided."""

import re
from pathlib import Path

LEVELS = [Path(__file__).with_name(level) / "test_bad_inputs.py" for level in ("cluster", "controller", "reconcilers")]
NUMBER = re.compile(r'(?:"|_)[Bb](\d+)(?:: |_)')  # at the beginning of a row, or in the name of a test


def test_no_number_is_missing() -> None:
    told = {int(number) for level in LEVELS for number in NUMBER.findall(level.read_text())}
    assert sorted(set(range(1, 127)) - told) == []
    assert max(told) == 126
