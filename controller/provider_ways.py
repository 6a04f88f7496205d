"""The ways from keys to AWS: which provider a key comes to, whether it serves the key's namespace, and the account behind it.

Rules:
1. A key is led only to a provider that serves its namespace (reconcilers/resolution.py). For one that is refused, no Secret is read and AWS
   is not called.
2. Before a key's object gets its finalizer, the provider has got its own. A provider that is being deleted leads nobody to a new key.
3. Who looks after the providers is told of each whose credentials failed a key, so that it is tried soon.
4. How a provider becomes a connection stands in provider_access.py.
5. Providers are not divided: each process reads them all, and leads its own keys to them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from aws.clients import Clients, Connection
from controller.kube import Conflict, Forbidden, Kube, NotFound
from controller.namespaces import NamespaceLabels
from controller.objects import KubeObject, Ref, decode_object
from controller.own_object import OwnObject
from controller.own_writes import OwnWrites
from controller.partition import Others
from controller.provider_access import ProviderAccess, ProviderRules
from controller.provider_objects import AWSPROVIDERS
from controller.store import Store
from reconcilers.key_spec import ProviderRef
from reconcilers.names import AWSPROVIDER_FINALIZER, IS_DEFAULT_ANNOTATION
from reconcilers.provider_fields import AllowedNamespaces, AWSProviderSpec
from reconcilers.reasons import Reason
from reconcilers.resolution import ProviderEntry, not_served, resolve, serves_by_labels, serves_by_name
from reconcilers.states import Account, Problem, ProviderDefaults, Unobservable

log = structlog.get_logger()

PROTECT_TRIES = 3


@dataclass(frozen=True, slots=True)
class Reached:
    """A provider that leads somewhere."""

    provider: Ref
    account: Account
    connection: Connection


class ProviderWays:
    """To the providers of all namespaces. `turned_away`: those that led a key nowhere since they worked last.

    `doubters` are called with a provider whose credentials failed a key.
    """

    def __init__(self, kube: Kube, clients: Clients, rules: ProviderRules, others: Others | None = None) -> None:
        self.store = Store()
        self.own = OwnWrites(self.store)
        self.access = ProviderAccess(kube, clients, rules)
        self.others = others or Others(kube)
        self.turned_away: set[Ref] = set()
        self.doubters: list[Callable[[Ref], None]] = []
        self._kube = kube
        self._default = rules.default
        self._labels = NamespaceLabels(kube)

    async def reach(self, namespace: str, ref: ProviderRef | None) -> Reached | Unobservable:
        """find and connect. Raises AWSError (only what passes by itself) and KubeError."""
        return await self.connect(await self.find(namespace, ref))

    async def find(self, namespace: str, ref: ProviderRef | None) -> KubeObject | Problem:
        """A key's provider, if there is one that serves its namespace. Raises KubeError."""
        found = self.resolve(namespace, ref)
        if isinstance(found, Problem):
            return found
        obj = self.own.get(found)
        refusal = await self._refusal(found, obj, namespace)
        if refusal is not None:
            return refusal
        if obj is None:
            message = f"There is no AWSProvider {found}, the operator's default: create it, or set spec.providerRef."
            return Problem(Reason.PROVIDER_NOT_FOUND, message)
        return obj

    async def as_it_is(self, found: KubeObject) -> KubeObject:
        """As the server has it, which a watch may show late. Raises KubeError."""
        obj = decode_object(await self._kube.get(AWSPROVIDERS.path(*found.ref)))
        self.own.put(obj)
        return obj

    def defaults(self, found: KubeObject | Problem) -> ProviderDefaults | None:
        """What a provider that was found says for its keys; None where none is known, or its spec cannot be read."""
        spec = None if isinstance(found, Problem) else self.access.spec(found)
        return ProviderDefaults(spec.default_deletion_policy, spec.resync_interval) if isinstance(spec, AWSProviderSpec) else None

    async def connect(self, found: KubeObject | Problem, *, for_new_key: bool = False) -> Reached | Unobservable:
        """The account of a provider that was found. Raises AWSError (only what passes by itself) and KubeError."""
        if isinstance(found, Problem):
            return Unobservable(found.reason, found.message)
        if for_new_key and found.deletion_timestamp is not None:
            message = f"AWSProvider {found.name} is being deleted, and makes no new keys: name another in spec.providerRef."
            return Unobservable(Reason.PROVIDER_NOT_READY, message)
        connection = await self.access.connect(found)
        if isinstance(connection, Unobservable):
            self.turned_away.add(found.ref)
            self._doubt(found.ref)  # so that its status says it too, and its keys are woken when it is mended
            message = f"AWSProvider {found.name} is not ready: {connection.message}"
            return Unobservable(Reason.PROVIDER_NOT_READY, message, connection.failure)
        spec = self.access.spec(found)
        assert isinstance(spec, AWSProviderSpec)  # what cannot be read does not connect
        regions = spec.default_replica_regions or ()
        account = Account(connection.account_id, connection.region, spec.default_tags or {}, connection.caller_arn, regions)
        return Reached(found.ref, account, connection)

    def distrust(self, provider: Ref) -> None:
        """AWS refused these credentials: read them anew, and say so in the provider's status."""
        self.access.distrust(provider)
        self._doubt(provider)

    async def protect(self, found: KubeObject) -> None:
        """Makes sure that a provider is not deleted before the keys that come to it now. Raises KubeError, also if that is too late."""
        for _ in range(PROTECT_TRIES):
            own = OwnObject(self._kube, self.own, AWSPROVIDERS, await self._not_leaving(found))
            if AWSPROVIDER_FINALIZER in own.obj.finalizers:
                return
            try:
                await own.protect(AWSPROVIDER_FINALIZER)
            except Conflict:  # most likely another key, or the provider's own pass
                await self.as_it_is(found)
        raise Conflict(409, "Conflict", f"AWSProvider {found.ref} keeps changing")

    def resolve(self, namespace: str, ref: ProviderRef | None) -> Ref | Problem:
        """The provider of a key, as far as names decide."""
        found = resolve(ref, namespace, self._entries(namespace), self._default)
        return found if isinstance(found, Problem) else Ref(*found)

    def is_everybodys(self, provider: Ref) -> bool:
        """Whether keys of all namespaces may come to it without naming it."""
        return str(provider) == self._default

    def may_lead(self, namespace: str, ref: ProviderRef | None, provider: KubeObject) -> bool:
        """Whether keys that name this are led to this provider; where only labels tell that nobody has read yet, they may be."""
        if self.resolve(namespace, ref) != provider.ref:
            return False
        if namespace == provider.namespace or self.is_everybodys(provider.ref):
            return True
        serves, labels = serves_by_name(self._allowed(provider), namespace), self._labels.known(namespace)
        if serves is None:
            serves = labels is None or serves_by_labels(self._allowed(provider), labels)
        return serves

    def gone(self, provider: Ref) -> None:
        """The provider is away."""
        self.own.forget(provider)
        self.access.gone(provider)
        self.turned_away.discard(provider)

    def _doubt(self, provider: Ref) -> None:
        for doubt in self.doubters:
            doubt(provider)

    async def _not_leaving(self, found: KubeObject) -> KubeObject:
        """Where another process may take its finalizer off: as the server has it, and not being deleted. Raises KubeError."""
        if not self.others.there:
            return self.own.get(found.ref) or found
        obj = await self.as_it_is(found)
        if obj.deletion_timestamp is not None:
            raise Conflict(409, "Conflict", f"AWSProvider {found.ref} is being deleted")
        return obj

    def _entries(self, namespace: str) -> Iterator[ProviderEntry]:
        for obj in self.store.of(namespace):
            yield ProviderEntry(obj.namespace, obj.name, obj.annotations.get(IS_DEFAULT_ANNOTATION) == "true")

    def _allowed(self, obj: KubeObject) -> AllowedNamespaces | None:
        spec = self.access.spec(obj)
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
