"""What all steps of a random life work with: one world, what was done in it, and the processes that live.

A step is a rule of hypothesis' stateful machine. The steps stand in files of one idea each; machine.py puts them together.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, TypeVar
from unittest.mock import patch

from hypothesis.stateful import RuleBasedStateMachine
from structlog.testing import capture_logs

from tests.simulation.conftest import SEED
from tests.simulation.invariants import Invariants
from tests.simulation.passes import Passes
from tests.simulation.replicas import Replica
from tests.simulation.world import World
from tests.virtual_time import VirtualTimeLoop

T = TypeVar("T")
# What comes and goes all the time, and half of a life's cost, is rarer than shipped: the heartbeats, still far within the lease's renew
# deadline, and the looks at providers, which are also woken by the keys that they turn away.
RARER: dict[str, object] = {
    "controller.app.BEAT_SECONDS": 4.0,
    "controller.server.TICK_SECONDS": 4.0,
    "reconcilers.awsprovider.LOOK_AGAIN": timedelta(seconds=55),
}

# How often what was done, such as "apply", "fault lost answer of AWS", "crash after CreateKey".
COVERED: Counter[str] = Counter()


class Life(RuleBasedStateMachine):
    """One world, step by step. cast: the names of its KMSKeys."""

    world: World
    promises: Invariants

    def __init__(self) -> None:
        super().__init__()
        random.seed(SEED)
        self._stack = ExitStack()
        self.logs = self._stack.enter_context(capture_logs())
        self.passes = self._stack.enter_context(Passes())
        for name, value in RARER.items():
            self._stack.enter_context(patch(name, value))
        self.loop = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.settings: dict[str, Any] = {}
        self.cast: tuple[str, ...] = ()
        self.number = 0
        self.index_is_late = False
        self.live = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(coroutine)

    def make_world(self, *, pair: bool) -> None:
        """With half as much traffic of the lease as shipped."""
        self.settings = {"leader_elect": pair, "retry_period": timedelta(seconds=4), "allow_policy_lockout_bypass": True}
        self.world = self.run(_made())
        self.promises = Invariants(self.world)

    def begin_process(self, ahead: float = 0.0) -> None:
        """One more process of the operator, whose wall clock is so many seconds ahead."""
        self.number += 1
        self.in_loop(lambda: self.world.start(f"r{self.number}", ahead, **self.settings))

    def alive(self) -> list[Replica]:
        """Those that stand still too."""
        return [one for one in self.world.replicas.values() if one.exit_code is None]

    def did(self, what: str) -> None:
        COVERED[what] += 1

    def in_loop(self, act: Any) -> None:
        async def acted() -> None:
            act()

        self.run(acted())

    def close(self) -> None:
        """The end of the world."""
        if self.live:
            self.run(self.world.__aexit__(None, None, None))
        self.loop.close()
        self._stack.close()


async def _made() -> World:
    return World()
