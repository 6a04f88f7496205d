"""The image, built step by step from the Dockerfile: what is in it, and that it works with nothing else."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.image import Image, build
from tests.cluster.operator_process import running_operator
from tests.cluster.tenant import Tenant

# Measured: 98 MB, of which kubernetes_asyncio is the half. A package that slips in shall be noticed.
MOST_MEGABYTES = 130


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def files(image: Image) -> list[Path]:
    return [path.relative_to(image.root) for path in image.root.rglob("*") if path.is_file()]


def test_it_holds_one_virtual_environment_and_nothing_else(image: Image) -> None:
    assert [path.name for path in image.root.iterdir()] == ["venv"]


def test_no_tests_and_no_build_tools_are_in_it(image: Image, files: list[Path]) -> None:
    installed = {path.parts[4] for path in files if len(path.parts) > 4 and path.parts[3] == "site-packages"}
    unwanted = {"tests", "pip", "setuptools", "hatchling", "wheel", "moto", "boto3", "pytest", "mypy", "uv"}
    assert {"aws", "controller", "reconcilers"} <= installed
    assert installed & unwanted == set()
    assert not list((image.root / "venv/bin").glob("pip*"))


def test_it_is_small(image: Image, files: list[Path]) -> None:
    assert sum((image.root / path).stat().st_size for path in files) < MOST_MEGABYTES * 1_000_000


def test_it_says_what_it_is(image: Image) -> None:
    labels = {name.removeprefix("org.opencontainers.image.") for name in image.labels}
    assert labels == {"title", "description", "version", "revision", "licenses"}
    assert (image.user, image.entrypoint, image.command) == ("65532:65532", ["infra-operator"], ["run"])


def test_every_module_is_compiled_because_the_root_is_read_only(files: list[Path]) -> None:
    ours = [path for path in files if path.suffix == ".py" and "site-packages" in path.parts and "controller" in path.parts]
    compiled = {path.name.partition(".")[0] for path in files if path.suffix == ".pyc" and "controller" in path.parts}
    assert ours
    assert {path.stem for path in ours} <= compiled


@pytest.fixture
def read_only(image: Image) -> Iterator[Image]:
    """As the manifests mount it: nobody may write to it."""
    folders = [path for path in [image.root, *image.root.rglob("*")] if path.is_dir() and not path.is_symlink()]
    for folder in folders:
        folder.chmod(0o555)
    yield image
    for folder in folders:
        folder.chmod(0o755)


def test_it_makes_a_key_with_the_installed_wheel_only(cluster: Cluster, namespace: str, read_only: Image) -> None:
    tenant = Tenant(cluster, namespace)
    with running_operator(cluster.surroundings(*read_only.program()), "image", {}):
        tenant.provide()
        tenant.declare("orders", description="made by the image", enableKeyRotation=True)
        tenant.until_settled("orders")
        key_id = tenant.key_id("orders")
        assert tenant.kms.describe_key(KeyId=key_id)["KeyMetadata"]["Description"] == "made by the image"
        tenant.delete("orders")


def test_its_commands_need_no_shell(image: Image) -> None:
    environment = {**image.environment, "PATH": str(image.root / "venv/bin")}
    told = subprocess.run([*image.program(), "--version"], env=environment, capture_output=True, text=True, check=True, cwd=os.sep)
    assert told.stdout.strip() == "infra-operator, version 0.1.0"
