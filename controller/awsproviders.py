"""AWSProviders: which of them are to be looked at, and when; and what a look is: credentials tried, status told, finalizer put on or taken off.

Rules:
1. A provider's status is written when it changes; its keys are woken then, so that what a provider held up goes on at once. They are woken
   too when it works again after it turned a key away: a failure that was over soon may never have been in its status, or in none that a
   watch has shown.
2. A provider has a finalizer from before its first key, and goes when no key needs it.
3. Its users are counted USERS_SECONDS after a change, so that a thousand new keys are not a thousand writes. That asks nothing of AWS: what STS
   said counts for LOOK_AGAIN.
4. Where several processes divide the keys, one of them, the keeper (keeper.py), tries the credentials, writes the statuses, tells the events
   and takes finalizers off. The others only protect a provider to which they lead a new key.

Not promised where keys are divided: a status within seconds. What another process finds out about a provider shows at the keeper's next look.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from aws.errors import AWSError
from controller.condition_counts import count_conditions
from controller.decoding import read_status
from controller.events import EventRecorder
from controller.kube import Kube
from controller.objects import KubeObject, Ref
from controller.own_object import OwnObject
from controller.provider_counts import ProviderCounts
from controller.provider_objects import AWSPROVIDERS, matters_to_keys, regarding
from controller.provider_trials import ProviderTrials
from controller.provider_ways import ProviderWays
from controller.workqueue import Priority, WorkQueue
from reconcilers.awsprovider import LOOK_AGAIN, Identity, ProviderPlan, Users, plan_awsprovider, plan_leaving, shall_be_held
from reconcilers.failures import explain
from reconcilers.names import AWSPROVIDER_FINALIZER
from reconcilers.news import news
from reconcilers.provider_fields import AWSProviderStatus
from reconcilers.reasons import Reason
from reconcilers.states import Unobservable

log = structlog.get_logger()

USERS_SECONDS = 5.0


class AWSProviders:
    """The providers of all namespaces, to which `ways` lead. `wakers` are called with the provider that has changed."""

    def __init__(self, kube: Kube, ways: ProviderWays, events: EventRecorder, now: Callable[[], datetime]) -> None:
        self.ways = ways
        self.store = ways.store
        self.queue: WorkQueue[Ref] = WorkQueue("awsprovider")
        self.counts = ProviderCounts(ways)
        self.wakers: list[Callable[[Ref], None]] = []
        self.keeps: Callable[[], bool] = lambda: True
        self._kube = kube
        self._events = events
        self._now = now
        self._trials = ProviderTrials(ways.access, events)
        ways.doubters.append(self._doubted)

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informer tells."""
        count_conditions("AWSProvider", old, new)
        is_now = new or old
        assert is_now is not None  # an informer tells no change of nothing into nothing
        if new is None:
            self.ways.gone(is_now.ref)
            self.counts.cluster.gone(is_now)
            self._trials.gone(is_now.ref)
            self.queue.discard(is_now.ref)
        if new and (old is None or old.generation != new.generation):
            self.queue.add(new.ref, Priority.USER)
        if old is None or new is None or matters_to_keys(old, new):
            self._wake_keys(is_now.ref)

    def key_changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informer of the keys tells."""
        for provider in self.counts.key_changed(old, new):
            self.users_changed(provider)

    def users_changed(self, provider: Ref) -> None:
        """Its number is told later, but one that waits for its last user to go does so at once."""
        obj = self.store.get(provider)
        if obj is None:
            return
        if obj.deletion_timestamp is not None and not self.ways.others.there and not self.counts.here(obj).keys:
            self.queue.add(obj.ref, Priority.USER)
        else:
            self.queue.add_after(obj.ref, USERS_SECONDS)

    def look_at_all(self) -> None:
        """They are ours to keep from now on."""
        for obj in self.store:
            self.queue.add(obj.ref, Priority.RESYNC)

    async def reconcile(self, ref: Ref) -> timedelta | None:
        """One pass over one provider: try its credentials, report; when to try again. Raises KubeError."""
        obj = self.ways.own.get(ref)
        if obj is None:
            return None
        if not self.keeps():
            return await self._try(obj)
        users = await self.counts.of(obj)
        own = OwnObject(self._kube, self.ways.own, AWSPROVIDERS, obj)
        return await self._look(own, users) if await self._hold(own, users) else None

    async def _hold(self, own: OwnObject, users: Users) -> bool:
        """Puts the finalizer on or takes it off; False once the provider may go. Raises KubeError."""
        deleting, is_held = own.obj.deletion_timestamp is not None, AWSPROVIDER_FINALIZER in own.obj.finalizers
        shall_be = shall_be_held(users, deleting=deleting, is_held=is_held)
        if shall_be and not is_held and not deleting:
            await own.protect(AWSPROVIDER_FINALIZER)
        if is_held and not shall_be:
            if self.ways.others.there and not self.counts.cluster.may_go(own.obj):
                return True
            await own.release(AWSPROVIDER_FINALIZER)
        return shall_be or not deleting

    async def _look(self, own: OwnObject, users: Users) -> timedelta | None:
        if own.obj.deletion_timestamp is not None:
            return await self._report_leaving(own, users)
        try:
            identity = await self._trials.identity(own.obj)
        except AWSError as error:
            log.warning("authentication_failed", code=error.failure.code, error=error.failure.message)
            await self._report_first(own, error, users)
            return LOOK_AGAIN
        look_again = await self._report(own, identity, users)
        self._wake_turned_away(own.obj.ref, identity)
        return look_again

    async def _try(self, obj: KubeObject) -> timedelta | None:
        """For the keys that this process has turned away; the keeper tells what comes of it."""
        if obj.ref not in self.ways.turned_away or obj.deletion_timestamp is not None:
            return None
        try:
            self._wake_turned_away(obj.ref, await self._trials.anew(obj))
        except AWSError:
            return LOOK_AGAIN
        return LOOK_AGAIN if obj.ref in self.ways.turned_away else None

    async def _report_first(self, own: OwnObject, error: AWSError, users: Users) -> None:
        """What passes by itself is no news for a provider that works; one that never did shall not stay without a word."""
        if not read_status(own.obj, AWSProviderStatus).ready:
            await self._report(own, Unobservable(Reason.AWS_UNAVAILABLE, explain(error.failure).message, error.failure), users)

    async def _report(self, own: OwnObject, identity: Identity | Unobservable, users: Users) -> timedelta:
        before = read_status(own.obj, AWSProviderStatus)
        return await self._write(own, before, plan_awsprovider(own.obj.generation, before, identity, users, self._now()))

    async def _report_leaving(self, own: OwnObject, users: Users) -> timedelta:
        before = read_status(own.obj, AWSProviderStatus)
        return await self._write(own, before, plan_leaving(own.obj.generation, before, users, self._now()))

    async def _write(self, own: OwnObject, before: AWSProviderStatus, plan: ProviderPlan) -> timedelta:
        await own.store(before, plan.status)
        told = news(before.conditions, plan.status.conditions)
        if told is not None:
            self._events.record(regarding(own.obj), told.type, told.reason, "Authenticate", told.message)
        return plan.look_again

    def _doubted(self, provider: Ref) -> None:
        """Its credentials failed a key."""
        self._trials.doubt(provider)
        self.queue.add(provider, Priority.USER)

    def _wake_turned_away(self, provider: Ref, identity: Identity | Unobservable) -> None:
        if isinstance(identity, Identity) and provider in self.ways.turned_away:
            self.ways.turned_away.discard(provider)
            self._wake_keys(provider)

    def _wake_keys(self, provider: Ref) -> None:
        for wake in self.wakers:
            wake(provider)
