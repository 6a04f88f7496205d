"""KMSKeys: which of them are to be looked at, and when. What a look is stands in key_pass.py.

A change of status alone wakes nobody, because our own writes are such changes. A key that is as declared is looked at each resync interval
(controller/resyncs.py).

Where several processes divide the keys (controller/partition.py), an object that leaves the watch is looked for on the server before its key is
called an orphan, and only after the pass under way has ended. Until then what is remembered of it stays. A drained object is given back, but
the id of a key that was made is stored before.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from aws.errands import Errands
from aws.sight import Sight
from controller.awsproviders import AWSProviders
from controller.claims import AliasClaims
from controller.condition_counts import count_conditions
from controller.events import EventRecorder
from controller.key_means import Means
from controller.key_memory import KeyMemory
from controller.key_names import KeyNames
from controller.key_objects import KMSKEYS, is_unseen, key_object, named_provider, read_spec
from controller.key_pass import KeyPass
from controller.kube import Kube, NotFound
from controller.objects import KubeObject, Ref, decode_object
from controller.own_key import OwnKey
from controller.own_object import OwnObject
from controller.own_writes import OwnWrites
from controller.pace import Pace
from controller.quota_waits import on_errand
from controller.resyncs import Resyncs
from controller.store import Store
from controller.turns import in_turns
from controller.workqueue import Priority, WorkQueue
from reconcilers import durations
from reconcilers.key_spec import KMSKeySpec
from reconcilers.names import KEY_ID_ANNOTATION, KMSKEY_FINALIZER
from reconcilers.reports import blocked, report
from reconcilers.states import KeyObject, Operator, Problem

log = structlog.get_logger()


class KMSKeys:
    """The keys of all namespaces, as far as they are this process's.

    `followers` are told of every change of a KMSKey, as the informer tells it. `claims` holds the KMSAliases, which have aliases too.
    """

    def __init__(
        self,
        kube: Kube,
        providers: AWSProviders,
        events: EventRecorder,
        operator: Operator,
        resyncs: Resyncs,
        now: Callable[[], datetime],
    ) -> None:
        self.store = Store()
        self.queue: WorkQueue[Ref] = WorkQueue("kmskey")
        self.names = KeyNames()
        self._errands = Errands(self.queue.add, lambda: len(self.queue) > 0)
        self._pace = Pace(self.queue, self.store)
        self.followers: list[Callable[[KubeObject | None, KubeObject | None], None]] = []
        self._kube = kube
        self._providers = providers
        self._operator = operator
        self._resyncs = resyncs
        self._now = now
        ways = providers.ways
        self._partition = ways.others.partition
        self._own = OwnWrites(self.store, self._partition)
        self._memory = KeyMemory()
        self._parted: dict[Ref, KubeObject] = {}  # left the watch, and nobody knows yet whether they are gone
        self.claims = AliasClaims(ways.others)
        self._means = Means(kube, ways, events, operator, self._own, self._memory, Sight(operator), self.claims)
        providers.wakers.append(self._wake)

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informer tells."""
        count_conditions("KMSKey", old, new)
        self._providers.key_changed(old, new)
        self.names.changed(old, new)
        for follower in self.followers:
            follower(old, new)
        self._resyncs.changed(old, new)
        self._pace.changed(old, new)
        if new is None:
            if old is not None:
                self._own.forget(old.ref)
                self._errands.forget(old.ref)
                self._left(old)
            return
        self._came(new)
        if old is None:
            self.queue.add(new.ref, Priority.USER if is_unseen(new) else Priority.RESYNC)
        elif _by_user(old) != _by_user(new) or _unprotected(old, new) or self._partition.is_drained(new):
            self.queue.add(new.ref, Priority.USER)

    def _came(self, new: KubeObject) -> None:
        parted = self._parted.pop(new.ref, None)
        if parted is not None and parted.uid != new.uid:
            self._memory.gone(parted)
        self._memory.changed(new)

    def _left(self, old: KubeObject) -> None:
        if self._partition.whole or not self._memory.knows(old.uid):
            self._memory.gone(old)
            self.queue.discard(old.ref)
            return
        self._memory.unwatched(old)
        self._parted[old.ref] = old
        self.queue.add(old.ref, Priority.RESYNC)

    async def reconcile(self, ref: Ref) -> timedelta | None:
        """One pass. Raises AWSError, FencedError and KubeError where the queue's backoff is the right wait, else PostponedError."""
        return await on_errand(self._errands, ref, self._reconcile)

    async def _reconcile(self, ref: Ref) -> timedelta | None:
        obj = self._own.get(ref)
        if obj is None:
            await self._part(ref)
        elif obj.deletion_timestamp is not None:
            obj = await self._read(ref)
        if obj is None or not self._partition.holds(obj):
            return None
        return await (self._give_back(obj) if self._partition.is_drained(obj) else self._pass(obj))

    async def _part(self, ref: Ref) -> None:
        """Whether an object that left the watch is gone, which makes its key an orphan, or another process's."""
        parted = self._parted.get(ref)
        if parted is None:
            return
        found = await self._read(ref)
        if self._parted.get(ref) is not parted:  # it came back meanwhile
            return
        del self._parted[ref]
        if found is None or found.uid != parted.uid:
            self._memory.gone(parted)
        else:
            self._memory.released(parted.uid)
            log.info("left")

    async def _give_back(self, obj: KubeObject) -> None:
        if obj.uid in self._memory.made:
            key = key_object(obj, KMSKeySpec(), None)
            await OwnKey(self._means, obj, key).store_made(self._now())
        await OwnObject(self._kube, self._own, KMSKEYS, self._own.get(obj.ref) or obj).give_back()

    async def _pass(self, obj: KubeObject) -> timedelta | None:
        spec, now = read_spec(obj), self._now()
        if isinstance(spec, Problem):
            key = key_object(obj, KMSKeySpec(), None)
            await OwnKey(self._means, obj, key).report(report(key, self._operator, blocked(spec), now))
            return None
        provider = await self._means.ways.find(obj.namespace, spec.provider_ref)
        if obj.deletion_timestamp is not None and spec.deletion_policy is None and isinstance(provider, KubeObject):
            provider = await self._means.ways.as_it_is(provider)  # it may say what becomes of the key
        key = key_object(obj, spec, self._means.ways.defaults(provider), self._memory.attempts.ages(obj.uid))
        own = OwnKey(self._means, obj, key, is_shown=key.deleting)  # a deleted object was read just now
        one = KeyPass(self._means, own, provider, now)
        with self._pace.passing(obj.ref) as calls:
            look_again = await one.run()
        if (KMSKEY_FINALIZER not in one.own.key.finalizers and key.deleting) or not self.store.has(obj):
            return None
        return look_again or self._resyncs.after(key.uid, _own_interval(key), one.urgency, calls)

    async def _read(self, ref: Ref) -> KubeObject | None:
        """What is done to a deleted object's key is decided on the object as it is now, not as it was cached."""
        try:
            return decode_object(await self._kube.get(KMSKEYS.path(*ref)))
        except NotFound:
            return None

    def _wake(self, provider: Ref) -> None:
        """Those that may use it: the keys of its namespace and all that name it; everybody's provider has no others."""
        everybodys = self._means.ways.is_everybodys(provider)

        def wake(obj: KubeObject) -> None:
            if everybodys or obj.namespace == provider.namespace or named_provider(obj) == provider:
                self.queue.add(obj.ref, Priority.RESYNC)

        in_turns(self.store, wake)


def _own_interval(key: KeyObject) -> timedelta | None:
    own = key.spec.resync_interval or (key.defaults and key.defaults.resync_interval)
    return durations.parse(own) if own else None


def _by_user(obj: KubeObject) -> tuple[object, ...]:
    """What users change, and we do not."""
    annotations = {name: value for name, value in obj.annotations.items() if name != KEY_ID_ANNOTATION}
    return obj.uid, obj.generation, obj.deletion_timestamp, annotations


def _unprotected(old: KubeObject, new: KubeObject) -> bool:
    """Somebody took our finalizer away from an object that lives."""
    return KMSKEY_FINALIZER in old.finalizers and KMSKEY_FINALIZER not in new.finalizers and new.deletion_timestamp is None
