"""One object during one pass: patched by us, and each time as the server answers that it is now.

Rules:
1. What is patched is what was read or answered last, so a pass plans its next step from its own writes and not from a late watch.
2. A status that is as it was is not written.
3. Nothing is written for an object that has left this process (controller/partition.py).
"""

from typing import Any

import structlog

from controller.decoding import plain
from controller.kube import Kube, NotFound
from controller.objects import KubeObject, Resource, decode_object
from controller.own_writes import OwnWrites
from controller.patches import add_finalizer, remove_finalizer, remove_labels, status_patch
from reconcilers.fields import Model

log = structlog.get_logger()


class OwnObject:
    """`obj` is its newest version that this process knows."""

    def __init__(self, kube: Kube, own: OwnWrites, resource: Resource, obj: KubeObject) -> None:
        self.obj = obj
        self._kube = kube
        self._own = own
        self._resource = resource

    async def report(self, before: Model, after: Model, *, exact: bool = False) -> None:
        """Store the status if it differs; exact: only on the version of the object that is known. Raises KubeError."""
        operations = status_patch(self.obj, plain(before), plain(after), exact=exact)
        if operations:
            await self._patch("status", operations)

    async def protect(self, finalizer: str) -> None:
        """Raises KubeError."""
        await self._patch(None, add_finalizer(self.obj, finalizer))

    async def release(self, finalizer: str) -> None:
        """An object that is gone was released already. Raises KubeError."""
        try:
            await self._patch(None, remove_finalizer(self.obj, finalizer))
        except NotFound:
            log.debug("already_released")

    def guard(self) -> None:
        """Before a write to the outside. Raises HandedOverError where the object has left this process."""
        self._own.guard(self.obj)

    async def give_back(self) -> None:
        """To whoever divides the objects: without the labels by which it was ours and asked back, in one patch. Raises KubeError."""
        await self._patch(None, remove_labels(self.obj, self._own.partition.marks))
        log.info("given_back")

    async def _patch(self, subresource: str | None, operations: list[dict[str, Any]]) -> None:
        path = self._resource.path(self.obj.namespace, self.obj.name, subresource)
        self.obj = decode_object(await self._kube.json_patch(path, [*self._own.guard(self.obj), *operations]))
        self._own.put(self.obj)
