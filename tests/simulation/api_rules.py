"""What the API server makes of a write: pure functions from the stored object and the new one to what is stored then.

Rules (apiserver's generic registry, and that of custom resources):
1. A write to the object leaves its status alone, one to the status leaves all else alone.
2. generation grows when the spec changes, and when deletion begins. name, uid and the timestamps are the server's.
3. With a finalizer a deletion only begins: deletionTimestamp is set. No finalizer can be added from then on, and with the last one gone
   the object goes. A list of none is left out.
"""

import copy
from typing import Any

Json = dict[str, Any]

# The server's: what a client writes into these is ignored.
_OWN = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion")


class ForbiddenChangeError(Exception):
    """A write that breaks a rule of the kind, as opposed to one that comes too late."""


def created(body: Json, uid: str, now: str, *, has_status: bool) -> Json:
    """A new object."""
    server = {"uid": uid, "creationTimestamp": now, "generation": 1}
    kept = {name: value for name, value in body.items() if not (has_status and name == "status")}
    return {**copy.deepcopy(kept), "metadata": {**body["metadata"], **server}}


def updated(old: Json, new: Json, *, has_status: bool) -> Json:
    """An object after a write to it. Raises ForbiddenChangeError."""
    metadata = {**new["metadata"], **{name: old["metadata"][name] for name in _OWN if name in old["metadata"]}}
    _check_finalizers(old["metadata"], metadata)
    if not metadata.get("finalizers", True):
        del metadata["finalizers"]
    after = {**new, "metadata": metadata}
    if has_status:
        after.pop("status", None)
        after |= {"status": old["status"]} if "status" in old else {}
    if after.get("spec") != old.get("spec"):
        metadata["generation"] = old["metadata"]["generation"] + 1
    return after


def status_updated(old: Json, new: Json) -> Json:
    """An object after a write to its status."""
    after = {name: value for name, value in old.items() if name != "status"}
    return after | ({"status": new["status"]} if "status" in new else {})


def deleting(old: Json, now: str) -> Json:
    """An object with finalizers after a deletion of it."""
    metadata = old["metadata"]
    if "deletionTimestamp" in metadata:
        return old
    marks = {"deletionTimestamp": now, "deletionGracePeriodSeconds": 0, "generation": metadata["generation"] + 1}
    return {**old, "metadata": {**metadata, **marks}}


def is_over(obj: Json) -> bool:
    """Nothing holds it any more."""
    return "deletionTimestamp" in obj["metadata"] and not obj["metadata"].get("finalizers")


def _check_finalizers(old: Json, new: Json) -> None:
    added = set(new.get("finalizers", ())) - set(old.get("finalizers", ()))
    if "deletionTimestamp" in old and added:
        raise ForbiddenChangeError("no new finalizers can be added if the object is being deleted")
