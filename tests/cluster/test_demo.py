"""`make demo` is part of the product: it must end well and quickly, and the README must not tell what it does not show."""

import re
import subprocess
import sys

import pytest

from tests.cluster.binaries import assets
from tests.cluster.emulator import REPOSITORY

SECONDS = 60  # what a reader is promised
KEY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def demo() -> "subprocess.CompletedProcess[str]":
    """The demo, run as `make demo` runs it."""
    assets()
    command = [sys.executable, "-m", "tests.cluster.demo"]
    return subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS)


def test_the_demo_shows_what_it_says_in_under_a_minute(demo: "subprocess.CompletedProcess[str]") -> None:
    assert demo.returncode == 0, demo.stdout[-4000:] + demo.stderr[-4000:]


def test_every_command_of_the_readme_is_run_by_the_demo(demo: "subprocess.CompletedProcess[str]") -> None:
    told = commands((REPOSITORY / "README.md").read_text())
    assert told
    assert told - commands(demo.stdout) == set()


def commands(text: str) -> set[str]:
    """The lines behind a prompt, with one word for every key id."""
    return {KEY_ID.sub("KEY", line) for line in text.splitlines() if line.startswith("$ ")}
