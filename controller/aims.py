"""Which dependents aim at which key, so that a change of a KMSKey wakes those that it concerns and no others.

An aim is the name of a KMSKey (namespace/name), or the id of a key.
"""

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from controller.objects import KubeObject, Ref
from reconcilers.arns import id_of


class _TargetRef(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str | None = None


class _Spec(msgspec.Struct, gc=False, rename="camel"):
    target_ref: _TargetRef | None = None
    target_key_id: str | None = None


class _Status(msgspec.Struct, gc=False, rename="camel"):
    key_id: str | None = None
    key_state: str | None = None
    key_arn: str | None = None


_read_spec = msgspec.json.Decoder(_Spec).decode
_read_status = msgspec.json.Decoder(_Status).decode


class Aims:
    """The dependents of one kind by what they aim at."""

    def __init__(self) -> None:
        self._by_aim: dict[str, set[Ref]] = defaultdict(set)
        self._of: dict[Ref, str] = {}

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """A dependent has come, changed or gone."""
        if old is not None and (aim := self._of.pop(old.ref, None)) is not None:
            self._by_aim[aim].discard(old.ref)
            if not self._by_aim[aim]:
                del self._by_aim[aim]
        if new is not None and (aim := _aim(new)) is not None:
            self._of[new.ref] = aim
            self._by_aim[aim].add(new.ref)

    def concerned(self, old: KubeObject | None, new: KubeObject | None) -> set[Ref]:
        """The dependents to which this change of a KMSKey matters."""
        if old is not None and new is not None and _matters(old) == _matters(new):
            return set()
        names = {name for obj in (old, new) if obj is not None for name in _names(obj)}
        return {ref for name in names for ref in self._by_aim.get(name, ())}


def _aim(obj: KubeObject) -> str | None:
    """None for a spec that cannot be read."""
    try:
        spec = _read_spec(obj.spec)
    except msgspec.ValidationError:
        return None
    if spec.target_ref is not None:
        return f"{spec.target_ref.namespace or obj.namespace}/{spec.target_ref.name}"
    return id_of(spec.target_key_id or "")


def _names(key: KubeObject) -> Iterator[str]:
    yield str(key.ref)
    if (key_id := _status(key).key_id) is not None:
        yield key_id


def _matters(key: KubeObject) -> tuple[object, ...]:
    """What dependents go by: who the key is, its state, and what its object says of them and of its provider."""
    status = _status(key)
    return key.uid, key.generation, key.deletion_timestamp, status.key_arn, status.key_state


def _status(key: KubeObject) -> _Status:
    """A status that is no status, which only a hand edit can make, tells nothing."""
    try:
        return _read_status(key.status)
    except msgspec.ValidationError:
        return _Status()
