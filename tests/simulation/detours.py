"""Scenarios in which more has happened before the change than that the key was made, or that end otherwise than ready."""

from dataclasses import dataclass

from tests.simulation.scenarios import FULL, NAME, Scenario
from tests.simulation.world import World


@dataclass(frozen=True)
class Return(Scenario):
    """The object is deleted as `before` says, and applied again."""

    async def prepare(self, world: World) -> None:
        await super().prepare(world)
        world.delete(NAME)
        await world.gone(NAME)


@dataclass(frozen=True)
class Release(Scenario):
    """The object is deleted while it is protected; `after` lets it go."""

    async def prepare(self, world: World) -> None:
        await super().prepare(world)
        world.delete(NAME)
        await world.reason(NAME, "DeletionBlocked")

    async def settle(self, world: World) -> None:
        await world.gone(NAME)


@dataclass(frozen=True)
class Suspension(Scenario):
    """`after` suspends the object, whatever else it changes."""

    async def settle(self, world: World) -> None:
        await _suspended(world)


@dataclass(frozen=True)
class Resumption(Scenario):
    """The object was given `after` while it was suspended."""

    async def prepare(self, world: World) -> None:
        await super().prepare(world)
        assert self.after is not None
        world.apply(NAME, **self.after, suspend=True)
        await _suspended(world)


@dataclass(frozen=True)
class Correction(Scenario):
    """Somebody else has changed the key, which is told and left so until `after`."""

    async def prepare(self, world: World) -> None:
        await super().prepare(world)
        arn = world.key(NAME).arn
        world.outside("UpdateKeyDescription", KeyId=arn, Description="theirs")
        world.outside("TagResource", KeyId=arn, Tags=[{"TagKey": "team", "TagValue": "theirs"}])
        world.outside("DisableKey", KeyId=arn)
        await world.until(lambda: len(world.status(NAME).get("drift", ())) == 3)


async def _suspended(world: World) -> None:
    def is_so() -> bool:
        found, synced = world.find(NAME), world.condition(NAME, "Synced")
        return found is not None and (synced["reason"], synced["observedGeneration"]) == ("Suspended", found["metadata"]["generation"])

    await world.until(is_so)


def _return(policy: str) -> Return:
    spec = FULL | {"aliases": ["orders"], "deletionPolicy": policy}
    return Return(spec, spec)


_CHANGED = FULL | {"description": "All orders", "tags": {"team": "mail"}, "enabled": False}
DETOURS: dict[str, Scenario] = {
    **{f"come back after {policy}": _return(policy) for policy in ("Retain", "DisableKey", "ScheduleKeyDeletion")},
    "let a deletion go on, with another window": Release(
        FULL | {"deletionProtection": True}, FULL | {"deletionProtection": False, "pendingWindowInDays": 7}
    ),
    "suspend and change": Suspension(FULL, _CHANGED | {"suspend": True}),
    "resume": Resumption(FULL, _CHANGED),
    "correct what was told": Correction(FULL | {"driftPolicy": "Report"}, FULL),
}
