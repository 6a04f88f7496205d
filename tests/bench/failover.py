"""How long nobody works when the leader goes: from the signal to the first AWS call of the standby.

With the default lease of 15 s a leader that says goodbye is followed within a retry period, and one that is killed after its lease has
run out.
"""

import os
import signal
import time
from collections.abc import Callable

from tests.bench.figures import Figure
from tests.bench.steady import started
from tests.bench.world import STOP_SECONDS, World
from tests.cluster.operator_process import Operator


def failover(world: World, objects: int) -> list[Figure]:
    """Both ways to lose the leader, one after the other, with so many keys. Raises ProcessError and TimeoutError."""
    with started(world, objects, replica=1) as (first, _), world.operator(replica=2) as second:
        after_sigterm = _gap(world, lambda: _terminate(first))
        with world.operator(replica=3):
            after_sigkill = _gap(world, lambda: _kill(second))
    return [
        Figure("Failover after SIGTERM", after_sigterm, "s", "16-19 s"),
        Figure("Failover after SIGKILL", after_sigkill, "s", "16-19 s"),
    ]


def _gap(world: World, end: Callable[[], None]) -> float:
    """From ending the leader to the first call after it has gone."""
    began = time.monotonic()
    end()
    world.wait_for_calls(world.backend.count() + 1)
    return time.monotonic() - began


def _terminate(leader: Operator) -> None:
    leader.process.terminate(STOP_SECONDS)


def _kill(leader: Operator) -> None:
    os.kill(leader.process.pid, signal.SIGKILL)
    leader.process.wait(STOP_SECONDS)
