"""The ConfigMap or Secret that a KMSKey is exported to: read by name, written, removed. Never listed, never watched.

Rules:
1. A write or a removal is made on the very version that was looked at: uid and resource version are part of the request.
2. The values of an object that is not ours are dropped as soon as it is decoded. Values are never logged.
3. What RBAC or an admission rule forbids becomes Unobservable, for a condition; any other failure is raised.
"""

import base64
from collections.abc import Mapping

import msgspec

from controller.kube import Forbidden, Invalid, Kube, KubeError, NotFound
from controller.objects import Resource
from controller.secrets import SECRETS
from reconcilers.actions import DeleteExport, WriteExport
from reconcilers.exports import places
from reconcilers.names import API_VERSION
from reconcilers.reasons import Reason
from reconcilers.states import ExportedObject, KeyObject, Owner, Place, Unobservable

RESOURCES = {"ConfigMap": Resource("", "v1", "configmaps", "ConfigMap"), "Secret": SECRETS}
LABELS = {"app.kubernetes.io/managed-by": "infra-operator"}

Found = ExportedObject | Unobservable | None


class _Owner(msgspec.Struct, gc=False):
    kind: str = ""
    name: str = ""
    uid: str = ""


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    uid: str
    resource_version: str
    owner_references: tuple[_Owner, ...] = ()


class _Object(msgspec.Struct, gc=False):
    metadata: _Metadata
    data: dict[str, str] | None = None


async def look_at_exports(kube: Kube, key: KeyObject) -> Mapping[Place, Found]:
    """What is where the object is exported to, and where it was. Raises KubeError."""
    return {place: await _look(kube, key, place) for place in places(key)}


async def write_export(kube: Kube, key: KeyObject, action: WriteExport) -> Found:
    """Makes it, or changes it; what is there then. Raises KubeError: Conflict where it is not as it was looked at."""
    place, data, found = action.place, dict(action.data), action.found
    body = _encoded(data) if place.kind == "Secret" else data
    path = RESOURCES[place.kind].path(key.namespace, None if found is None else place.name)
    try:
        if found is None:
            return _decode(await kube.post(path, _new(key, place, body)), place, key)
        return _decode(await kube.json_patch(path, [*_guard(found), {"op": "add", "path": "/data", "value": body}]), place, key)
    except (Forbidden, Invalid) as error:
        return _refused("written", place, error)


async def delete_export(kube: Kube, key: KeyObject, action: DeleteExport) -> Found:
    """Removes it; what is there then. Raises KubeError: Conflict where it is not as it was looked at."""
    preconditions = {"uid": action.found.uid, "resourceVersion": action.found.resource_version}
    try:
        await kube.delete(RESOURCES[action.place.kind].path(key.namespace, action.place.name), {"preconditions": preconditions})
    except NotFound:
        return None
    except Forbidden as error:
        return _refused("removed", action.place, error)
    return None


async def _look(kube: Kube, key: KeyObject, place: Place) -> Found:
    try:
        return _decode(await kube.get(RESOURCES[place.kind].path(key.namespace, place.name)), place, key)
    except NotFound:
        return None
    except Forbidden as error:
        return _refused("read", place, error)


def _refused(done: str, place: Place, error: KubeError) -> Unobservable:
    words = f"{place} cannot be {done}: {error.message}. Allow it to the operator's ServiceAccount, or remove spec.exportTo."
    return Unobservable(Reason.EXPORT_FAILED, words)


def _guard(found: ExportedObject) -> list[dict[str, object]]:
    same = (("uid", found.uid), ("resourceVersion", found.resource_version))
    return [{"op": "test", "path": f"/metadata/{name}", "value": value} for name, value in same]


def _new(key: KeyObject, place: Place, data: Mapping[str, str]) -> dict[str, object]:
    owner = {"apiVersion": API_VERSION, "kind": "KMSKey", "name": key.name, "uid": key.uid, "controller": True}
    metadata = {"name": place.name, "labels": LABELS, "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": place.kind, "metadata": metadata, "data": data}


def _decode(raw: bytes, place: Place, key: KeyObject) -> ExportedObject:
    obj = msgspec.json.decode(raw, type=_Object)
    owners = tuple(Owner(owner.kind, owner.name, owner.uid) for owner in obj.metadata.owner_references)
    data = obj.data or {} if any(owner.uid == key.uid for owner in owners) else {}
    return ExportedObject(obj.metadata.uid, obj.metadata.resource_version, owners, _decoded(data) if place.kind == "Secret" else data)


def _encoded(data: Mapping[str, str]) -> dict[str, str]:
    return {name: base64.b64encode(value.encode("utf-8", "surrogateescape")).decode() for name, value in data.items()}


def _decoded(data: Mapping[str, str]) -> dict[str, str]:
    """Bytes that are no text, in somebody's entry, come back as they were."""
    return {name: base64.b64decode(value).decode("utf-8", "surrogateescape") for name, value in data.items()}
