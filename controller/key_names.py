"""Objects of one kind by what their statuses say that their keys and aliases are called, so that news of a key finds those that it concerns."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from controller.objects import KubeObject, Ref
from reconcilers.cloudtrail import KeyName, name_in


class _Status(msgspec.Struct, gc=False, rename="camel"):
    account_id: str | None = None
    key_id: str | None = None
    target_key_id: str | None = None
    alias_arn: str | None = None
    aliases: tuple[str, ...] = ()


_read_status = msgspec.json.Decoder(_Status).decode


class KeyNames:
    """Kept as the informer tells of changes."""

    def __init__(self) -> None:
        self._by_name: dict[KeyName, set[Ref]] = defaultdict(set)

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """An object has come, changed or gone."""
        before, after = _names(old), _names(new)
        if old is not None:
            for name in before - after:
                self._by_name[name].discard(old.ref)
                if not self._by_name[name]:
                    del self._by_name[name]
        if new is not None:
            for name in after - before:
                self._by_name[name].add(new.ref)

    def called(self, names: Iterable[KeyName]) -> set[Ref]:
        """The objects that have a key or an alias of one of these names."""
        return {ref for name in names for ref in self._by_name.get(name, ())}


def _names(obj: KubeObject | None) -> frozenset[KeyName]:
    """A status that is no status, which only a hand edit can make, names nothing."""
    try:
        status = _read_status(obj.status) if obj else _Status()
    except msgspec.ValidationError:
        return frozenset()
    found = {KeyName(status.account_id or "", name) for name in (status.key_id, status.target_key_id, *status.aliases) if name}
    alias = name_in(status.alias_arn or "")
    return frozenset(found | ({alias} if alias else set()))
