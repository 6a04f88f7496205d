"""A KMSKey's object during one pass: what any such object is to us (own_object.py), in the form in which it is decided about.

Rules:
1. A key that was made, and whose id is not stored yet, stays in memory until it is stored; a pass stores it before anything else.
2. The memory learns of each id that the object holds, and forgets the key before the object is let go.
3. Each status that is reported is told in events too (key_notes.py).
"""

from dataclasses import replace
from datetime import datetime

from controller.decoding import read_status
from controller.key_means import Means
from controller.key_notes import KeyNotes
from controller.key_objects import KMSKEYS, regarding
from controller.kube import KubeError
from controller.objects import KubeObject
from controller.own_object import OwnObject
from reconcilers.fields import DriftPolicy
from reconcilers.key_status import KMSKeyStatus
from reconcilers.reports import remembered
from reconcilers.states import KeyObject


class OwnKey(OwnObject):
    """`key` is the user's as it was when the pass began, and ours as we have written it since."""

    def __init__(self, means: Means, obj: KubeObject, key: KeyObject, *, is_shown: bool = False) -> None:
        super().__init__(means.kube, means.own, KMSKEYS, obj, is_shown=is_shown)
        self.key = key
        self.notes = KeyNotes(means.events, regarding(obj))
        self._memory = means.memory
        self._operator = means.operator

    @property
    def only_reports(self) -> bool:
        """Whether drift is told, not corrected."""
        return self.key.spec.drift_policy is DriftPolicy.REPORT

    async def store_made(self, now: datetime) -> None:
        """The id of a key that was made and could not be stored yet, if there is one. Raises KubeError."""
        made = self._memory.made.get(self.key.uid)
        if made is not None:
            await self.report(remembered(self.key, made, self._operator, now), answer=True)

    async def report(self, status: KMSKeyStatus, *, exact: bool = False, answer: bool = False) -> None:
        """Store the status if it differs, and tell what is new in it. exact and answer: as of any object. Raises KubeError."""
        before = self.key.status
        await self.store(before, status, exact=exact, answer=answer)
        if status.key_id is not None:
            self._memory.stored(self.key.uid, status.key_id)
        self.notes.reported(before, status, only_reports=self.only_reports)

    async def release(self, finalizer: str) -> None:
        """Forgets the key first: the watch may tell that the object is gone before the answer to the patch does, or without it."""
        uid, key_id = self.key.uid, self.key.status.key_id
        ended = self._memory.ended.pop(uid, set())
        self._memory.released(uid)
        try:
            await super().release(finalizer)
        except KubeError:
            if key_id is not None and self.is_watched:
                self._memory.stored(uid, key_id)
                self._memory.ended[uid] = ended
            raise

    def _took(self, answer: bytes) -> None:
        super()._took(answer)
        self.key = replace(self.key, finalizers=self.obj.finalizers, status=read_status(self.obj, KMSKeyStatus))
