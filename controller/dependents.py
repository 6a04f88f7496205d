"""Objects of one kind that hang something on a key: which of them are to be looked at, and when. What a look is stands in dependent_pass.py.

Beside its own changes an object is woken by those of the KMSKey at which it aims, and by those of its provider,
which may be one of another namespace, by way of the KMSKey.

Where several processes divide the objects (controller/partition.py), a dependent and its KMSKey may be those of two. Then it is not woken by
the KMSKey; it looks again by itself, within seconds while it waits for its target, else at the resync.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from aws.errands import Errands
from controller.aims import Aims
from controller.awsproviders import AWSProviders
from controller.condition_counts import count_conditions
from controller.dependent_objects import dependent_object, read_dependent
from controller.dependent_pass import Craft, DependentMeans, DependentPass
from controller.key_names import KeyNames
from controller.key_objects import is_unseen
from controller.kube import Kube, NotFound
from controller.objects import KubeObject, Ref, decode_object
from controller.own_object import OwnObject
from controller.own_writes import OwnWrites
from controller.pace import Pace
from controller.quota_waits import on_errand
from controller.resyncs import Resyncs
from controller.ties import Ties
from controller.turns import in_turns
from controller.workqueue import Priority, WorkQueue
from reconcilers.dependents import stop
from reconcilers.states import Problem
from reconcilers.target_fields import DependentSpec, DependentStatus

P = TypeVar("P", bound=DependentSpec)
S = TypeVar("S", bound=DependentStatus)
V = TypeVar("V")


class Dependents(Generic[P, S, V]):
    """Those of all namespaces."""

    def __init__(
        self,
        kube: Kube,
        providers: AWSProviders,
        means: DependentMeans,
        craft: Craft[P, S, V],
        resyncs: Resyncs,
        now: Callable[[], datetime],
    ) -> None:
        self.store = craft.store
        self.queue: WorkQueue[Ref] = WorkQueue(craft.resource.kind.lower())
        self.names = KeyNames()
        self._errands = Errands(self.queue.add, lambda: len(self.queue) > 0)
        self._pace = Pace(self.queue, self.store)
        self._kube = kube
        self._providers = providers
        self._means = means
        self._craft = craft
        self._resyncs = resyncs
        self._now = now
        self._partition = providers.ways.others.partition
        self._own = OwnWrites(self.store, self._partition)
        self._aims = Aims()
        self._ties = Ties(craft.finalizer)
        providers.wakers.append(self._wake)
        providers.counts.tied.append(self._ties.of)
        providers.counts.cluster.tied.append((craft.resource, craft.finalizer))

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informer tells."""
        count_conditions(self._craft.resource.kind, old, new)
        self._aims.changed(old, new)
        self.names.changed(old, new)
        for provider in self._ties.changed(old, new):
            self._providers.users_changed(provider)
        self._resyncs.changed(old, new)
        self._pace.changed(old, new)
        if new is None:
            if old is not None:
                self._own.forget(old.ref)
                self.queue.discard(old.ref)
                self._errands.forget(old.ref)
        elif old is None:
            self.queue.add(new.ref, Priority.USER if is_unseen(new) else Priority.RESYNC)
        elif _by_user(old) != _by_user(new) or self._unprotected(old, new) or self._partition.is_drained(new):
            self.queue.add(new.ref, Priority.USER)

    def key_changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informer tells of KMSKeys."""
        for ref in self._aims.concerned(old, new):
            self.queue.add(ref, Priority.USER)

    async def reconcile(self, ref: Ref) -> timedelta | None:
        """One pass. Raises AWSError, FencedError and KubeError where the queue's backoff is the right wait, else PostponedError."""
        return await on_errand(self._errands, ref, self._reconcile)

    async def _reconcile(self, ref: Ref) -> timedelta | None:
        obj = self._own.get(ref)
        if obj is not None and obj.deletion_timestamp is not None:
            obj = await self._read(ref)
        if obj is None or not self._partition.holds(obj):
            return None
        own = OwnObject(self._kube, self._own, self._craft.resource, obj, is_shown=obj.deletion_timestamp is not None)
        return await (own.give_back() if self._partition.is_drained(obj) else self._pass(own))

    async def _pass(self, own: OwnObject) -> timedelta | None:
        obj = own.obj
        spec = read_dependent(obj, self._craft.spec)
        if isinstance(spec, Problem):
            await self._refuse(own, spec)
            return None
        one = DependentPass(self._means, self._craft, own, spec, self._now())
        with self._pace.passing(obj.ref) as calls:
            look_again = await one.run()
        if (one.obj.deleting and self._craft.finalizer not in one.obj.finalizers) or not self.store.has(obj):
            return None
        return look_again or self._resyncs.after(obj.uid, None, one.urgency, calls)

    async def _refuse(self, own: OwnObject, problem: Problem) -> None:
        """A spec that cannot be read stands for none."""
        obj = dependent_object(own.obj, DependentSpec(), self._craft.status)
        await own.store(obj.status, stop(obj, problem, self._now()).status)

    async def _read(self, ref: Ref) -> KubeObject | None:
        """What is done for a deleted object is decided on the object as it is now, not as it was cached."""
        try:
            return decode_object(await self._kube.get(self._craft.resource.path(*ref)))
        except NotFound:
            return None

    def _wake(self, provider: Ref) -> None:
        """Those that used it last, and those that have used none yet."""
        used = f'"{provider}"'.encode()

        def wake(obj: KubeObject) -> None:
            if used in obj.status or b'"provider"' not in obj.status:
                self.queue.add(obj.ref, Priority.RESYNC)

        in_turns(self.store, wake)

    def _unprotected(self, old: KubeObject, new: KubeObject) -> bool:
        """Somebody took our finalizer away from an object that lives."""
        finalizer = self._craft.finalizer
        return finalizer in old.finalizers and finalizer not in new.finalizers and new.deletion_timestamp is None


def _by_user(obj: KubeObject) -> tuple[object, ...]:
    """What users change, and we do not."""
    return obj.uid, obj.generation, obj.deletion_timestamp, obj.annotations
