"""The kinds that the program looks after: for each a store that informers fill, a queue, and workers that take from it.

A kind is its Controller, which knows what an object of it means; here it is only told of changes and asked to reconcile. The order of the
kinds is that in which their workers start; no worker of any kind starts before the stores of all are filled, because kinds look at one another.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from controller.informer import Informer
from controller.kube import Kube
from controller.objects import KubeObject, Ref, Resource
from controller.selectors import Selector
from controller.store import Store
from controller.workers import Workers
from controller.workqueue import WorkQueue


class Controller(Protocol):
    """What the program needs to know of a kind's controller."""

    store: Store
    queue: WorkQueue[Ref]

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informers tell."""

    async def reconcile(self, ref: Ref) -> timedelta | None:
        """One pass over one object; when to look again."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One of them; workers: how many passes run at the same time. selector: of its objects that are ours; None for all."""

    resource: Resource
    controller: Controller
    workers: int
    selector: Selector | None = None

    @property
    def label(self) -> str:
        """The name of its queue and controller in metrics."""
        return self.resource.kind.lower()


def informers(kinds: Iterable[Kind], kube: Kube, namespaces: tuple[str, ...]) -> list[Informer]:
    """One for each kind and namespace; without namespaces one for each kind, of the whole cluster."""
    return [
        Informer(kube, kind.resource, kind.controller.store, kind.controller.changed, namespace, kind.selector)
        for kind in kinds
        for namespace in namespaces or (None,)
    ]


def synced(kinds: Iterable[Kind]) -> bool:
    """Whether all stores are filled."""
    return all(kind.controller.store.synced for kind in kinds)


def shut_down(kinds: Iterable[Kind]) -> None:
    """No new pass begins."""
    for kind in kinds:
        kind.controller.queue.shut_down()


async def work(kinds: Sequence[Kind], expected: tuple[type[Exception], ...]) -> None:
    """Until all queues are shut down and their last passes have ended."""
    async with asyncio.TaskGroup() as group:
        for kind in kinds:
            workers = Workers(kind.label, kind.controller.queue, kind.controller.reconcile, kind.workers, expected=expected)
            group.create_task(workers.run())
