"""exportTo: what programs in the cluster need to know of a key, in a ConfigMap or Secret beside the object.

Rules:
1. Only an object whose ownerReferences name this very KMSKey, by its uid, is ever changed or removed. Any other of that name is a conflict,
   and is left alone. One of this object's predecessor is waited for: Kubernetes removes it.
2. The place is written into the status before anything is put there, so that it is found again when exportTo changes. It is left first,
   and the new one is filled then.
3. The object is looked at in each pass, by name, and written only where one of our entries differs. Entries of others stay.
4. A public key never changes. It is asked of KMS once; after that the object itself holds it, and a hash in the status tells whether it is
   still the same. A disabled key does not tell it: what was exported stays.

Whose key is deleted need not do anything: Kubernetes removes the object with its owner.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from reconcilers.actions import DeleteExport, WriteExport
from reconcilers.adoption_fields import ManagementPolicy
from reconcilers.aliases import PREFIX
from reconcilers.key_status import Exported
from reconcilers.reasons import Reason
from reconcilers.states import ExportedObject, KeyObject, ObservedKey, Place, Problem, Unobservable

PUBLIC_KEY = "publicKey.pem"
ENTRIES = ("keyId", "keyArn", "region", "accountId", "alias", PUBLIC_KEY)  # ours; all others are somebody else's
# The families of keys that have a public half.
PUBLIC = ("RSA_", "ECC_", "ML_", "SM2")
LATER = timedelta(minutes=5)
SOON = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Export:
    """What is due. exported: what the status remembers from now on."""

    exported: Exported | None
    actions: tuple[WriteExport | DeleteExport, ...] = ()
    problem: Problem | None = None
    look_again: timedelta = LATER


def places(key: KeyObject) -> tuple[Place, ...]:
    """Where there is something to look at."""
    if key.deleting:
        return ()
    wanted, before = _wanted(key), _before(key)
    return tuple(dict.fromkeys(place for place in (before, wanted) if place is not None))


def public_key_is_needed(key: KeyObject, seen: ObservedKey) -> bool:
    """Whether KMS has to be asked for it."""
    place = _wanted(key)
    if place is None or seen.public_key is not None or seen.state != "Enabled" or not seen.key_spec.startswith(PUBLIC):
        return False
    found = key.exports.get(place)
    return found is None or (isinstance(found, ExportedObject) and _is_ours(key, found) and _kept_pem(key, found) is None)


def export(key: KeyObject, seen: ObservedKey, aliases: Iterable[str]) -> Export:
    """aliases: those that are the object's."""
    before, wanted = _before(key), _wanted(key)
    if before is not None and before != wanted:
        left = key.exports.get(before)
        if isinstance(left, Unobservable):
            return Export(key.status.exported, problem=Problem(left.reason, left.message))
        if left is not None and _is_ours(key, left):
            return Export(key.status.exported, (DeleteExport(before, left),))
    return Export(None) if wanted is None else _fill(key, wanted, seen, aliases)


def _fill(key: KeyObject, place: Place, seen: ObservedKey, aliases: Iterable[str]) -> Export:
    before = key.status.exported if _before(key) == place else None
    found = key.exports.get(place)
    if isinstance(found, Unobservable):
        return Export(before, problem=Problem(found.reason, found.message))
    if found is not None and not _is_ours(key, found):
        return _taken(key, place, found)
    pem = seen.public_key or _kept_pem(key, found)
    if isinstance(pem, Unobservable):
        return Export(before, problem=Problem(pem.reason, pem.message))
    if pem is None and seen.key_spec.startswith(PUBLIC):
        words = f"The public key cannot be read while the key is {seen.state}: {place} is written as soon as it can."
        return Export(before, problem=Problem(Reason.KEY_DISABLED, words, stalled=False))
    data = {**_entries(key, seen, aliases, pem), **_entries_of_others(found)}
    exported = Exported(kind=place.kind, name=place.name, public_key_hash=pem and digest(pem))
    due = found is None or found.data != data
    return Export(exported, (WriteExport(place, data, found),) if due else ())


def digest(pem: str) -> str:
    """By which a public key is known again."""
    return hashlib.sha256(pem.encode()).hexdigest()


def _entries(key: KeyObject, seen: ObservedKey, aliases: Iterable[str], pem: str | None) -> Mapping[str, str]:
    """alias: the first of the spec's that leads to the key."""
    there = set(aliases)
    names = (alias if alias.startswith(PREFIX) else PREFIX + alias for alias in key.spec.aliases or ())
    optional = {"alias": next((name for name in names if name in there), None), PUBLIC_KEY: pem}
    told = {"keyId": seen.key_id, "keyArn": seen.arn, "region": seen.region, "accountId": seen.account_id}
    return told | {name: value for name, value in optional.items() if value is not None}


def _entries_of_others(found: ExportedObject | None) -> Mapping[str, str]:
    return {name: value for name, value in found.data.items() if name not in ENTRIES} if found else {}


def _taken(key: KeyObject, place: Place, found: ExportedObject) -> Export:
    if any((owner.kind, owner.name) == ("KMSKey", key.name) for owner in found.owners):
        words = f"{place} belongs to an earlier object of this name, and Kubernetes is about to remove it: it is written anew then."
        return Export(None, problem=Problem(Reason.EXPORT_CONFLICT, words, stalled=False), look_again=SOON)
    words = f"{place} is there already and not this object's, so it is left as it is: choose another name in spec.exportTo, or delete it."
    return Export(None, problem=Problem(Reason.EXPORT_CONFLICT, words))


def _is_ours(key: KeyObject, found: ExportedObject) -> bool:
    return any(owner.uid == key.uid for owner in found.owners)


def _kept_pem(key: KeyObject, found: ExportedObject | None) -> str | None:
    """The public key in our object, if it is the one that we put there."""
    pem, exported = found.data.get(PUBLIC_KEY) if found else None, key.status.exported
    return pem if pem is not None and exported is not None and digest(pem) == exported.public_key_hash else None


def _wanted(key: KeyObject) -> Place | None:
    if key.spec.export_to is None or key.spec.management_policy is ManagementPolicy.OBSERVE:
        return None
    return Place(key.spec.export_to.kind, key.spec.export_to.name)


def _before(key: KeyObject) -> Place | None:
    return Place(key.status.exported.kind, key.status.exported.name) if key.status.exported else None
