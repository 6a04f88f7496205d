"""JSON patches (RFC 6902) for what we write into objects: finalizers and status; and for the labels that we take away.

Rules:
1. Each patch first tests the uid: an object that was deleted and created again under the same name is another object.
2. `exact` also tests the resource version, where a decision must not be carried out on anything but what it was made from.
3. A status is patched field by field, so that a field that only a newer version knows survives. The first one is written whole, and so it is
   exact: over a status that we have not seen it would wipe out the attempt to create a key, or the key's id.
4. A finalizer is removed by its index, which a test of its name guards: the list is shared with others.
5. Labels are only taken away, several of them in one patch.

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
        return [*_guard(obj, True), {"op": "add", "path": "/status", "value": after}]
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


def confirm(obj: KubeObject) -> list[Operation]:
    """Changes nothing, and fits nothing but this version."""
    return _guard(obj, True)


def label_test(name: str, value: str) -> Operation:
    """Does not fit an object without the label, or with another value."""
    return {"op": "test", "path": f"/metadata/labels/{_escape(name)}", "value": value}


def remove_labels(obj: KubeObject, names: tuple[str, ...]) -> list[Operation]:
    """Those that it has, all at once."""
    return [*_guard(obj, False), *({"op": "remove", "path": f"/metadata/labels/{_escape(name)}"} for name in names if name in obj.labels)]


def _guard(obj: KubeObject, exact: bool) -> list[Operation]:
    same_object = {"op": "test", "path": "/metadata/uid", "value": obj.uid}
    if not exact:
        return [same_object]
    return [same_object, {"op": "test", "path": "/metadata/resourceVersion", "value": obj.resource_version}]


def _escape(field: str) -> str:
    return field.replace("~", "~0").replace("/", "~1")
