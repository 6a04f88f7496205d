"""Scenarios under a lease, as the operator runs in a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.etcd import Json
from tests.simulation.plays import Playable
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.world import World


@dataclass(frozen=True)
class Leased:
    """`scenario`, while a process begins: that of the preparations has given the lease back, and another takes it."""

    scenario: Playable

    @property
    def is_lost(self) -> bool:
        return self.scenario.is_lost

    @property
    def settings(self) -> Mapping[str, Any]:
        return {**self.scenario.settings, "leader_elect": True}

    async def prepare(self, world: World) -> None:
        await self.scenario.prepare(world)
        (first,) = world.replicas.values()
        first.terminate()
        await first.ended()

    def act(self, world: World) -> None:
        world.start("b")
        self.scenario.act(world)

    async def settle(self, world: World) -> None:
        await self.scenario.settle(world)

    def find(self, world: World) -> Json | None:
        return self.scenario.find(world)


LEASED = {f"{name}, under a lease": Leased(SCENARIOS[name]) for name in ("create", "rotate on demand", "delete with ScheduleKeyDeletion")}
