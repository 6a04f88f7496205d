"""The site is built with warnings as errors, its generated pages are as new as the code, and every page is linked."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reconcilers.cloudtrail import BY_ITSELF, CALLS
from tests.cluster.emulator import REPOSITORY
from tests.docs.reference import FOLDER, pages

DOCS = REPOSITORY / "docs"
CONFIG = REPOSITORY / "tests/docs/mkdocs.yml"


@pytest.mark.parametrize("name", pages())
def test_a_generated_page_is_as_new_as_the_code(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run make docs"


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet"]
    command += ["--config-file", str(CONFIG), "--site-dir", str(tmp_path)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert (tmp_path / "reference/api.html").exists()


def test_no_page_loads_anything_from_elsewhere() -> None:
    """Fonts and scripts of other hosts do not load in a closed network, and tell them who reads."""
    pages_of_docs = [path.read_text() for path in DOCS.rglob("*.md")]
    assert not [text for text in pages_of_docs if re.search(r"<(script|img|link)[^>]+https?://", text)]


def test_every_alert_s_runbook_is_a_heading_of_the_site() -> None:
    headings = set(re.findall(r"^## (\S+)$", (DOCS / "runbooks.md").read_text(), re.MULTILINE))
    alerts = set(re.findall(r"- alert: (\S+)", (REPOSITORY / "manifests/components/prometheus-rules/rules.yaml").read_text()))
    assert headings == alerts


def test_the_rules_for_events_pass_on_exactly_what_the_operator_reads() -> None:
    told = (DOCS / "events.md").read_text()
    cloudformation, terraform = told.split("## CloudFormation")[1].split("## Terraform")
    pattern = re.search(r"eventName: \[([^]]*)\]", cloudformation)
    assert pattern is not None
    assert {name.strip() for name in pattern[1].split(",")} == CALLS | BY_ITSELF
    assert set(re.findall(r'"([A-Z][A-Za-z]+)",', terraform)) == CALLS | BY_ITSELF
