"""What is shipped: a wheel that is the same for the same source, dependencies whose licences are known, and a list of them."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.cluster.emulator import REPOSITORY

# Each lets us ship the package beside a program under Apache-2.0. MPL-2.0 (certifi) asks for its own files' source alone.
ALLOWED = ("Apache", "BSD", "MIT", "MPL-2.0", "Mozilla Public License 2.0", "PSF", "Python Software Foundation", "ISC")
# Linux is where the image runs.
SHIPPED = re.findall(r"^([a-z0-9-]+)==(?!.*win32)", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)


def wheel(folder: Path) -> Path:
    """The wheel, built as the image builds it."""
    folder.mkdir()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def licence(package: str) -> str:
    """What the package says of itself, by its expression, its field or its classifiers."""
    told = metadata.metadata(package).json
    classifiers = [line for line in told.get("classifier", []) if line.startswith("License ::")]
    return str(told.get("license_expression") or " ".join(classifiers) or told.get("license") or "")


def test_the_wheel_is_the_same_for_the_same_source(tmp_path: Path) -> None:
    first, second = (hashlib.sha256(wheel(tmp_path / name).read_bytes()).hexdigest() for name in ("a", "b"))
    assert first == second


def test_the_wheel_holds_the_three_packages_and_no_tests(tmp_path: Path) -> None:
    names = zipfile.ZipFile(wheel(tmp_path / "a")).namelist()
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"aws", "controller", "reconcilers"}


@pytest.mark.parametrize("package", SHIPPED)
def test_the_licence_of_what_is_shipped_is_known_and_allowed(package: str) -> None:
    assert any(allowed in licence(package) for allowed in ALLOWED), f"{package}: {licence(package) or 'no licence'}"


def test_the_list_of_what_is_shipped_names_every_package(tmp_path: Path) -> None:
    target = tmp_path / "sbom.json"
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", "requirements.lock", "--output-reproducible"]
    subprocess.run([*command, "--of", "JSON", "-o", str(target)], cwd=REPOSITORY, check=True, capture_output=True)
    listed = {component["name"] for component in json.loads(target.read_text())["components"]}
    assert listed >= set(SHIPPED)
