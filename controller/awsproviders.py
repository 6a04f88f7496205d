"""AWSProviders: their credentials tried, their status told, and keys led to them.

Rules:
1. A provider's status is written when it changes; its keys are woken then, so that what a provider held up goes on at once. They are woken
   too when it works again after it turned a key away: a failure that was over soon may never have been in its status, or in none that a
   watch has shown.
2. A key is led only to a provider that serves its namespace (reconcilers/resolution.py). For one that is refused, no Secret is read and AWS
   is not called.
3. Before a key's object gets its finalizer, the provider has got its own. A provider that is being deleted leads nobody to a new key, and
   goes when no key needs it.
4. Its users are counted USERS_SECONDS after a change, so that a thousand new keys are not a thousand writes. That asks nothing of AWS: what STS
   said counts for LOOK_AGAIN.
5. How a provider becomes a connection stands in provider_access.py.
6. Providers are not divided: each process reads them all, and leads its own keys to them. Where several processes divide the keys, one of them,
   the keeper (keeper.py), tries the credentials, writes the statuses, tells the events and takes finalizers off; its number of users is
   counted over all objects of the cluster (cluster_users.py). The others only protect a provider to which they lead a new key.

Not promised where keys are divided: a status within seconds. What another process finds out about a provider shows at the keeper's next look.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import structlog

from aws.clients import Clients, Connection
from aws.errors import AWSError
from controller.cluster_users import ClusterUsers, tied_to
from controller.condition_counts import count_conditions
from controller.decoding import plain, read_status
from controller.events import EventRecorder, Regarding
from controller.kube import Conflict, Forbidden, Kube, NotFound
from controller.namespaces import NamespaceLabels
from controller.objects import KubeObject, Ref, Resource, decode_object
from controller.own_writes import OwnWrites
from controller.partition import Others
from controller.patches import Operation, add_finalizer, remove_finalizer, status_patch
from controller.provider_access import ProviderAccess, ProviderRules, authentication_failed
from controller.provider_users import Group, ProviderUsers
from controller.store import Store
from controller.workqueue import Priority, WorkQueue
from reconcilers.awsprovider import LOOK_AGAIN, Identity, ProviderPlan, Users, plan_awsprovider, plan_leaving, shall_be_held
from reconcilers.failures import explain
from reconcilers.key_spec import ProviderRef
from reconcilers.names import API_VERSION, AWSPROVIDER_FINALIZER, GROUP, IS_DEFAULT_ANNOTATION, VERSION
from reconcilers.news import news
from reconcilers.provider_fields import AllowedNamespaces, AWSProviderSpec, AWSProviderStatus
from reconcilers.reasons import Reason
from reconcilers.resolution import ProviderEntry, not_served, resolve, serves_by_labels, serves_by_name
from reconcilers.states import Account, Problem, ProviderDefaults, Unobservable

log = structlog.get_logger()

USERS_SECONDS = 5.0
PROTECT_TRIES = 3
AWSPROVIDERS = Resource(GROUP, VERSION, "awsproviders", "AWSProvider")


@dataclass(frozen=True, slots=True)
class Reached:
    """A provider that leads somewhere."""

    provider: Ref
    account: Account
    connection: Connection


@dataclass(frozen=True, slots=True)
class _Tried:
    """Credentials that were good: for which generation of the provider, since when (loop time), and whose they are."""

    generation: int
    when: float
    identity: Identity


class AWSProviders:
    """The providers of all namespaces. `wakers` are called with the provider that has changed.

    `tied` are asked how many objects of other kinds need a provider until they have undone what they made through it.
    """

    def __init__(
        self,
        kube: Kube,
        clients: Clients,
        events: EventRecorder,
        rules: ProviderRules,
        now: Callable[[], datetime],
        others: Others | None = None,
    ) -> None:
        self.store = Store()
        self.queue: WorkQueue[Ref] = WorkQueue("awsprovider")
        self.wakers: list[Callable[[Ref], None]] = []
        self.tied: list[Callable[[Ref], int]] = []
        self.keeps: Callable[[], bool] = lambda: True
        self.others = others or Others(kube)
        self.cluster_users = ClusterUsers(self.others)
        self._kube = kube
        self._events = events
        self._rules = rules
        self._now = now
        self._own = OwnWrites(self.store)
        self._access = ProviderAccess(kube, clients, rules)
        self._labels = NamespaceLabels(kube)
        self._users = ProviderUsers()
        self._warned: dict[Ref, tuple[str, ...]] = {}  # of which blanks
        self._turned_away: set[Ref] = set()  # providers that led a key nowhere since they worked last
        self._tried: dict[Ref, _Tried] = {}  # of those that work

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informer tells."""
        count_conditions("AWSProvider", old, new)
        is_now = new or old
        assert is_now is not None  # an informer tells no change of nothing into nothing
        if new is None:
            self._own.forget(is_now.ref)
            self.cluster_users.gone(is_now)
            self._access.gone(is_now.ref)
            self._warned.pop(is_now.ref, None)
            self._tried.pop(is_now.ref, None)
            self._turned_away.discard(is_now.ref)
            self.queue.discard(is_now.ref)
        if new and (old is None or old.generation != new.generation):
            self.queue.add(new.ref, Priority.USER)
        if old is None or new is None or _matters_to_keys(old, new):
            self._wake_keys(is_now.ref)

    def key_changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informer of the keys tells."""
        for group in self._users.changed(old, new):
            provider = self.resolve(group.namespace, _as_reference(group.named))
            if not isinstance(provider, Problem):
                self.users_changed(provider)

    def users_changed(self, provider: Ref) -> None:
        """Its number is told later, but one that waits for its last user to go does so at once."""
        obj = self.store.get(provider)
        if obj is None:
            return
        if obj.deletion_timestamp is not None and not self.others.there and not self._count(obj).keys:
            self.queue.add(obj.ref, Priority.USER)
        else:
            self.queue.add_after(obj.ref, USERS_SECONDS)

    async def reconcile(self, ref: Ref) -> timedelta | None:
        """One pass over one provider: try its credentials, report; when to try again. Raises KubeError."""
        obj = self._own.get(ref)
        if obj is None:
            return None
        if not self.keeps():
            return await self._try(obj)
        users = await self._count_everywhere(obj) if self.others.there else self._count(obj)
        held = await self._hold(obj, users)
        return None if held is None else await self._look(held, users)

    def look_at_all(self) -> None:
        """They are ours to keep from now on."""
        for obj in self.store:
            self.queue.add(obj.ref, Priority.RESYNC)

    async def _look(self, obj: KubeObject, users: Users) -> timedelta | None:
        if obj.deletion_timestamp is not None:
            return await self._report_leaving(obj, users)
        try:
            identity = await self._identity(obj)
        except AWSError as error:
            log.warning("authentication_failed", code=error.failure.code, error=error.failure.message)
            await self._report_first(obj, error, users)
            return LOOK_AGAIN
        look_again = await self._report(obj, identity, users)
        self._wake_turned_away(obj.ref, identity)
        return look_again

    async def _try(self, obj: KubeObject) -> timedelta | None:
        """For the keys that this process has turned away; the keeper tells what comes of it."""
        if obj.ref not in self._turned_away or obj.deletion_timestamp is not None:
            return None
        try:
            self._wake_turned_away(obj.ref, await self._authenticate(obj))
        except AWSError:
            return LOOK_AGAIN
        return LOOK_AGAIN if obj.ref in self._turned_away else None

    def _wake_turned_away(self, provider: Ref, identity: Identity | Unobservable) -> None:
        if isinstance(identity, Identity) and provider in self._turned_away:
            self._turned_away.discard(provider)
            self._wake_keys(provider)

    def _wake_keys(self, provider: Ref) -> None:
        for wake in self.wakers:
            wake(provider)

    async def _report_first(self, obj: KubeObject, error: AWSError, users: Users) -> None:
        """What passes by itself is no news for a provider that works; one that never did shall not stay without a word."""
        if not read_status(obj, AWSProviderStatus).ready:
            await self._report(obj, Unobservable(Reason.AWS_UNAVAILABLE, explain(error.failure).message, error.failure), users)

    async def _report(self, obj: KubeObject, identity: Identity | Unobservable, users: Users) -> timedelta:
        before = read_status(obj, AWSProviderStatus)
        return await self._write(obj, before, plan_awsprovider(obj.generation, before, identity, users, self._now()))

    async def _report_leaving(self, obj: KubeObject, users: Users) -> timedelta:
        before = read_status(obj, AWSProviderStatus)
        return await self._write(obj, before, plan_leaving(obj.generation, before, users, self._now()))

    async def _write(self, obj: KubeObject, before: AWSProviderStatus, plan: ProviderPlan) -> timedelta:
        operations = status_patch(obj, plain(before), plain(plan.status))
        if operations:
            await self._patch(obj, operations, "status")
        told = news(before.conditions, plan.status.conditions)
        if told is not None:
            self._events.record(regarding(obj), told.type, told.reason, "Authenticate", told.message)
        return plan.look_again

    async def protect(self, found: KubeObject) -> None:
        """Makes sure that a provider is not deleted before the keys that come to it now. Raises KubeError, also if that is too late."""
        for _ in range(PROTECT_TRIES):
            obj = await self._as_it_is(found)
            if AWSPROVIDER_FINALIZER in obj.finalizers:
                return
            try:
                await self._patch(obj, add_finalizer(obj, AWSPROVIDER_FINALIZER))
            except Conflict:  # most likely another key, or the provider's own pass
                self._own.put(decode_object(await self._kube.get(AWSPROVIDERS.path(*obj.ref))))
        raise Conflict(409, "Conflict", f"AWSProvider {found.ref} keeps changing")

    async def _as_it_is(self, found: KubeObject) -> KubeObject:
        """Where another process may take its finalizer off: as the server has it, and not being deleted. Raises KubeError."""
        if not self.others.there:
            return self._own.get(found.ref) or found
        obj = decode_object(await self._kube.get(AWSPROVIDERS.path(*found.ref)))
        if obj.deletion_timestamp is not None:
            raise Conflict(409, "Conflict", f"AWSProvider {found.ref} is being deleted")
        return obj

    async def reach(self, namespace: str, ref: ProviderRef | None) -> Reached | Unobservable:
        """find and connect. Raises AWSError (only what passes by itself) and KubeError."""
        return await self.connect(await self.find(namespace, ref))

    async def find(self, namespace: str, ref: ProviderRef | None) -> KubeObject | Problem:
        """A key's provider, if there is one that serves its namespace. Raises KubeError."""
        found = self.resolve(namespace, ref)
        if isinstance(found, Problem):
            return found
        obj = self._own.get(found)
        refusal = await self._refusal(found, obj, namespace)
        if refusal is not None:
            return refusal
        if obj is None:
            message = f"There is no AWSProvider {found}, the operator's default: create it, or set spec.providerRef."
            return Problem(Reason.PROVIDER_NOT_FOUND, message)
        return obj

    def defaults(self, found: KubeObject | Problem) -> ProviderDefaults | None:
        """What a provider that was found says for its keys; None where none is known, or its spec cannot be read."""
        spec = None if isinstance(found, Problem) else self._access.spec(found)
        return ProviderDefaults(spec.default_deletion_policy, spec.resync_interval) if isinstance(spec, AWSProviderSpec) else None

    async def connect(self, found: KubeObject | Problem, *, for_new_key: bool = False) -> Reached | Unobservable:
        """The account of a provider that was found. Raises AWSError (only what passes by itself) and KubeError."""
        if isinstance(found, Problem):
            return Unobservable(found.reason, found.message)
        if for_new_key and found.deletion_timestamp is not None:
            message = f"AWSProvider {found.name} is being deleted, and makes no new keys: name another in spec.providerRef."
            return Unobservable(Reason.PROVIDER_NOT_READY, message)
        connection = await self._access.connect(found)
        if isinstance(connection, Unobservable):
            self._turned_away.add(found.ref)
            self._tried.pop(found.ref, None)
            self.queue.add(found.ref, Priority.USER)  # so that its status says it too, and its keys are woken when it is mended
            message = f"AWSProvider {found.name} is not ready: {connection.message}"
            return Unobservable(Reason.PROVIDER_NOT_READY, message, connection.failure)
        spec = self._access.spec(found)
        assert isinstance(spec, AWSProviderSpec)  # what cannot be read does not connect
        regions = spec.default_replica_regions or ()
        account = Account(connection.account_id, connection.region, spec.default_tags or {}, connection.caller_arn, regions)
        return Reached(found.ref, account, connection)

    def resolve(self, namespace: str, ref: ProviderRef | None) -> Ref | Problem:
        """The provider of a key, as far as names decide."""
        found = resolve(ref, namespace, self._entries(namespace), self._rules.default)
        return found if isinstance(found, Problem) else Ref(*found)

    def spec(self, obj: KubeObject) -> AWSProviderSpec | Problem:
        """What a provider's object asks for, or what is wrong with it."""
        return self._access.spec(obj)

    def is_everybodys(self, provider: Ref) -> bool:
        """Whether keys of all namespaces may come to it without naming it."""
        return str(provider) == self._rules.default

    def distrust(self, provider: Ref) -> None:
        """AWS refused these credentials: read them anew, and say so in the provider's status."""
        self._access.distrust(provider)
        self._tried.pop(provider, None)
        self.queue.add(provider, Priority.USER)

    def _entries(self, namespace: str) -> Iterator[ProviderEntry]:
        for obj in self.store.of(namespace):
            yield ProviderEntry(obj.namespace, obj.name, obj.annotations.get(IS_DEFAULT_ANNOTATION) == "true")

    def _warn(self, obj: KubeObject, trimmed: tuple[str, ...]) -> None:
        """Once, not at each look."""
        if trimmed and trimmed != self._warned.get(obj.ref):
            note = f"There are blanks or newlines around {' and '.join(trimmed)}. They were left out: write the values without them."
            self._events.record(regarding(obj), "Warning", Reason.CREDENTIALS_TRIMMED, "Authenticate", note)
        self._warned[obj.ref] = trimmed

    async def _hold(self, obj: KubeObject, users: Users) -> KubeObject | None:
        """The provider with its finalizer as it shall be; None once it may go. Raises KubeError."""
        deleting, is_held = obj.deletion_timestamp is not None, AWSPROVIDER_FINALIZER in obj.finalizers
        shall_be = shall_be_held(users, deleting=deleting, is_held=is_held)
        if shall_be and not is_held and not deleting:
            return await self._patch(obj, add_finalizer(obj, AWSPROVIDER_FINALIZER))
        if is_held and not shall_be and self.others.there and not self.cluster_users.may_go(obj):
            return obj
        if is_held and not shall_be:
            obj = await self._patch(obj, remove_finalizer(obj, AWSPROVIDER_FINALIZER))
        return None if deleting and not shall_be else obj

    async def _patch(self, obj: KubeObject, operations: list[Operation], subresource: str | None = None) -> KubeObject:
        written = decode_object(await self._kube.json_patch(AWSPROVIDERS.path(*obj.ref, subresource), operations))
        self._own.put(written)
        return written

    def _count(self, obj: KubeObject) -> Users:
        return self._sum(obj, self._users, sum(count(obj.ref) for count in self.tied))

    async def _count_everywhere(self, obj: KubeObject) -> Users:
        count = await self.cluster_users.users(obj)
        return self._sum(obj, count.keys, tied_to(obj.ref, count))

    def _sum(self, obj: KubeObject, users: ProviderUsers, tied: int) -> Users:
        keys = users.of(obj.ref, lambda group: self._comes(group, obj), everybodys=self.is_everybodys(obj.ref))
        return Users(keys.objects + tied, keys.keys + tied)

    def _comes(self, group: Group, obj: KubeObject) -> bool:
        """Whether keys of this group are led to this provider; where only labels tell that nobody has read yet, they may be."""
        if self.resolve(group.namespace, _as_reference(group.named)) != obj.ref:
            return False
        if group.namespace == obj.namespace or self.is_everybodys(obj.ref):
            return True
        serves, labels = serves_by_name(self._allowed(obj), group.namespace), self._labels.known(group.namespace)
        if serves is None:
            serves = labels is None or serves_by_labels(self._allowed(obj), labels)
        return serves

    def _allowed(self, obj: KubeObject) -> AllowedNamespaces | None:
        spec = self._access.spec(obj)
        return spec.allowed_namespaces if isinstance(spec, AWSProviderSpec) else None

    async def _refusal(self, provider: Ref, obj: KubeObject | None, namespace: str) -> Problem | None:
        """Why keys of this namespace may not use it. Raises KubeError."""
        if provider.namespace == namespace or self.is_everybodys(provider):
            return None
        allowed = self._allowed(obj) if obj else None
        serves = serves_by_name(allowed, namespace)
        if serves is None:
            try:
                serves = serves_by_labels(allowed, await self._labels.of(namespace))
            except (Forbidden, NotFound) as error:
                log.warning("labels_not_read", namespace=namespace, error=str(error))
                serves = False
        return None if serves else not_served(provider, namespace)

    async def _identity(self, obj: KubeObject) -> Identity | Unobservable:
        """What STS says of it, or has said a moment ago. Raises AWSError."""
        now, tried = asyncio.get_running_loop().time(), self._tried.pop(obj.ref, None)
        if tried is None or tried.generation != obj.generation or now - tried.when >= LOOK_AGAIN.total_seconds():
            found = await self._authenticate(obj)
            if not isinstance(found, Identity):
                return found
            tried = _Tried(obj.generation, now, found)
        self._tried[obj.ref] = tried
        return tried.identity

    async def _authenticate(self, obj: KubeObject) -> Identity | Unobservable:
        self._access.doubt(obj.ref)
        connection = await self._access.connect(obj)
        self._warn(obj, self._access.trimmed(obj.ref))
        if isinstance(connection, Unobservable):
            return connection
        try:
            await connection.call("sts", "GetCallerIdentity", {})
        except AWSError as error:
            return authentication_failed(error)
        return Identity(connection.account_id, connection.caller_arn)


def regarding(obj: KubeObject) -> Regarding:
    """The object as an event names it."""
    return Regarding(API_VERSION, "AWSProvider", obj.namespace, obj.name, obj.uid)


def _as_reference(named: Ref | None) -> ProviderRef | None:
    return ProviderRef.model_construct(name=named.name, namespace=named.namespace) if named else None


class _Ready(msgspec.Struct, gc=False):
    ready: bool = False


def _matters_to_keys(old: KubeObject, new: KubeObject) -> bool:
    """A new spec or default mark, or a change from not ready to ready or back."""
    if old.generation != new.generation or old.annotations != new.annotations:
        return True
    return msgspec.json.decode(old.status, type=_Ready) != msgspec.json.decode(new.status, type=_Ready)
