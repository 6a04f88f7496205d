"""Two hundred random lives of a world; `make soak` has ten thousand."""

import pytest

from tests.simulation.random_runs import run

RUNS = 50


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_random_runs_break_nothing(seed: int) -> None:
    run(seed, RUNS)
