"""One process of the operator inside a simulation: started, stopped in order, or killed where it stands.

Rules:
1. Whatever task the program starts, directly or not, belongs to its replica: a task factory notes it by a context variable.
2. kill() is kill -9. The replica's line is cut first, so that no finally block and no shielded section can reach a model any more; then all
   of its tasks are cancelled until none is left.
3. freeze() is SIGSTOP: the process gets no turn any more until thaw(), and then all at once what it has missed. The world goes on: what it
   has sent arrives, and its answers wait for it.
4. Between two turns of its tasks a process is at an await. `before_step` is called there, at each of them, and may kill it.
5. A lost lease kills the replica, as it ends the process in production, and leaves exit code 1.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from dataclasses import replace
from typing import Any, cast

from controller.app import Place, Program
from controller.keeper import Keeper, OnlyOne
from controller.kube import Kube
from controller.lease import Lease, NoLease
from controller.lease_rules import LeaseConfig
from controller.leases import seat
from controller.settings import Settings
from tests.simulation.api_server import ApiServer
from tests.simulation.api_transport import ModelTransport
from tests.simulation.aws_wires import Aws, AwsLine
from tests.simulation.clocks import WallClock
from tests.simulation.lines import Line, Traffic
from tests.virtual_time import VirtualTimeLoop

_OWNER: contextvars.ContextVar["Replica"] = contextvars.ContextVar("replica")


class Replica:
    """A process. `exit_code` is None while it runs."""

    def __init__(self, settings: Settings, traffic: Traffic, server: ApiServer, aws: Aws, clock: WallClock) -> None:
        self.name = settings.pod_name
        self.exit_code: int | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.line = Line(self.name, traffic)
        self.transport = ModelTransport(server, self.line)
        self._server = server
        self.seat = ours = seat(settings)
        self.lease: Lease | NoLease = self._open(ours.work, self._lost) if settings.leader_elect else NoLease()
        self.keeper: Keeper | OnlyOne = OnlyOne()
        kept = ours.keeper
        if kept is not None:
            self.keeper = Keeper(lambda lost: self._open(kept, lost))
        self._settings = settings
        self._aws = AwsLine(aws, self.line)
        self.clock = clock
        self._stop = asyncio.Event()
        self._missed: list[asyncio.Handle] | None = None  # while it is frozen

    def start(self) -> None:
        """Begin; it runs until it is stopped, killed, or ends by itself."""
        context = contextvars.copy_context()
        context.run(_OWNER.set, self)
        self._main = asyncio.get_running_loop().create_task(self._run(), name=f"{self.name} main", context=context)

    def terminate(self) -> None:
        """SIGTERM."""
        self._stop.set()

    @property
    def is_ending(self) -> bool:
        """Whether it was asked to."""
        return self._stop.is_set()

    def freeze(self) -> None:
        """SIGSTOP. One that is dead does not stand still."""
        if self._missed is None and self.exit_code is None:
            self._missed = []

    def thaw(self) -> None:
        """SIGCONT."""
        missed, self._missed = self._missed or [], None
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.go_on(missed)

    @property
    def frozen(self) -> bool:
        """Whether it gets no turn."""
        return self._missed is not None

    def may_run(self, turn: asyncio.Handle) -> bool:
        """Whether this may be its turn; if not, it is kept for later."""
        if self._missed is not None:
            self._missed.append(turn)
        return self._missed is None

    async def ended(self) -> int:
        """Wait for the end of the process; its exit code."""
        await asyncio.wait([self._main])
        assert self.exit_code is not None
        return self.exit_code

    def kill(self, exit_code: int = 137) -> None:
        """End at once. What it had on its way stays unsent, or unanswered."""
        self.line.cut = True
        if self.exit_code is None:
            self.exit_code = exit_code
        self.thaw()
        self._cancel([])

    async def _run(self) -> None:
        place = Place(self.seat.partition, self.lease, self.keeper)
        program = Program(self._settings, Kube(self.transport), self._aws.open, place, self.clock.now)
        code = await program.run(self._stop)
        self.exit_code = code
        self.kill()  # the end of a process takes with it what the program left behind

    def _cancel(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Again and again, until none is left. A new task gets its first turn: one that never began would leave coroutines unawaited."""
        for task in tasks:
            task.cancel()
        if self.tasks:
            asyncio.get_running_loop().call_soon(self._cancel, list(self.tasks), context=contextvars.Context())

    def _open(self, config: LeaseConfig, lost: Callable[[str], None]) -> Lease:
        """The process's name is its identity: no two of a simulation have the same. A shard has the name of its Lease."""
        transport = ModelTransport(self._server, self.line)

        async def connect() -> Kube:
            return Kube(transport)

        named = config if config.holder == config.name else replace(config, holder=self.name)
        return Lease(named, connect, lost, clock=asyncio.get_running_loop().time, spawn=asyncio.create_task)

    def _lost(self, _reason: str) -> None:
        self.kill(exit_code=1)


class Turns:
    """Whose turn each callback of the loop is. Make it before the first replica: all tasks from then on are known by their owners.

    before_step: called at each await of a replica before that goes on, and the task that does so.
    """

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self.before_step: Callable[[Replica, asyncio.Task[Any]], None] | None = None
        loop.gate = self._pass
        loop.set_task_factory(_own)

    def _pass(self, turn: asyncio.Handle) -> bool:
        owner = cast(Any, turn)._context.get(_OWNER)
        if owner is None:
            return True
        if self.before_step is not None:
            task = getattr(cast(Any, turn)._callback, "__self__", None)
            if isinstance(task, asyncio.Task):
                self.before_step(owner, task)
        return bool(owner.may_run(turn))


def current() -> Replica | None:
    """The replica that runs now."""
    return _OWNER.get(None)


def _own(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    context: contextvars.Context | None = None,
) -> asyncio.Task[Any]:
    """A task factory: a new task is that of the replica in its context."""
    context = contextvars.copy_context() if context is None else context  # an empty one is false
    task = asyncio.Task(coro, loop=loop, context=context)
    owner = context.get(_OWNER)
    if owner is not None:
        owner.tasks.add(task)
        task.add_done_callback(owner.tasks.discard)
    return task
