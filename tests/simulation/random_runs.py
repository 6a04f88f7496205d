"""How random runs are made: how many steps, from which seed, and what becomes of a failure.

A failing run is named by its seed: `run(seed, runs)` fails again, and shrinks to the shortest steps that fail. Only these are worth keeping,
as a function in test_lives.py: each rule that is added or changed makes another life of every seed.
"""

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.machine import Machine

STEPS = 25


def run(number: int, runs: int, *, shrink: bool = True) -> None:
    """So many random lives from that seed. Raises what the shortest failing one raises, or the first one."""
    how = settings(
        report_multiple_bugs=False,
        max_examples=runs,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(number)(Machine), settings=how)
