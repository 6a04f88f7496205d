"""Whether a key that an object wants to take over is another object's already: by the key's owner tags, or by that object's status.

Objects of namespaces that are not watched are not in the store, and the store is late by design: so an object that the owner tags name is
read. One that only observes the key does not hold it.
"""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from controller.key_objects import KMSKEYS
from controller.kube import Forbidden, Kube, NotFound
from controller.objects import KubeObject, decode_object
from reconcilers.adoption_fields import ManagementPolicy
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from reconcilers.states import Candidates, KeyObject, NotCreated, ObservedKey, Unobservable


class _Spec(msgspec.Struct, rename="camel"):
    management_policy: str | None = None


class _Status(msgspec.Struct, rename="camel"):
    key_id: str | None = None


async def holder(kube: Kube, objects: Iterable[KubeObject], key: KeyObject, found: ObservedKey, cluster_id: str) -> str | None:
    """The other living object that has the key, as `KMSKey namespace/name`. Raises KubeError."""
    tags = {} if isinstance(found.tags, Unobservable) else found.tags
    uid = tags.get(UID_TAG) if tags.get(CLUSTER_TAG) == cluster_id else None
    for obj in objects:
        if obj.uid != key.uid and (obj.uid == uid or _remembers(obj, found.key_id)):
            return f"KMSKey {obj.ref}"
    return None if uid in (None, key.uid) else await _tagged(kube, tags.get(OWNER_TAG, ""), uid)


def found_by_tags(seen: NotCreated | Candidates) -> set[str]:
    """The ids of the keys."""
    return {one.key_id for one in (*(seen.keys if isinstance(seen, Candidates) else ()), *seen.earlier)}


def without_held(seen: NotCreated | Candidates, objects: Iterable[KubeObject], key: KeyObject) -> NotCreated | Candidates:
    """What was found for an object by owner tags, without the keys that the statuses of others name as theirs.

    One of the same name is none of them: a late watch shows the object that was there before, whose key it is that comes back.
    """
    found = found_by_tags(seen)
    others = (obj for obj in objects if obj.ref != (key.namespace, key.name))
    held = {key_id for obj in others for key_id in found if _remembers(obj, key_id)}
    earlier = tuple(one for one in seen.earlier if one.key_id not in held)
    if isinstance(seen, NotCreated):
        return NotCreated(earlier)
    return replace(seen, keys=tuple(one for one in seen.keys if one.key_id not in held), earlier=earlier)


def _remembers(obj: KubeObject, key_id: str) -> bool:
    if key_id.encode() not in obj.status or msgspec.json.decode(obj.status, type=_Status).key_id != key_id:
        return False
    return msgspec.json.decode(obj.spec, type=_Spec).management_policy != ManagementPolicy.OBSERVE


async def _tagged(kube: Kube, owner: str, uid: str) -> str | None:
    """The object of this namespace/name, if it lives, and is no later one of the same name."""
    namespace, _, name = owner.partition("/")
    if not name:
        return None
    try:
        lives = decode_object(await kube.get(KMSKEYS.path(namespace, name))).uid == uid
    except NotFound:
        return None
    except Forbidden:  # where we may not look, it may live
        lives = True
    return f"KMSKey {owner}" if lives else None
