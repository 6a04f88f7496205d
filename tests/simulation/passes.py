"""The passes of all processes of a simulation: never two over one object at once, and few where every one fails; and the queues behind them.

Use it as a context manager: it stands around the passes for so long, so that each call knows when the one that made it began, and notes what
the workers of each process are given.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from controller import kinds
from controller.key_pass import KeyPass
from controller.kinds import Kind
from controller.objects import Ref
from controller.workers import Workers
from tests.simulation.calls import PASS_BEGAN
from tests.simulation.checks import BrokenError, hold
from tests.simulation.replicas import current
from tests.simulation.world import World

HOUR = 3600.0
TRIES_AN_HOUR = 14


class Passes:
    """Those that have begun since it was entered."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._under_way: Counter[tuple[str, str]] = Counter()  # by process and uid
        self._failed: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        self._kinds: dict[str, Sequence[Kind]] = {}

    def __enter__(self) -> "Passes":
        self._stack.enter_context(patch.object(KeyPass, "run", self._counted(KeyPass.run)))
        self._stack.enter_context(patch.object(Workers, "_pass", _timed(Workers._pass)))
        self._stack.enter_context(patch("controller.app.work", self._noted(kinds.work)))
        return self

    def __exit__(self, *_of_error: object) -> None:
        self._stack.close()

    def failed_too_often(self, world: World) -> Iterator[str]:
        """I23: by which processes and over which objects, at any hour, each reason to look again counted."""
        for (process, uid), failed in self._failed.items():
            wakes = _wakes(world, uid)
            for at in failed:
                tries = sum(at <= one < at + HOUR for one in failed)
                asked = sum(at - HOUR <= one < at + HOUR for one in wakes)
                if tries > TRIES_AN_HOUR + asked:
                    yield f"{process} has tried {uid} {tries} times in the hour from {at:.0f} s, asked {asked} times"

    def left_behind(self, world: World) -> Iterator[str]:
        """I22: what the queues and stores of living processes hold of objects that are not there any more."""
        for process, theirs in self._kinds.items():
            if world.replicas[process].exit_code is None:
                for kind in theirs:
                    yield from (f"{process} {one}" for one in _left_behind(kind, world))

    def _counted(self, original: Callable[[KeyPass], Awaitable[Any]]) -> Callable[[KeyPass], Awaitable[Any]]:
        async def run(one: KeyPass) -> Any:
            replica = current()
            place = (replica.name if replica else "", one.own.key.uid)
            hold("I8", not self._under_way[place], f"two passes over {one.own.key.name} at once")
            self._under_way[place] += 1
            try:
                return await original(one)
            except Exception:
                self._failed[place].append(asyncio.get_running_loop().time())
                raise
            finally:
                self._under_way[place] -= 1

        return run

    def _noted(self, original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def work(theirs: Sequence[Kind], expected: tuple[type[Exception], ...]) -> None:
            replica = current()
            if replica is None:
                raise BrokenError("somebody works outside of a process")
            self._kinds[replica.name] = theirs
            await original(theirs, expected)

        return work


def _timed(original: Callable[[Workers, Ref], Awaitable[None]]) -> Callable[[Workers, Ref], Awaitable[None]]:
    async def one_pass(workers: Workers, ref: Ref) -> None:
        before = PASS_BEGAN.set(asyncio.get_running_loop().time())
        try:
            await original(workers, ref)
        finally:
            PASS_BEGAN.reset(before)

    return one_pass


def _wakes(world: World, uid: str) -> list[float]:
    """When there was a reason for a pass beside the last one's failure: the object's own changes, and those of its provider."""
    return [
        entry.at
        for entry in world.etcd.log
        if entry.plural == "awsproviders" or (entry.body["metadata"]["uid"] == uid and _asks(entry.before, entry.body))
    ]


def _asks(before: Any, after: Any) -> bool:
    """A change of status alone wakes nobody."""
    return before is None or any(
        before["metadata"].get(name) != after["metadata"].get(name)
        for name in ("generation", "annotations", "deletionTimestamp", "finalizers")
    )


def _left_behind(kind: Kind, world: World) -> Iterator[str]:
    plural, controller = kind.resource.plural, kind.controller
    there = {(obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in world.etcd.all(plural)}
    held = {
        "the store": {obj.ref for obj in controller.store},
        "the timers": set(controller.queue._timers),
        "the failures": set(controller.queue._failures),
    }
    for name, refs in held.items():
        if gone := {tuple(ref) for ref in refs} - there:
            yield f"{plural}: {name} hold {sorted(gone)}"
