"""The image's build, replayed from its Dockerfile without a container engine: each step in order, in a folder that stands for the root.

What is replayed: ARG, FROM, WORKDIR, COPY (.dockerignore included), RUN, ENV, USER, LABEL, ENTRYPOINT and CMD; any other word is an error, so
that a step is never passed over. What is not: the base image. A virtual environment of the python that runs this stands for it, into which
the steps may install as they please; the versions of what is installed are the lock file's all the same.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tests.cluster.emulator import REPOSITORY

# The folders that the Dockerfile makes. In a command they become folders below the replay's root.
OURS = re.compile(r"(?<![\w./-])/(src|venv|wheels)\b")


Step = Callable[[str], None]


class ImageError(Exception):
    """A step failed, or is none that can be replayed."""


@dataclass
class Image:
    """The last stage: its root and what it says about itself."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def program(self) -> tuple[str, ...]:
        """The entry point, found along the image's own PATH."""
        name, *rest = self.entrypoint
        return (str(self.root / "venv/bin" / name), *rest)


def build(folder: Path) -> Image:
    """The image of the repository, built in `folder`. Raises ImageError."""
    replay = _Replay(folder)
    for instruction, text in _instructions((REPOSITORY / "Dockerfile").read_text()):
        replay.step(instruction, text)
    return replay.image


def _instructions(dockerfile: str) -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", " ", dockerfile)
    lines = (line.strip() for line in joined.splitlines())
    return [(word, text) for word, _, text in (line.partition(" ") for line in lines if line and not line.startswith("#"))]


class _Replay:
    """Every stage has the same root while it is built, because a virtual environment knows its own path; it is put aside after."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._base = folder / "base"
        subprocess.run([sys.executable, "-m", "venv", str(self._base)], check=True)
        self._root = folder / "root"
        self._arguments: dict[str, str] = {}
        self._stage = ""
        self._workdir = self._root
        self.image = Image(self._root)

    def step(self, instruction: str, text: str) -> None:
        """One line of the Dockerfile. Raises ImageError."""
        known: dict[str, Step] = {
            "ARG": self._arg, "FROM": self._from, "WORKDIR": self._enter, "COPY": self._copy, "RUN": self._run, "ENV": self._env,
            "LABEL": self._label, "USER": self._user, "ENTRYPOINT": self._entrypoint, "CMD": self._cmd,
            "EXPOSE": self._pass,
        }
        if instruction not in known:
            raise ImageError(f"{instruction} cannot be replayed")
        known[instruction](text)

    def _pass(self, _text: str) -> None:
        """It says something to people and does nothing."""

    def _arg(self, text: str) -> None:
        name, _, value = text.partition("=")
        self._arguments[name] = value

    def _from(self, text: str) -> None:
        if self._root.exists():
            self._root.rename(self._folder / self._stage)
        self._root.mkdir()
        self._stage = text.partition(" AS ")[2] or "last"
        self._workdir = self._root
        self.image = Image(self._root)

    def _enter(self, text: str) -> None:
        self._workdir = self._inside(self._root, text)
        self._workdir.mkdir(parents=True, exist_ok=True)

    def _copy(self, text: str) -> None:
        words = shlex.split(text)
        source = REPOSITORY
        if words[0].startswith("--from="):
            source = self._folder / words.pop(0).removeprefix("--from=")
        *names, target = words
        into = self._inside(self._root, target) if target.startswith("/") else self._workdir / target
        for name in names:
            found = self._inside(source, name)
            if source == REPOSITORY and not _in_context(name):
                raise ImageError(f".dockerignore keeps {name} out of the build")
            if found.is_dir():
                left_out = shutil.ignore_patterns("__pycache__") if source == REPOSITORY else None  # as .dockerignore says
                shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True, ignore=left_out)
            else:
                shutil.copy2(found, into)

    def _run(self, text: str) -> None:
        command = OURS.sub(lambda path: f"{self._root}{path.group()}", text)
        path = f"{self._base / 'bin'}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(self._folder), **_index_settings()}
        done = subprocess.run(["sh", "-c", command], cwd=self._workdir, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ImageError(f"RUN {text}\nended with code {done.returncode}:\n{done.stderr[-2000:]}")

    def _env(self, text: str) -> None:
        self.image.environment |= dict(_pair(word) for word in shlex.split(text))

    def _label(self, text: str) -> None:
        filled = re.sub(r"\$\{(\w+)\}", lambda name: self._arguments.get(name.group(1), ""), text)
        self.image.labels |= dict(_pair(word) for word in shlex.split(filled))

    def _user(self, text: str) -> None:
        self.image.user = text

    def _entrypoint(self, text: str) -> None:
        self.image.entrypoint = json.loads(text)

    def _cmd(self, text: str) -> None:
        self.image.command = json.loads(text)

    @staticmethod
    def _inside(root: Path, path: str) -> Path:
        return root / path.lstrip("/")


def _pair(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value


def _in_context(name: str) -> bool:
    """.dockerignore, as far as ours goes: the last line that fits decides."""
    kept = True
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and fnmatch(name, pattern):
            kept = line.startswith("!")
    return kept


def _index_settings() -> dict[str, str]:
    """Where pip finds its index on this machine; a container's base has settings of its own."""
    config = os.environ.get("PIP_CONFIG_FILE") or str(Path.home() / ".config/pip/pip.conf")
    settings = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_CERT"))}
    return settings | ({"PIP_CONFIG_FILE": config} if Path(config).exists() else {})
