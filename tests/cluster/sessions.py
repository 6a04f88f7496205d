"""The pages of docs/ as programs: their commands are run, and have to print what the page shows.

A page is Markdown. A ```yaml block whose first line is `# name.yaml` is a file in the reader's folder. In a ```console block a line that
begins with `$ ` is a command, and the lines below it are what it prints.

Rules:
1. kubectl, its plugin and infra-operator are the real ones. `aws kms` is carried out by boto3, since the AWS CLI may not be installed here:
   operation, parameters, --query and the printed JSON are the CLI's.
2. What differs from run to run is compared by its kind: ages and times. An id stands for the same id on the whole page, whatever it is today.
3. White space is compared by where there is some: the width of a column depends on ages and names.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import jmespath

from tests.cluster.cluster import Cluster
from tests.cluster.emulator import CREDENTIALS, REPOSITORY

_BLOCK = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ID = r"mrk-[0-9a-f]{32}|[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SHORT_ID = r"(?<=\()[0-9a-f]{8}(?=\))"  # of a grant, in an event
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?"
_AGE = r"(?<![\w.-])\d+[smh](?:\d+[smh])?(?![\w.-])"
_VARYING = re.compile(f"(?P<id>{_ID}|{_SHORT_ID})|(?P<time>{_TIME})|(?P<age>{_AGE})")
TIMEOUT_SECONDS = 60


class PageError(Exception):
    """A page shows what is not so."""


@dataclass(frozen=True)
class Step:
    """A command, and what it is said to print."""

    command: str
    output: str


@dataclass(frozen=True)
class Page:
    """What there is to do on a page. files: by name."""

    name: str
    files: dict[str, str]
    steps: tuple[Step, ...]


def read_page(path: Path) -> Page:
    """The page as a program."""
    blocks = _BLOCK.findall(path.read_text())
    files = {
        text.partition("\n")[0].removeprefix("# "): text for kind, text in blocks if kind == "yaml" and text.startswith("# ")
    }
    return Page(path.stem, files, tuple(step for kind, text in blocks if kind == "console" for step in _steps(text)))


def _steps(block: str) -> list[Step]:
    parts = re.split(r"^\$ ", block.replace("\\\n", ""), flags=re.MULTILINE)[1:]
    return [Step(command.strip(), output.strip()) for command, _, output in (part.partition("\n") for part in parts)]


class Reader:
    """Somebody who types what a page says."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self._kms = cluster.boto("kms")
        self._ids: dict[str, str] = {}  # the page's to today's

    def follow(self, page: Page) -> None:
        """Runs the page. Raises PageError at the first command that prints something else."""
        self._ids.clear()
        for name, text in page.files.items():
            (self._folder / name).write_text(text)
        for step in page.steps:
            printed = self.run(step.command)
            if not self._is_shown(step.output, printed):
                raise PageError(
                    f"docs/{page.name}.md\n$ {step.command}\n{step.output}\n\nprinted:\n{printed}\n\n(ids: {self._ids})"
                )

    def run(self, command: str) -> str:
        """What a command prints today."""
        words = [self._today(word) for word in shlex.split(command)]
        match words:
            case ["kubectl", "kms", *arguments]:
                return self._operator(arguments, "controller.kubectl_kms")
            case ["kubectl", *arguments]:
                return self._cluster.kubectl(*(self._path(word) for word in arguments))
            case ["infra-operator", *arguments]:
                return self._operator(arguments)
            case ["aws", "kms", operation, *options]:
                return self._aws(operation, options)
        raise PageError(f"nobody here knows {words[0]}")

    def _today(self, word: str) -> str:
        for shown, now in self._ids.items():
            word = word.replace(shown, now)
        return word

    def _path(self, word: str) -> str:
        return str(self._folder / word) if (self._folder / word).exists() else word

    def _operator(self, arguments: list[str], module: str = "controller") -> str:
        around = {
            "KUBECONFIG": str(self._cluster.kubeconfig),
            "AWS_ENDPOINT_URL": self._cluster.aws_endpoint,
            "AWS_REGION": "us-east-1",
        }
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            check=False,
            cwd=self._folder,
            env={**os.environ, **CREDENTIALS, **around, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        return done.stdout + done.stderr

    def _aws(self, operation: str, options: list[str]) -> str:
        given = dict(zip(options[::2], options[1::2], strict=True))
        query, kind = given.pop("--query", "@"), given.pop("--output", "json")
        region = given.pop("--region", None)
        kms = self._cluster.boto("kms", region) if region else self._kms
        parameters = {
            _camel(name): json.loads(value) if value[:1] in "[{" or value.isdigit() else value for name, value in given.items()
        }
        answer = getattr(kms, operation.replace("-", "_"))(**parameters)
        del answer["ResponseMetadata"]
        found = jmespath.search(query, answer)
        if kind == "text":
            return "\t".join(map(str, found)) if isinstance(found, list) else str(found)
        return json.dumps(found, indent=4, default=str) if found not in ({}, None) else ""

    def _is_shown(self, shown: str, printed: str) -> bool:
        """Whether today's output is the page's; learns the ids on the way."""
        ours, theirs = _fixed(shown), _fixed(printed)
        if ours != theirs:
            return False
        pairs = zip(_varying(shown), _varying(printed), strict=True)
        return all(self._ids.setdefault(one, other) == other for one, other in pairs)


def _fixed(text: str) -> str:
    """The text without what varies, and with one space for many."""
    kinds = _VARYING.sub(lambda found: f"<{found.lastgroup}>", text)
    return "\n".join(re.sub(r"\s+", " ", line).strip() for line in textwrap.dedent(kinds).strip().splitlines())


def _varying(text: str) -> list[str]:
    """The ids, in order."""
    return [found["id"] for found in _VARYING.finditer(text) if found["id"]]


def _camel(option: str) -> str:
    return "".join(part.capitalize() for part in option.removeprefix("--").split("-"))
