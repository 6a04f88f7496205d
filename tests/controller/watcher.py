"""An informer beside the server that it should mirror, with all that it announced."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from controller import metrics
from controller.informer import Informer
from controller.kube import Kube
from controller.objects import KubeObject
from controller.store import Store
from tests.controller.scripted import THINGS, ApiServer, version_of

Told = tuple[str, str]  # what happened, and to which uid


class Watcher:
    """A store, its informer, and all that was announced."""

    def __init__(self, server: ApiServer, namespace: str | None = None, store: Store | None = None) -> None:
        self.server = server
        self.store = Store() if store is None else store
        self.told: list[Told] = []
        self.informer = Informer(Kube(server), THINGS, self.store, self.hear, namespace)

    def hear(self, old: KubeObject | None, new: KubeObject | None) -> None:
        if old is None:
            assert new is not None
            self.told.append(("added", new.uid))
        else:
            self.told.append(("deleted" if new is None else "changed", old.uid))

    def is_synced(self) -> bool:
        return self.store.synced

    def is_connected(self) -> bool:
        return self.informer.connected

    def mirrors_the_server(self) -> bool:
        """Whether the store holds what the server holds, version by version."""
        held = {ref: str(version_of(obj)) for ref, obj in self.server.objects.items()}
        return {seen.ref: seen.resource_version for seen in self.store} == held

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task: asyncio.Task[object] = asyncio.create_task(self.informer.run())
        try:
            await asyncio.sleep(0.1)
            yield
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def server_with(*names: str) -> ApiServer:
    server = ApiServer()
    for name in names:
        server.put(name)
    return server


@contextmanager
def relists(reason: str) -> Iterator[Callable[[], float]]:
    """How many lists were counted for this reason since the context began."""
    counter = metrics.WATCH_RELIST.labels(THINGS.plural, reason)
    before = counter._value.get()
    yield lambda: counter._value.get() - before
