"""Every `infra-operator` and `kubectl kms` command on a line of its own in the documents is one that the program takes, with its flags."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from controller import cli, kubectl_kms, report_commands

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"(?:^ *|\| |\$ )((?:infra-operator|kubectl kms) [a-z][^|>\n]*)", re.MULTILINE)


def commands() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for found in COMMAND.finditer(document.read_text().replace("\\\n", " ")):
            yield document.name, found[1].strip()


@pytest.fixture(autouse=True)
def files_that_documents_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """They count as there."""
    monkeypatch.setattr(report_commands.FILE, "exists", False)


def test_the_documents_show_commands() -> None:
    assert {name for name, _ in commands()} >= {"plan.md", "migration.md", "kubectl.md"}


@pytest.mark.parametrize(("document", "command"), sorted(set(commands())))
def test_a_command_that_a_document_shows_is_taken(document: str, command: str) -> None:
    assert document
    is_plugin = command.startswith("kubectl kms ")
    program = kubectl_kms.main if is_plugin else cli.main
    name, *arguments = shlex.split(command)[2 if is_plugin else 1 :]
    found = program.get_command(click.Context(program), name)
    assert found is not None, name
    if arguments != ["--help"]:
        found.make_context(name, arguments, resilient_parsing=not arguments)
