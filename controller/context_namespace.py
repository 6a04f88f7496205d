"""The namespace that a user of kubectl is in: that of the kubeconfig's current context.

Read by itself, because the library that reads kubeconfigs does not tell it, and costs a second to import.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEFAULT = "default"


def context_namespace() -> str:
    """The first file that names a current context decides which, and the first that has the context what it is; as kubectl merges them."""
    files = list(_files())
    current = next((one["current-context"] for one in files if one.get("current-context")), None)
    for one in files:
        for named in one.get("contexts") or ():
            if named.get("name") == current:
                return (named.get("context") or {}).get("namespace") or DEFAULT
    return DEFAULT


def _files() -> Iterator[dict[str, Any]]:
    """Those that are there and can be read; what is wrong with them is told by whoever connects."""
    named = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    for name in named.split(os.pathsep):
        try:
            read = yaml.safe_load(Path(name).expanduser().read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        if isinstance(read, dict):
            yield read
