"""The two kinds of patches that the API server takes here: RFC 6902 operations and RFC 7386 merges. Both leave their input alone."""

import copy
from collections.abc import Sequence
from typing import Any

Json = Any  # what json.loads returns


class UnfitError(Exception):
    """An operation that does not fit the document, such as a test that does not hold."""


def json_patch(document: Json, operations: Sequence[dict[str, Json]]) -> Json:
    """The patched document. Raises UnfitError."""
    patched = copy.deepcopy(document)
    for operation in operations:
        _apply(patched, operation)
    return patched


def merge_patch(document: Json, patch: Json) -> Json:
    """The merged document."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _apply(document: Json, operation: dict[str, Json]) -> None:
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    parent = document
    for step in way:
        parent = _child(parent, step)
    match operation["op"]:
        case "test":
            if _child(parent, last) != operation["value"]:
                raise UnfitError(f"testing value {operation['path']} failed")
        case "add":
            _add(parent, last, operation["value"])
        case "replace":
            _child(parent, last)
            parent[_index(parent, last)] = operation["value"]
        case "remove":
            _child(parent, last)
            del parent[_index(parent, last)]
        case other:
            raise UnfitError(f"Unexpected kind: {other}")


def _add(parent: Json, name: str, value: Json) -> None:
    if isinstance(parent, list):
        parent.insert(len(parent) if name == "-" else int(name), value)
    else:
        parent[name] = value


def _child(parent: Json, step: str) -> Json:
    try:
        return parent[_index(parent, step)]
    except (KeyError, IndexError, TypeError, ValueError):
        raise UnfitError(f"there is no {step}") from None


def _index(parent: Json, step: str) -> str | int:
    return int(step) if isinstance(parent, list) else step
