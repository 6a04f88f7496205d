"""The servers of the tests themselves: they start where a port is taken, and nothing of them is left behind."""

import contextlib
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import apiserver
from tests.cluster.apiserver import api_server
from tests.cluster.binaries import assets
from tests.cluster.emulator import REPOSITORY
from tests.cluster.probe import status
from tests.cluster.processes import LEASH, Process, ProcessError, free_port, scratch_folder, wait_until

SLEEPER = [sys.executable, "-c", "import signal; print('asleep', flush=True); signal.pause()"]


def processes_in(folder: Path) -> set[int]:
    """Who works in the folder, as every server of a cluster does."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            if (process / "cwd").readlink() == folder:
                found.add(int(process.name))
    return found


@contextlib.contextmanager
def foreground_cluster() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """`make cluster`'s program and its scratch folder, once it says that it is ready."""
    command = [sys.executable, "-m", "tests.cluster"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            assert select.select([program.stdout], [], [], 90)[0], "nothing printed in 90 s"
            yield program, Path(program.stdout.readline().strip().removeprefix("KUBECONFIG=")).parent
        finally:
            program.kill()


def test_sigterm_ends_the_cluster_and_leaves_nothing() -> None:
    with foreground_cluster() as (program, folder):
        assert len(processes_in(folder)) == 3
        program.terminate()
        assert program.wait(30) == 0
        assert processes_in(folder) == set()
        assert not folder.exists()


def test_a_killed_cluster_takes_its_servers_along_and_the_next_run_removes_its_files() -> None:
    with foreground_cluster() as (program, folder):
        program.kill()
        program.wait(30)
        wait_until(lambda: not processes_in(folder), 10, "no server runs")
    assert folder.exists()
    with scratch_folder():
        assert not folder.exists()


def test_a_scratch_folder_in_use_is_not_removed_by_another_run() -> None:
    with scratch_folder() as ours, scratch_folder():
        assert ours.exists()


def test_an_api_server_that_loses_its_port_takes_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rival:
        taken = rival.getsockname()[1]
        ports = iter([taken, free_port()])
        monkeypatch.setattr(apiserver, "free_port", lambda: next(ports))
        with api_server(assets(), tmp_path) as server:
            assert not server.url.endswith(f":{taken}")
            assert status(f"{server.url}/readyz", server.ca, server.admin_token) == 200


def test_a_process_ends_with_its_block(tmp_path: Path) -> None:
    with Process(SLEEPER, tmp_path / "sleeper.log") as sleeper:
        sleeper.wait_ready(lambda: "asleep" in sleeper.tail(), 30)
    assert not Path(f"/proc/{sleeper.pid}").exists()


def test_a_process_that_fails_shows_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with Process(command, tmp_path / "log") as failing, pytest.raises(ProcessError, match="code 1:\nno such thing"):
        failing.wait_ready(lambda: False, 30)


def test_a_process_that_ignores_sigterm_is_reported_and_killed(tmp_path: Path) -> None:
    stubborn = [sys.executable, "-c", "import signal as s; s.signal(15, s.SIG_IGN); print('deaf', flush=True); s.pause()"]
    with Process(stubborn, tmp_path / "log") as process:
        process.wait_ready(lambda: "deaf" in process.tail(), 30)
        with pytest.raises(ProcessError, match="still runs after"):
            process.terminate(0.1)
    assert not Path(f"/proc/{process.pid}").exists()


def test_a_command_is_not_started_for_a_parent_that_is_gone(tmp_path: Path) -> None:
    gone = 2**22 + 1  # above the largest pid that Linux gives
    target = tmp_path / "started"
    subprocess.run([sys.executable, "-IS", str(LEASH), str(gone), "touch", str(target)], check=True, timeout=30)
    assert not target.exists()


def test_a_command_runs_when_its_parent_lives(tmp_path: Path) -> None:
    target = tmp_path / "started"
    subprocess.run([sys.executable, "-IS", str(LEASH), str(os.getpid()), "touch", str(target)], check=True, timeout=30)
    assert target.exists()
