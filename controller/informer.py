"""Keeps a store equal to what the API server has: list once, watch for ever, list again when in doubt.

                 list done                    ends, cleanly or not
      LIST ------------------> WATCH ----------------------------------> WATCH from the last version
       ^                         |
       '-------------------------'  the version is too old or too new, the stream makes no sense, or has been silent twice

Rules:
1. A list has no resourceVersion, so it is a consistent read and never goes back in time. Its pages are collected first and replace
   the store at once; what vanished meanwhile is announced as a deletion, what is unchanged is not announced.
2. A watch starts from the last version seen: that of the list, of an event, or of a bookmark. Bookmarks are asked for, never needed.
   What ends a watch, and what follows then, is decided by Position (controller/position.py).
3. An event that is no news is a repetition, and ignored, if the store already tells it; else the stream has lost its order, and the
   truth is listed.
4. An unreadable item of a list is logged and left out: one broken object must not hide all others.
5. The store is updated before on_change is called. Whatever on_change raises is logged, and the informer goes on.
6. Nothing outlives a bound, see the constants: `last_progress` is never older than STALL_SECONDS unless the informer itself hangs.

7. With a selector, what stops matching is announced as a deletion: the server tells both by the same event.

Not promised: every version of an object (those between two looks are skipped), nor any order between objects.
WatchList streaming is not used: paged lists cost the server half as much CPU, and work on every version of it.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Never

import msgspec
import structlog

from controller import metrics
from controller.kube import OPEN_TIMEOUT_SECONDS, Kube, KubeError, Query
from controller.objects import KubeObject, Ref, Resource, UndecodableError, decode_object, decode_page
from controller.position import (
    IDLE_SECONDS,
    RETRY_AFTER_LIMIT_SECONDS,
    EmptyWatchError,
    OutOfOrderError,
    Position,
    Watched,
    is_newer,
)
from controller.selectors import Selector
from controller.store import Change, Store
from controller.streams import Bookmark, Changed, Deleted, Event, GarbageError, Lines, parse_event

log = structlog.get_logger()

OnChange = Callable[[KubeObject | None, KubeObject | None], None]

# client-go's. A page of objects of 4 KB decodes in 6 ms.
PAGE_SIZE = 500
# 0.6 s for a page was the slowest measured, when the server's cache had dropped its snapshots and etcd had to be read.
LIST_TIMEOUT_SECONDS = 30.0
# After so many objects others get a turn: together with on_change that is some 5 ms.
TURN = 100
# Below the 240 s after which some load balancers silently forget a connection; random, so that watches do not end together.
WATCH_SECONDS = (180, 230)
# How much longer than asked a server may keep a watch open.
WATCH_GRACE_SECONDS = 10
# The longest gap between two signs of progress is a pause followed by a request that hangs; and a margin.
STALL_SECONDS = RETRY_AFTER_LIMIT_SECONDS + max(LIST_TIMEOUT_SECONDS, OPEN_TIMEOUT_SECONDS) + 10.0


class Informer:
    """Feeds a store with the objects of one kind, of one namespace or (None) of all, that the selector matches. Make it inside the event loop.

    `on_change(old, new)` must not block; None stands for no object. `connected` tells whether the last request was served;
    `told`: whether on_change has heard of all objects of the first list. `last_progress` is the loop time at which bytes last came or an
    attempt last ended, even in failure.
    """

    def __init__(
        self,
        kube: Kube,
        resource: Resource,
        store: Store,
        on_change: OnChange,
        namespace: str | None = None,
        selector: Selector | None = None,
    ) -> None:
        self.connected = False
        self.told = False
        self.last_progress = asyncio.get_running_loop().time()
        self._kube = kube
        self._resource = resource
        self._store = store
        self._on_change = on_change
        self._namespace = namespace
        self._path = resource.path(namespace)
        self._selected = {"labelSelector": str(selector)} if selector else {}
        self._position = Position()
        self._log = log.bind(resource=resource.plural, namespace=namespace)
        store.expect(namespace)

    async def run(self) -> Never:
        """List and watch until cancelled."""
        while True:
            version = self._position.version
            pause = await (self._list() if version is None else self._watch(version))
            self._progress()
            await asyncio.sleep(pause)

    async def _list(self) -> float:
        try:
            version, objects = await self._read_pages()
        except (KubeError, UndecodableError) as error:
            return self._failed("list_failed", error, self._position.after_failure(error))
        metrics.WATCH_RELIST.labels(self._resource.plural, self._position.doubt).inc()
        self._position.listed(version)
        await self._announce_all(self._store.replace(self._namespace, objects))
        return 0.0

    async def _read_pages(self) -> tuple[str, dict[Ref, KubeObject]]:
        objects: dict[Ref, KubeObject] = {}
        query = {"limit": str(PAGE_SIZE), **self._selected}
        while True:
            page = decode_page(await self._kube.get(self._path, query, timeout=LIST_TIMEOUT_SECONDS))
            self._served()
            await self._decode(page.items, objects)
            if not page.token:
                return page.version, objects
            query = {**query, "continue": page.token}

    async def _decode(self, items: list[msgspec.Raw], objects: dict[Ref, KubeObject]) -> None:
        for number, item in enumerate(items):
            await _take_turns(number)
            try:
                obj = decode_object(item)
                objects[obj.ref] = obj
            except UndecodableError as error:
                self._log.error("object_unreadable", error=str(error))

    async def _watch(self, version: str) -> float:
        loop = asyncio.get_running_loop()
        opened, watched = loop.time(), Watched()
        failure: Exception | None = None
        try:
            await self._follow(version, watched)
        except (KubeError, GarbageError, OutOfOrderError) as error:
            failure = error
        watched.lived = loop.time() - opened
        if failure is None and watched.is_empty:
            failure = EmptyWatchError("the watch ended at once, with nothing in it")
        pause = self._position.after_watch(watched, failure)
        return pause if failure is None else self._failed("watch_failed", failure, pause)

    async def _follow(self, version: str, watched: Watched) -> None:
        seconds = random.randint(*WATCH_SECONDS)  # noqa: S311 - spreads load, guards nothing
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version, "timeoutSeconds": str(seconds)}
        query |= self._selected
        with suppress(TimeoutError):  # an end like any other: the server has had its time
            async with asyncio.timeout(seconds + WATCH_GRACE_SECONDS):
                await self._read_stream(query, watched)

    async def _read_stream(self, query: Query, watched: Watched) -> None:
        lines = Lines()
        async with self._kube.stream(self._path, query, IDLE_SECONDS) as chunks:
            self._served()
            async for chunk in chunks:
                self._served()
                watched.chunks += 1
                self._take(lines.feed(chunk), watched)

    def _take(self, lines: Iterable[bytes], watched: Watched) -> None:
        for line in lines:
            self._apply(parse_event(line))
            watched.events += 1
            metrics.WATCH_LAST_EVENT_TIMESTAMP_SECONDS.labels(self._resource.plural).set_to_current_time()

    def _apply(self, event: Event) -> None:
        if not self._position.is_behind(event.version):
            self._ignore_repetition(event)
            return
        match event:
            case Changed(seen):
                self._announce(self._store.put(seen))
            case Deleted(seen):
                self._announce(self._store.remove(seen))
            case Bookmark():
                pass
        self._position.advance(event.version)

    def _ignore_repetition(self, event: Event) -> None:
        """Raises OutOfOrderError where the store does not already tell what the event does."""
        if isinstance(event, Bookmark):
            return
        known = self._store.get(event.object.ref)
        if known is None or known.uid != event.object.uid:
            told = isinstance(event, Deleted)
        else:
            told = isinstance(event, Changed) and not is_newer(event.version, known.resource_version)
        if told:
            return
        raise OutOfOrderError(f"{type(event).__name__} {event.object.ref} at {event.version} comes after {self._position.version}")

    async def _announce_all(self, differences: Iterable[list[Change]]) -> None:
        for number, changes in enumerate(differences):
            await _take_turns(number)
            self._announce(changes)
        self.told = True

    def _announce(self, changes: list[Change]) -> None:
        for ref, old, new in changes:
            try:
                self._on_change(old, new)
            except Exception:  # noqa: BLE001 - a bug of the listener must not cost it all later changes
                self._log.exception("on_change_failed", ref=str(ref))

    def _served(self) -> None:
        self.connected = True
        self._progress()

    def _progress(self) -> None:
        self.last_progress = asyncio.get_running_loop().time()

    def _failed(self, event: str, error: Exception, pause: float) -> float:
        self.connected = False
        self._log.warning(event, error=str(error), pause=round(pause, 1))
        return pause


async def _take_turns(number: int) -> None:
    if number % TURN == TURN - 1:
        await asyncio.sleep(0)
