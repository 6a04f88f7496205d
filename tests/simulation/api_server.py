"""A model of the API server: paths and verbs in, answers out, each of them atomic.

Rules:
1. Any group and kind can be stored; those in WITH_STATUS have a status subresource.
2. A write that changes nothing makes no version, and no event.
3. A resourceVersion in a PUT, or in a merge patch, that is not the newest is a Conflict. A JSON patch of which one operation does not fit
   is a 422 that names no cause.
4. Lists are paged on request; a page of a list that was compacted meanwhile is 410.
5. The write that lets an object go is answered with the object as it would have become, in its old version; watches are told its last
   stored state, in a new one (tests/cluster/test_last_finalizer.py).

Not modelled: schemas, admission, authorisation, field selectors, server-side apply.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import unquote

from controller.kube import JSON_PATCH, Request, Response
from controller.objects import Ref
from controller.selectors import parse_selector
from tests.simulation.api_patches import UnfitError, json_patch, merge_patch
from tests.simulation.api_rules import ForbiddenChangeError, created, deleting, is_over, status_updated, updated
from tests.simulation.etcd import Etcd, Json
from tests.simulation.served import Served

WITH_STATUS = frozenset({"kmskeys", "kmsaliases", "kmsgrants", "awsproviders"})
BAD_PATCH = "the server rejected our request due to an error in our request"


@dataclass(frozen=True)
class Target:
    """What a path names. A collection has no name; a subresource is "" or "status"."""

    plural: str
    namespace: str | None
    name: str
    subresource: str

    @property
    def ref(self) -> Ref:
        return Ref(self.namespace or "", self.name)

    @property
    def has_status(self) -> bool:
        return self.plural in WITH_STATUS


class ApiServer:
    """Look at `etcd` from outside; write through handle(), as everybody. served: what has reached each process."""

    behind = 0.0  # by how many seconds its watches are

    def __init__(self, etcd: Etcd, timestamp: Callable[[], str], seed: int = 0) -> None:
        self.etcd = etcd
        self.served = Served()
        self._timestamp = timestamp
        self._random = Random(seed)  # noqa: S311 - uids that are the same on every run

    def handle(self, request: Request) -> Response:
        """One request, but for watches."""
        target = parse_path(request.path)
        match request.method:
            case "GET":
                return read(self.etcd, request)
            case "POST":
                return self._create(target, json.loads(request.body or b"{}"))
            case "PUT":
                return self._replace(target, json.loads(request.body or b"{}"))
            case "PATCH":
                return self._patch(target, request)
            case "DELETE":
                return self._delete(target, json.loads(request.body or b"{}"))
            case _:
                return failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _create(self, target: Target, body: Json) -> Response:
        ref = Ref(target.namespace or "", body["metadata"]["name"])
        if self.etcd.get(target.plural, ref) is not None:
            return failure(409, "AlreadyExists", f'{target.plural} "{ref.name}" already exists')
        body = {**body, "metadata": {**body["metadata"], "namespace": ref.namespace}}
        uid = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        new = created(body, uid, self._timestamp(), has_status=target.has_status)
        return success(self.etcd.put(target.plural, ref, new), 201)

    def _replace(self, target: Target, body: Json) -> Response:
        old = self.etcd.get(target.plural, target.ref)
        if old is None:
            return _missing(target)
        return self._write(target, old, body)

    def _patch(self, target: Target, request: Request) -> Response:
        old = self.etcd.get(target.plural, target.ref)
        if old is None:
            return _missing(target)
        patch = json.loads(request.body or b"{}")
        if request.content_type != JSON_PATCH:
            return self._write(target, old, merge_patch(old, patch))
        try:
            return self._write(target, old, json_patch(old, patch))
        except UnfitError:
            return failure(422, "Invalid", BAD_PATCH)

    def _write(self, target: Target, old: Json, new: Json) -> Response:
        version = new["metadata"].get("resourceVersion", old["metadata"]["resourceVersion"])
        if version != old["metadata"]["resourceVersion"]:
            return failure(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
        try:
            after = status_updated(old, new) if target.subresource else updated(old, new, has_status=target.has_status)
        except ForbiddenChangeError as error:
            cause = {"reason": "FieldValueForbidden", "message": str(error), "field": "metadata.finalizers"}
            return failure(422, "Invalid", str(error), causes=[cause])
        if after == old:
            return success(old)
        if is_over(after):
            self.etcd.delete(target.plural, target.ref)
            return success(after)
        return success(self.etcd.put(target.plural, target.ref, after))

    def _delete(self, target: Target, options: Json) -> Response:
        old = self.etcd.get(target.plural, target.ref)
        if old is None:
            return _missing(target)
        if any(old["metadata"][name] != value for name, value in options.get("preconditions", {}).items()):
            return failure(409, "Conflict", "Precondition failed")
        after = deleting(old, self._timestamp())
        if is_over(after):
            return success(self.etcd.delete(target.plural, target.ref))
        return success(old if after == old else self.etcd.put(target.plural, target.ref, after))


def read(etcd: Etcd, request: Request) -> Response:
    """A GET, of one object or of a list, answered from what is held there."""
    target = parse_path(request.path)
    if not target.name:
        return _list(etcd, target, request)
    found = etcd.get(target.plural, target.ref)
    return _missing(target) if found is None else success(found)


def parse_path(path: str) -> Target:
    """Understands core and group paths, namespaced or not."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = [*rest, "", ""][:3]
    return Target(plural, namespace, name, subresource)


def success(body: Json, status: int = 200) -> Response:
    return Response(status, json.dumps(body).encode())


def failure(code: int, reason: str, message: str, *, retry_after: str | None = None, **details: Any) -> Response:
    """An answer with a Status."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return Response(code, json.dumps({**status, "message": message, "details": details}).encode(), retry_after)


def _list(etcd: Etcd, target: Target, request: Request) -> Response:
    revision, _, start = request.query.get("continue", f"{etcd.revision}:0").partition(":")
    if int(revision) < etcd.compacted:
        return failure(410, "Expired", "The provided continue parameter is too old to display a consistent list result.")
    items = etcd.all(target.plural, target.namespace, parse_selector(request.query.get("labelSelector", "")))
    end = int(start) + int(request.query.get("limit", len(items) or 1))
    metadata = {"resourceVersion": revision} | ({"continue": f"{revision}:{end}"} if end < len(items) else {})
    return success({"kind": "List", "metadata": metadata, "items": items[int(start) : end]})


def _missing(target: Target) -> Response:
    return failure(404, "NotFound", f'{target.plural} "{target.name}" not found')
