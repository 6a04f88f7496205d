"""Child processes of the tests and the demo: started, awaited, stopped, and never left behind.

Rules:
1. A process ends before its `with` block does, and at the latest when we do, however we end.
2. A process has a session of its own: Ctrl-C in the terminal reaches us alone, and we stop the others in order.
3. Its output goes to a file. A failure shows the end of that file, so nobody has to look for it.
4. Every wait has a bound. Polling is right here: "ready" is a fact of another process, which tells nobody.
5. A scratch folder lives as long as its owner holds the lock in it. One that a killed run has left is removed by the next run.
"""

import contextlib
import fcntl
import functools
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

LEASH = Path(__file__).with_name("leash.py")
POLL_SECONDS = 0.05
SCRATCH_PREFIX = "infra-operator-"
# Below Linux' ephemeral ports (32768 and up), from which outgoing connections are given theirs.
FIRST_PORT, PORTS_EACH, WORKERS = 12_000, 2_000, 10


class ProcessError(Exception):
    """A process ended, or was not ready in time; the message has the end of its output."""


class Process:
    """A running command; leaving its `with` block kills it."""

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, fds: Sequence[int] = ()) -> None:
        """Starts the command in the folder of `log`; `fds` are open files that it inherits under the same numbers."""
        self.name = Path(command[0]).name
        self.log = log
        leashed = [sys.executable, "-IS", str(LEASH), str(os.getpid()), *command]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                leashed,
                cwd=log.parent,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=fds,
            )

    @property
    def pid(self) -> int:
        """The process's id, to send signals to."""
        return self._process.pid

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Polls until `ready`. Raises ProcessError if the process ends first or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None:
                raise ProcessError(f"{self.name} ended with code {self._process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} is not ready after {seconds:.0f} s:\n{self.tail()}")
            time.sleep(POLL_SECONDS)

    def terminate(self, seconds: float) -> int:
        """Asks the process to end and returns its exit code. Raises ProcessError if it is still there after `seconds`."""
        self._process.terminate()
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        """The exit code of a process that ends by itself. Raises ProcessError if it is still there after `seconds`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"{self.name} still runs after {seconds:.0f} s:\n{self.tail()}") from None

    def tail(self, lines: int = 20) -> str:
        """The last lines of the output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()


def wait_until(check: Callable[[], bool], seconds: float, what: str) -> None:
    """Polls until `check` is true. Raises TimeoutError, which says `what` was awaited."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:.0f} s still not so: {what}")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now, that no outgoing connection is given, and that was not asked for a moment ago.

    Each process of the tests (pytest-xdist) has a range of its own, so that two of them do not choose the same one.
    """
    for port in itertools.islice(_own_ports(), PORTS_EACH):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise ProcessError(f"all of {PORTS_EACH} ports are taken")


@functools.cache
def _own_ports() -> Iterator[int]:
    """This process's, in an order of its own, again and again."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST_PORT + worker % WORKERS * PORTS_EACH
    return itertools.cycle(random.sample(range(first, first + PORTS_EACH), PORTS_EACH))


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the time of the block; also removes the folders of owners that were killed."""
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX))
    try:
        with (folder / ".claimed").open("w") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            # Under this name it is looked at by others, and from its first moment it is locked.
            (folder / ".claimed").rename(folder / ".owner")
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for owner in parent.glob(f"{SCRATCH_PREFIX}*/.owner"):
        # Another user's folder cannot be opened, a living owner's cannot be locked: both stay.
        with contextlib.suppress(OSError), owner.open("r+") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(owner.parent, ignore_errors=True)
