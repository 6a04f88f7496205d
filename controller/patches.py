"""JSON patches (RFC 6902) for the two things that we write into objects: finalizers and status.

Rules:
1. Each patch first tests the uid: an object that was deleted and created again under the same name is another object.
2. `exact` also tests the resource version, where a decision must not be carried out on anything but what it was made from.
3. A status is patched field by field, so that a field that only a newer version knows survives.
4. A finalizer is removed by its index, which a test of its name guards: the list is shared with others.

A patch whose test fails is a Conflict: read again and decide again.
"""

from typing import Any

from controller.objects import KubeObject

Operation = dict[str, Any]
Json = dict[str, Any]


def status_patch(obj: KubeObject, before: Json, after: Json, *, exact: bool = False) -> list[Operation]:
    """The operations that turn one status into the other; none when they are equal. An empty `before` may also be an absent status."""
    if before == after:
        return []
    if not before:
        return [*_guard(obj, exact), {"op": "add", "path": "/status", "value": after}]
    gone = [{"op": "remove", "path": f"/status/{_escape(field)}"} for field in before if field not in after]
    changed = [
        {"op": "add", "path": f"/status/{_escape(field)}", "value": value}
        for field, value in after.items()
        if field not in before or before[field] != value
    ]
    return [*_guard(obj, exact), *gone, *changed]


def add_finalizer(obj: KubeObject, finalizer: str) -> list[Operation]:
    """Exact: what is protected must be what was seen."""
    if obj.finalizers:
        return [*_guard(obj, True), {"op": "add", "path": "/metadata/finalizers/-", "value": finalizer}]
    return [*_guard(obj, True), {"op": "add", "path": "/metadata/finalizers", "value": [finalizer]}]


def remove_finalizer(obj: KubeObject, finalizer: str) -> list[Operation]:
    """Leaves the finalizers of others."""
    path = f"/metadata/finalizers/{obj.finalizers.index(finalizer)}"
    return [*_guard(obj, False), {"op": "test", "path": path, "value": finalizer}, {"op": "remove", "path": path}]


def _guard(obj: KubeObject, exact: bool) -> list[Operation]:
    same_object = {"op": "test", "path": "/metadata/uid", "value": obj.uid}
    if not exact:
        return [same_object]
    return [same_object, {"op": "test", "path": "/metadata/resourceVersion", "value": obj.resource_version}]


def _escape(field: str) -> str:
    return field.replace("~", "~0").replace("/", "~1")
