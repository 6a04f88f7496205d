"""The program as a process, where there is no cluster to be reached; with one it is tested in tests/cluster."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.emulator import REPOSITORY
from tests.cluster.pages import page
from tests.cluster.processes import Process, free_port, wait_until

START_SECONDS = 30.0  # imports; 2 s on an idle machine
STOP_SECONDS = 5.0
COMMAND = [sys.executable, "-m", "controller", "run", "--metrics-bind-address=127.0.0.1:0", "--health-bind-address=127.0.0.1:0"]


def started(folder: Path, *flags: str, **environment: str) -> Process:
    """An operator with nothing but this environment; its log is in the folder."""
    return Process([*COMMAND, *flags], folder / "operator.log", env={"PYTHONPATH": str(REPOSITORY), "HOME": str(folder), **environment})


@pytest.fixture
def unreachable(tmp_path: Path) -> Path:
    """A kubeconfig of a cluster where nobody listens."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


@pytest.fixture
def waiting(tmp_path: Path, unreachable: Path) -> Iterator[Process]:
    """An operator that tries to reach its cluster."""
    with started(tmp_path, KUBECONFIG=str(unreachable)) as process:
        process.wait_ready(lambda: process.tail().count("cluster_not_reached") >= 2, START_SECONDS)
        yield process


@pytest.mark.holds("F45")
@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_before_the_cluster_was_reached_it_ends_well(which: signal.Signals, waiting: Process) -> None:
    os.kill(waiting.pid, which)
    assert waiting.wait(STOP_SECONDS) == 0
    assert "Traceback" not in waiting.tail()


def test_a_cluster_that_cannot_be_reached_is_told_and_tried_again(waiting: Process) -> None:
    attempts = waiting.tail().count("cluster_not_reached")
    wait_until(lambda: waiting.tail().count("cluster_not_reached") > attempts, STOP_SECONDS, "a further attempt")


def test_an_operator_that_waits_for_its_cluster_is_alive_and_not_ready(tmp_path: Path, unreachable: Path) -> None:
    """One that answered nobody would be killed by its startup probe, later and later each time, and be late when the cluster is back."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with started(tmp_path, f"--health-bind-address=127.0.0.1:{port}", KUBECONFIG=str(unreachable)) as process:
        process.wait_ready(lambda: "cluster_not_reached" in process.tail(), START_SECONDS)
        assert page(f"{url}/healthz") == (200, "ok\n")
        assert page(f"{url}/readyz")[0] == 500


def test_without_a_way_to_a_cluster_it_says_what_to_set(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with started(tmp_path, KUBECONFIG=missing) as process:
        assert process.wait(START_SECONDS) == 1
    assert f"no kubeconfig at {missing}, and this is no pod: set KUBECONFIG" in process.tail()
    assert "Traceback" not in process.tail()
