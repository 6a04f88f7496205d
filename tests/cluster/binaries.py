"""kube-apiserver, etcd and kubectl for tests and the demo: found, or built from their Go modules.

Rules:
1. KUBEBUILDER_ASSETS, when set, names a folder that has the three of them; nothing is built then (envtest's convention).
2. Otherwise they live in the user's cache folder under a name that is their versions, so one build serves every checkout.
3. A binary appears in the cache whole or not at all: it is built beside its place and renamed.
4. A first build compiles about 2,400 packages: 10 to 20 minutes on two cores. It says so, and then says how far it is.

Only the standard library is used: this runs before anything is installed.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

MODULE = Path(__file__).parent / "assets"
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
}
PROGRESS_SECONDS = 15.0


class BinariesError(Exception):
    """The binaries are neither there nor can they be built; the message says what to do."""


def assets() -> Path:
    """The folder with kube-apiserver, etcd and kubectl; builds what is missing. Raises BinariesError."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        return _given(Path(given))
    folder = cache_folder(f"kubernetes-{kubernetes_version()}-etcd-{_required('go.etcd.io/etcd/server/v3')}")
    with locked(folder):
        for name in PACKAGES:
            if not (folder / name).exists():
                _build(name, folder / name)
    return folder


def kubernetes_version() -> str:
    """The version that go.mod requires, such as v1.36.3."""
    return _required("k8s.io/kubernetes")


def _given(folder: Path) -> Path:
    missing = [name for name in PACKAGES if not (folder / name).exists()]
    if missing:
        lacking = ", ".join(missing)
        raise BinariesError(f"KUBEBUILDER_ASSETS={folder} lacks {lacking}: add them, or unset the variable to build them")
    return folder


def cache_folder(name: str) -> Path:
    """A folder of that name in the user's cache, made when missing."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "infra-operator" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _required(module: str) -> str:
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise BinariesError(f"{MODULE}/go.mod does not require {module}")
    return found.group(1)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Two checkouts that start at once must not build the same thing twice."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(name: str, target: Path) -> None:
    if shutil.which("go") is None:
        raise BinariesError(f"{name} must be built: install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder that has it")
    partial = target.with_name(f".{name}.partial")
    # -v names each package as it is compiled, which is the only progress that go build can show.
    command = ["go", "build", "-v", "-trimpath", "-ldflags", _link_flags(), "-o", str(partial), PACKAGES[name]]
    _say(f"building {name} from {PACKAGES[name]} (only the first time; kept in {target.parent})")
    with subprocess.Popen(command, cwd=MODULE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        tail = _follow(name, process.stderr)
    if process.returncode:
        raise BinariesError(f"go build of {name} failed:\n" + "\n".join(tail))
    partial.rename(target)


def _link_flags() -> str:
    """Without a version the server calls itself v0.0.0-master, and clients refuse it."""
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "1970-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return "-s -w " + " ".join(f"-X {package}.{key}={value}" for package in packages for key, value in stamps.items())


def _follow(name: str, lines: IO[str]) -> list[str]:
    """Counts what go build prints, reports from time to time, and returns the last lines for an error message."""
    done = threading.Event()
    seen: list[str] = []
    started = time.monotonic()

    def report() -> None:
        while not done.wait(PROGRESS_SECONDS):
            _say(f"  {name}: {len(seen)} packages compiled, {time.monotonic() - started:.0f} s")

    reporter = threading.Thread(target=report, name="build progress", daemon=True)
    reporter.start()
    seen.extend(line.rstrip() for line in lines)
    done.set()
    reporter.join()
    _say(f"  {name}: done after {time.monotonic() - started:.0f} s")
    return seen[-30:]


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def main() -> int:
    try:
        print(assets())
    except BinariesError as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
