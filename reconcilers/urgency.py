"""Who goes first where calls have to wait for a quota: what a user has just asked for, and what only keeps things as they are last."""

import enum
from typing import Protocol


class Urgency(enum.IntEnum):
    """Why AWS is called; the lower goes first."""

    USER = 0  # deletions and changes: somebody waits for them
    CREATION = 1
    REPAIR = 2
    RESYNC = 3  # looks, at what was as declared when it was looked at last


class _Status(Protocol):
    @property
    def observed_generation(self) -> int | None: ...


class _Declared(Protocol):
    @property
    def deleting(self) -> bool: ...
    @property
    def generation(self) -> int: ...
    @property
    def status(self) -> _Status: ...


def urgency(obj: _Declared, *, made: bool) -> Urgency:
    """Of a pass over an object, as it begins. made: there is something of the object in AWS."""
    if obj.deleting:
        return Urgency.USER
    if not made:
        return Urgency.CREATION
    return Urgency.USER if obj.status.observed_generation != obj.generation else Urgency.RESYNC


def of_writes(looking: Urgency) -> Urgency:
    """Of what such a pass finds to be done: nobody has asked for what a resync sets right."""
    return min(looking, Urgency.REPAIR)
