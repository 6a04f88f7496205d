"""What the older operator of this API group has: KMSKeys that are ours already.

Nothing is translated; here is only seen whether each can be taken over in place.
"""

from collections.abc import Iterable

from reconcilers.migration import Found, Json
from reconcilers.names import API_VERSION, GROUP, KMSKEY_FINALIZER


def from_older_operator(objects: Iterable[Json]) -> Found:
    """Of any objects, those of this group."""
    found = Found()
    for one in objects:
        if str(one.get("apiVersion", "")).partition("/")[0] == GROUP and one.get("kind") == "KMSKey":
            where = f"KMSKey {one['metadata'].get('namespace') or 'default'}/{one['metadata']['name']}"
            problem = _problem(one)
            if problem:
                found.left_out.append(f"{where}: {problem}")
            else:
                found.notes.append(f"{where}: needs no manifest; its key {one['status']['keyId']} is taken over as it is")
    return found


def _problem(one: Json) -> str | None:
    """What keeps its key from being taken over in place."""
    if one["apiVersion"] != API_VERSION:
        return f"its apiVersion is {one['apiVersion']}, and {API_VERSION} is served"
    if one["metadata"].get("deletionTimestamp"):
        return "it is being deleted: let the older operator finish that"
    if not (one.get("status") or {}).get("keyId"):
        return "its status names no key: let the older operator finish, or name the key by spec.adopt"
    if KMSKEY_FINALIZER not in (one["metadata"].get("finalizers") or ()):
        return f"it has no finalizer {KMSKEY_FINALIZER}: whether the key is its own cannot be known; name it by spec.adopt"
    return None
