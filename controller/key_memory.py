"""What this process remembers of keys between two passes, by the object's UID. Losing it costs calls, or a search; never a key.

`made`: keys whose ids are not stored in their objects yet. `worked_on`: the keys of the objects that passes have seen, so that a key is
reported whose object goes away without its finalizer. `echoes`: what our last writes replaced (reconcilers/echoes.py). `attempts`: since when
the calls are known whose results are not. `ended`: of deleted objects, the ARNs that KMS has said are scheduled or disabled, so that an object
which cannot be let go at once does not ask again. `names`: what was put on keys and may not show yet.
"""

from collections import defaultdict
from typing import TYPE_CHECKING

import structlog

from controller import metrics
from controller.attempts import KnownAttempts
from controller.late_names import KnownNames
from controller.objects import KubeObject, Ref

if TYPE_CHECKING:
    from reconcilers.echoes import Echoes
    from reconcilers.states import ObservedKey

log = structlog.get_logger()


class KeyMemory:
    """One for the process."""

    def __init__(self) -> None:
        self.made: dict[str, ObservedKey] = {}
        self.echoes: dict[str, Echoes] = {}
        self.attempts = KnownAttempts()
        self.names = KnownNames()
        self.ended: defaultdict[str, set[str]] = defaultdict(set)
        self._worked_on: dict[str, str] = {}
        self._unresolved: set[Ref] = set()

    def stored(self, uid: str, key_id: str) -> None:
        """The object holds the id of its key."""
        made = self.made.get(uid)
        if made is not None and made.key_id == key_id:
            del self.made[uid]
        self._worked_on[uid] = key_id

    def released(self, uid: str) -> None:
        """The object was let go in order, or is another process's, which reads the rest from its status."""
        for memory in (self.made, self.echoes, self.ended, self._worked_on):
            memory.pop(uid, None)
        self.names.forget(uid)

    def changed(self, obj: KubeObject) -> None:
        """Notes the calls whose results are unknown, and counts the objects with such a creation."""
        self.attempts.changed(obj)
        (self._unresolved.add if b'"creationAttempt"' in obj.status else self._unresolved.discard)(obj.ref)
        metrics.CREATE_INTENTS_UNRESOLVED.set(len(self._unresolved))

    def knows(self, uid: str) -> bool:
        """Whether it would be told if the object were gone, or something is lost when it is forgotten."""
        return uid in self.made or uid in self._worked_on

    def unwatched(self, obj: KubeObject) -> None:
        """The object is not seen any more, whatever has become of it."""
        self.attempts.forget(obj.uid)
        self._unresolved.discard(obj.ref)
        metrics.CREATE_INTENTS_UNRESOLVED.set(len(self._unresolved))

    def gone(self, obj: KubeObject) -> None:
        """The object is away. A key that was not dealt with has nobody who speaks for it now, and that is said."""
        self.unwatched(obj)
        made = self.made.get(obj.uid)
        lost = made.key_id if made else self._worked_on.get(obj.uid)
        self.released(obj.uid)
        if lost is not None:
            metrics.ORPHAN_KEYS.inc()
            log.error("orphan_key", namespace=obj.namespace, name=obj.name, key=lost, reason="its object went away unprotected")
