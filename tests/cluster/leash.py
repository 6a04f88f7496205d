"""Runs a command that dies with the process that asked for it: `python -IS leash.py PARENT COMMAND...`.

Rules:
1. The kernel kills the command when PARENT ends in any way, kill -9 included: PR_SET_PDEATHSIG, which survives exec.
2. The tie is made in a fresh process and not between fork and exec of the parent, where only async-signal-safe code may run.
3. PARENT may have died before the tie was made; then the command is not started at all.

It reaches the command only: what the command starts by itself is not tied. Our servers start nothing.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, command: list[str]) -> None:
    """Replaces this process by the command. Raises OSError if the kernel refuses the tie."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    if os.getppid() == parent:
        os.execvp(command[0], command)  # noqa: S606 - replacing this process without a shell is what this file is for


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
