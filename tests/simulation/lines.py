"""The way of one replica to the world: every request of it, to AWS or to the API server, goes along here.

    before: the call is about to leave          after: it was executed, and its answer is on the way
              |                                         |
    caller ---+--- half of the latency --- executed ----+--- half of the latency --- caller

Rules:
1. What is executed is executed at once, between two awaits: the models never see half of a request.
2. `watcher` is called at both points of each call, and may kill or stop the replica there, or do anything else to the world. It returns
   for how many seconds the call stays at this point.
3. Along a line that was cut nothing moves any more: not the call that was about to leave, not the answer, and no later call.
4. What has left arrives, though the process that sent it stands still: the way there needs no turn of the process.
5. Each call is written down with the time at which it was executed, by whom, on what, and what came of it.
"""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, cast

from tests.simulation.calls import Call, Target
from tests.simulation.faults import ANSWER, Fault, Faults

T = TypeVar("T")
# What happens on the wire is nobody's turn.
_WIRE = contextvars.Context()
Point = Literal["before", "after"]


Watcher = Callable[[Call, Point], float]


def undisturbed(_call: Call, _point: Point) -> float:
    """The watcher that does nothing."""
    return 0.0


class Traffic:
    """All calls of all replicas, and what is set up to go wrong with the next ones."""

    def __init__(self, seed: int = 0) -> None:
        self.calls: list[Call] = []
        self.faults = Faults(seed)
        self.watcher: Watcher = undisturbed

    def executed(self, target: Target, since: float = 0.0, *, writes: bool = True) -> list[Call]:
        """The calls that were done, and not refused, from that time on."""
        return [c for c in self.calls if c.target == target and c.writes is writes and c.outcome == "OK" and c.at >= since]

    def names(self, target: Target, since: float = 0.0, *, writes: bool = True) -> Counter[str]:
        """How often each of these was done. Left out: who we are, which each provider asks twice a minute."""
        return Counter(call.name for call in self.executed(target, since, writes=writes) if call.name != "GetCallerIdentity")


class Line:
    """One replica's; see the rules above."""

    def __init__(self, replica: str, traffic: Traffic) -> None:
        self.replica = replica
        self.cut = False
        self._traffic = traffic

    async def carry(self, call: Call, latency: float, execute: Callable[[], T]) -> T:
        """Do it there and come back with the answer; latency in seconds there and back. Raises what the other side, or a fault, raises."""
        call.sent = asyncio.get_running_loop().time()
        trip = await self._arrive(call, latency / 2 + self._traffic.watcher(call, "before"), execute)
        fault = trip.fault
        await self._stay(latency / 2 + trip.stays + (fault.delay if fault else 0.0))
        outcome = await happen(fault) if fault else ANSWER
        if outcome is not ANSWER:
            return cast(T, outcome)
        assert trip.answer is not None
        return trip.answer.open()

    async def _arrive(self, call: Call, seconds: float, execute: Callable[[], T]) -> "_Trip[T]":
        """After so many seconds the other side has done what it will do, unless the caller is cancelled before."""
        if self.cut:
            await never()
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[_Trip[T]] = loop.create_future()

        def arrive() -> None:
            if not self.cut and not arrived.cancelled():  # a caller that gives up at this very moment has not sent it
                arrived.set_result(self._happen_there(call, execute))

        timer = loop.call_later(seconds, arrive, context=_WIRE)
        try:
            return await arrived
        finally:
            timer.cancel()

    def _happen_there(self, call: Call, execute: Callable[[], T]) -> "_Trip[T]":
        trip = _Trip[T](self._traffic.faults.take(call))
        for _ in range(1 if trip.fault is None else trip.fault.executes):
            again = self._execute(call, execute)
            trip.answer = trip.answer or again
            trip.stays += self._traffic.watcher(call, "after")
            if self.cut:
                break
        return trip

    def _execute(self, call: Call, execute: Callable[[], T]) -> "_Answer[T]":
        call.at = asyncio.get_running_loop().time()
        self._traffic.calls.append(call)
        try:
            return _Answer(execute())
        except Exception as error:  # noqa: BLE001 - whatever the other side says is brought back
            return _Answer(None, error)

    async def _stay(self, seconds: float) -> None:
        """Let time pass. On a line that is cut, or is cut meanwhile, it does so for ever."""
        if not self.cut:
            await asyncio.sleep(seconds)
        if self.cut:
            await never()


@dataclass
class _Trip(Generic[T]):
    """What happened there, and for how long the answer stays there."""

    fault: Fault | None
    answer: "_Answer[T] | None" = None
    stays: float = 0.0


@dataclass
class _Answer(Generic[T]):
    value: T | None
    error: Exception | None = None

    def open(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self.value)


async def happen(fault: Fault) -> object:
    """What the caller gets in place of an answer."""
    outcome = fault.outcome()
    if outcome is None:
        await never()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def never() -> None:
    """Wait until somebody cancels."""
    await asyncio.get_running_loop().create_future()
