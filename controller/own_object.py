"""One object during one pass: patched by us, and each time as the server answers that it is now.

Rules:
1. What is patched is what was read or answered last, so a pass plans its next step from its own writes and not from a late watch.
2. The object is the user's as it was when the pass began, and ours as we have written it since. Where a patch's answer shows that the user has
   changed it meanwhile, the pass does nothing more: the next one decides anew. Nothing is decided by halves of two versions.
3. A status that is as it was is not written.
4. Nothing is written for an object that has left this process (controller/partition.py), but for the answer to a call that cannot be repeated.
"""

from typing import Any

import structlog

from controller.decoding import plain
from controller.kube import Kube, NotFound
from controller.objects import KubeObject, Resource, decode_object
from controller.own_writes import OwnWrites
from controller.patches import Operation, add_finalizer, confirm, remove_finalizer, remove_labels, status_patch
from reconcilers.fields import Model
from reconcilers.names import PAUSED_ANNOTATION, PLAN_ANNOTATION

log = structlog.get_logger()


class OwnObject:
    """`obj` is its newest version that this process knows. is_shown: the server has shown it just now."""

    def __init__(self, kube: Kube, own: OwnWrites, resource: Resource, obj: KubeObject, *, is_shown: bool = False) -> None:
        self.obj = obj
        self._begun = _asked_of_us(obj)
        self._is_shown = is_shown
        self._kube = kube
        self._own = own
        self._resource = resource

    @property
    def is_outdated(self) -> bool:
        """Whether the user has changed the object since the pass began."""
        return _asked_of_us(self.obj) != self._begun

    @property
    def is_watched(self) -> bool:
        """Whether the watch has not told yet that this very object is gone."""
        known = self._own.get(self.obj.ref)
        return known is not None and known.uid == self.obj.uid

    async def store(self, before: Model, after: Model, *, exact: bool = False, answer: bool = False) -> None:
        """Write the status if it differs; exact: only on the version of the object that is known. Raises KubeError.

        answer: it holds what AWS has answered to a call that cannot be repeated, and is stored whosever the object is by now.
        """
        operations = status_patch(self.obj, plain(before), plain(after), exact=exact)
        if operations:
            await self._patch("status", operations, answer=answer)

    async def look(self) -> None:
        """At the object as the server has it now, unless the server has shown it in this pass already. Raises KubeError."""
        if not self._is_shown:
            self._took(await self._kube.get(self._resource.path(*self.obj.ref)))

    async def confirm(self) -> None:
        """That the object is as it is known, by a write that changes nothing: where reads are old, writes are not. Raises KubeError."""
        await self._patch(None, confirm(self.obj))

    async def protect(self, finalizer: str) -> None:
        """Raises KubeError."""
        await self._patch(None, add_finalizer(self.obj, finalizer))

    async def release(self, finalizer: str) -> None:
        """An object that is gone was released already. Raises KubeError."""
        try:
            await self._patch(None, remove_finalizer(self.obj, finalizer))
        except NotFound:
            log.debug("already_released")

    async def annotate(self, name: str, value: str) -> None:
        """A merge, because what else is in the annotations is not all known here. Raises KubeError."""
        metadata: dict[str, Any] = {"uid": self.obj.uid, "annotations": {name: value}}
        if self._own.guard(self.obj):  # a merge cannot test labels
            metadata["resourceVersion"] = self.obj.resource_version
        self._took(await self._kube.merge_patch(self._resource.path(*self.obj.ref), {"metadata": metadata}))

    def guard(self) -> None:
        """Before a write to the outside. Raises HandedOverError where the object has left this process."""
        self._own.guard(self.obj)

    async def give_back(self) -> None:
        """To whoever divides the objects: without the labels by which it was ours and asked back, in one patch. Raises KubeError."""
        await self._patch(None, remove_labels(self.obj, self._own.partition.marks))
        log.info("given_back")

    async def _patch(self, subresource: str | None, operations: list[Operation], *, answer: bool = False) -> None:
        path = self._resource.path(self.obj.namespace, self.obj.name, subresource)
        guard = [] if answer else self._own.guard(self.obj)
        self._took(await self._kube.json_patch(path, [*guard, *operations]))

    def _took(self, answer: bytes) -> None:
        """The object as the server has it, after our write or at a look."""
        self.obj, self._is_shown = decode_object(answer), True
        self._own.put(self.obj)


def _asked_of_us(obj: KubeObject) -> tuple[object, ...]:
    """What a pass over the object carries out: where this changes, it is another pass's. Other annotations may change all the time."""
    return obj.uid, obj.generation, obj.deletion_timestamp, obj.annotations.get(PAUSED_ANNOTATION), obj.annotations.get(PLAN_ANNOTATION)
