"""Prometheus and promtool: those of the machine, else Debian's package, unpacked once into the user's cache folder.

PROMETHEUS, when set, names a folder that has both of them.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.binaries import BinariesError, cache_folder, locked

PROGRAMS = ("prometheus", "promtool")


def prometheus_folder() -> Path:
    """A folder with both programs. Raises BinariesError."""
    if given := os.environ.get("PROMETHEUS"):
        return Path(given)
    found = shutil.which("promtool")
    if found and (Path(found).parent / "prometheus").exists():
        return Path(found).parent
    folder = cache_folder("prometheus")
    with locked(folder):
        if not (folder / "usr/bin/promtool").exists():
            _unpack(folder)
    return folder / "usr/bin"


def _unpack(folder: Path) -> None:
    """The package needs nothing but libc, and no root to be unpacked. A new machine may know no packages yet."""
    if _run(folder, "apt-get", "download", "prometheus") is not None:
        _run(folder, "apt-get", "update")
    for command in (["apt-get", "download", "prometheus"], ["sh", "-c", "dpkg-deb -x prometheus_*.deb ."]):
        if (failure := _run(folder, *command)) is not None:
            wish = "install Debian's package prometheus, or set PROMETHEUS to a folder with prometheus and promtool"
            raise BinariesError(f"{' '.join(command)} failed ({wish}):\n{failure}")


def _run(folder: Path, *command: str) -> str | None:
    """The end of what the command complained about; None when it was right."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stderr[-1000:] if done.returncode else None
