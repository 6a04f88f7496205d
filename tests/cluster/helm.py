"""helm, built once from its Go module, to render the chart.

It lives in the user's cache folder beside the API server's binaries, under its version; HELM, when set, names one to use instead.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.binaries import BinariesError, cache_folder, kubernetes_version, locked

PACKAGE = "helm.sh/helm/v3/cmd/helm"
VERSION = "v3.19.0"
CHART = Path(__file__).parents[2] / "manifests" / "helm" / "infra-operator"
RELEASE = "infra-operator"


class HelmError(Exception):
    """helm refused, in its own words."""


def helm_binary() -> Path:
    """Where helm is; builds it when it is nowhere: 3 minutes on two cores. Raises BinariesError."""
    if given := os.environ.get("HELM"):
        return Path(given)
    folder = cache_folder(f"helm-{VERSION}")
    with locked(folder):
        if not (folder / "helm").exists():
            _install(folder)
    return folder / "helm"


def _install(folder: Path) -> None:
    if shutil.which("go") is None:
        raise BinariesError("helm must be built: install Go 1.26 or newer, or set HELM to a helm of version 3")
    partial = folder / "partial"
    command = ["go", "install", "-trimpath", "-ldflags", "-s -w", f"{PACKAGE}@{VERSION}"]
    built = subprocess.run(command, env={**os.environ, "GOBIN": str(partial)}, capture_output=True, text=True, check=False)
    if built.returncode:
        raise BinariesError(f"go install of helm failed:\n{built.stderr[-2000:]}")
    (partial / "helm").rename(folder / "helm")
    partial.rmdir()


def render(namespace: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
    """The chart's objects with these values. Raises HelmError."""
    command = [str(helm_binary()), "template", RELEASE, str(CHART), "--namespace", namespace]
    command += ["--kube-version", kubernetes_version(), "--values", "-"]
    rendered = subprocess.run(command, input=yaml.safe_dump(dict(values)), capture_output=True, text=True, check=False)
    if rendered.returncode:
        raise HelmError(rendered.stderr)
    return [document for document in yaml.safe_load_all(rendered.stdout) if document]
