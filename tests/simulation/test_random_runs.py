"""Two hundred random lives of a world; `make soak` has ten thousand."""

import pytest

from tests.simulation.random_runs import run

RUNS = 50


@pytest.mark.holds("F12", "F41", "F43", "I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12", "I13")
@pytest.mark.holds("I14", "I15", "I16", "I17", "I18", "I19", "I20", "I21", "I22", "I23", "I24", "I25")
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_random_runs_break_nothing(seed: int) -> None:
    run(seed, RUNS)
