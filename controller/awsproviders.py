"""AWSProviders: from an object to credentials, from credentials to an account, and from a key to its provider.

Rules:
1. Secrets are read by name when they are needed, and again when what was read is a minute old or AWS refuses it: never listed or watched.
2. A connection is handed out only after STS has said whose it is, and only if that is the account that the provider is pinned to.
3. A provider's status is written when it changes; its keys are woken then, so that what a provider held up goes on at once.
4. A failure that passes by itself (STS down) is raised, for the work queue to retry; one that somebody has to mend is reported.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import structlog
from pydantic import ValidationError

from aws.clients import Clients, Connection
from aws.credentials import AccessRequest, StaticCredentials
from aws.errors import AWSError, InvalidAccessError
from controller.condition_counts import count_conditions
from controller.decoding import plain, read_status, tell
from controller.events import EventRecorder, Regarding
from controller.kube import Kube
from controller.objects import KubeObject, Ref, Resource, decode_object
from controller.own_writes import OwnWrites
from controller.patches import status_patch
from controller.secrets import CredentialsInvalidError, read_credentials
from controller.store import Store
from controller.workqueue import Priority, WorkQueue
from reconcilers.awsprovider import LOOK_AGAIN, Identity, ProviderEntry, plan_awsprovider, resolve
from reconcilers.failures import explain
from reconcilers.key_spec import ProviderRef
from reconcilers.names import API_VERSION, GROUP, IS_DEFAULT_ANNOTATION, VERSION
from reconcilers.news import news
from reconcilers.provider_fields import AWSProviderSpec, AWSProviderStatus
from reconcilers.reasons import Reason
from reconcilers.states import Account, FailureKind, Problem, Unobservable

log = structlog.get_logger()

AWSPROVIDERS = Resource(GROUP, VERSION, "awsproviders", "AWSProvider")
# product: a rotated Secret takes effect within a minute.
CREDENTIALS_SECONDS = 60.0
OWN_IDENTITY = (
    "spec.endpoint needs credentials from a Secret (credentialsSecret, or accessKeyIDRef and secretAccessKeyRef): "
    "the operator's own identity is not sent to an address that a namespace chooses."
)
TRANSIENT = (FailureKind.RETRY, FailureKind.UNKNOWN_RESULT)


@dataclass(frozen=True, slots=True)
class Reached:
    """A provider that leads somewhere."""

    provider: Ref
    account: Account
    connection: Connection


@dataclass(frozen=True, slots=True)
class _Known:
    """Credentials as they were read: for which version of the provider, and when (loop time)."""

    uid: str
    generation: int
    read_at: float
    static: StaticCredentials | None


class AWSProviders:
    """The providers of all namespaces. `wake_keys` is called with a namespace whose keys may go on, or None for all."""

    def __init__(
        self,
        kube: Kube,
        clients: Clients,
        events: EventRecorder,
        default_provider: str,
        allow_custom_endpoints: bool,
        now: Callable[[], datetime],
    ) -> None:
        self.store = Store()
        self.queue: WorkQueue[Ref] = WorkQueue("awsprovider")
        self.wake_keys: Callable[[str | None], None] = lambda _namespace: None
        self._kube = kube
        self._clients = clients
        self._events = events
        self._default = default_provider
        self._allow_custom_endpoints = allow_custom_endpoints
        self._now = now
        self._own = OwnWrites(self.store)
        self._credentials: dict[Ref, _Known] = {}

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informer tells."""
        count_conditions("AWSProvider", old, new)
        is_now = new or old
        assert is_now is not None  # an informer tells no change of nothing into nothing
        if new is None:
            self._own.forget(is_now.ref)
            self._credentials.pop(is_now.ref, None)
            self._clients.forget(str(is_now.ref))
        if new and (old is None or old.generation != new.generation):
            self.queue.add(new.ref, Priority.USER)
        if old is None or new is None or _matters_to_keys(old, new):
            self.wake_keys(None if str(is_now.ref) == self._default else is_now.namespace)

    async def reconcile(self, ref: Ref) -> timedelta | None:
        """One pass over one provider: try its credentials, report; when to try again. Raises KubeError."""
        obj = self._own.get(ref)
        if obj is None or obj.deletion_timestamp is not None:
            return None
        try:
            identity = await self._authenticate(obj)
        except AWSError as error:
            log.warning("authentication_failed", code=error.failure.code, error=error.failure.message)
            await self._report_first(obj, error)
            return LOOK_AGAIN
        return await self._report(obj, identity)

    async def _report_first(self, obj: KubeObject, error: AWSError) -> None:
        """What passes by itself is no news for a provider that works; one that never did shall not stay without a word."""
        if not read_status(obj, AWSProviderStatus).ready:
            await self._report(obj, Unobservable(Reason.AWS_UNAVAILABLE, explain(error.failure).message, error.failure))

    async def _report(self, obj: KubeObject, identity: Identity | Unobservable) -> timedelta:
        before = read_status(obj, AWSProviderStatus)
        plan = plan_awsprovider(obj.generation, before, identity, self._now())
        operations = status_patch(obj, plain(before), plain(plan.status))
        if operations:
            self._own.put(decode_object(await self._kube.json_patch(AWSPROVIDERS.path(*obj.ref, "status"), operations)))
        told = news(before.conditions, plan.status.conditions)
        if told is not None:
            regarding = Regarding(API_VERSION, "AWSProvider", obj.namespace, obj.name, obj.uid)
            self._events.record(regarding, told.type, told.reason, "Authenticate", told.message)
        return plan.look_again

    async def reach(self, namespace: str, ref: ProviderRef | None) -> Reached | Unobservable:
        """The account of a key's provider. Raises AWSError (only what passes by itself) and KubeError."""
        found = resolve(ref, namespace, self._entries(), self._default)
        if isinstance(found, Problem):
            return Unobservable(found.reason, found.message)
        provider = Ref(*found)
        obj = self._own.get(provider)
        if obj is None:
            message = f"There is no AWSProvider {provider}, the operator's default: create it, or set spec.providerRef."
            return Unobservable(Reason.PROVIDER_NOT_FOUND, message)
        connection = await self._connect(obj)
        if isinstance(connection, Unobservable):
            self.queue.add(provider, Priority.USER)  # so that its status says it too, and its keys are woken when it is mended
            message = f"AWSProvider {provider.name} is not ready: {connection.message}"
            return Unobservable(Reason.PROVIDER_NOT_READY, message, connection.failure)
        spec = AWSProviderSpec.model_validate_json(obj.spec)
        return Reached(provider, Account(connection.account_id, connection.region, spec.default_tags or {}), connection)

    def distrust(self, provider: Ref) -> None:
        """AWS refused these credentials: read them anew, and say so in the provider's status."""
        self._credentials.pop(provider, None)
        self._clients.forget(str(provider))
        self.queue.add(provider, Priority.USER)

    def _entries(self) -> Iterator[ProviderEntry]:
        for obj in self.store:
            yield ProviderEntry(obj.namespace, obj.name, obj.annotations.get(IS_DEFAULT_ANNOTATION) == "true")

    async def _authenticate(self, obj: KubeObject) -> Identity | Unobservable:
        self._credentials.pop(obj.ref, None)
        connection = await self._connect(obj)
        if isinstance(connection, Unobservable):
            return connection
        try:
            await connection.call("sts", "GetCallerIdentity", {})
        except AWSError as error:
            return _authentication_failed(error)
        return Identity(connection.account_id, connection.caller_arn)

    async def _connect(self, obj: KubeObject) -> Connection | Unobservable:
        try:
            spec = AWSProviderSpec.model_validate_json(obj.spec)
        except ValidationError as error:
            return Unobservable(Reason.INVALID_SPEC, f"The spec cannot be read: {tell(error)}.")
        if spec.endpoint is not None and not self._allow_custom_endpoints:
            message = "spec.endpoint is set, which this operator does not allow: remove it, or ask for --allow-custom-endpoints."
            return Unobservable(Reason.ENDPOINT_NOT_ALLOWED, message)
        try:
            static = await self._read_credentials(obj, spec)
            if spec.endpoint is not None and static is None:
                return Unobservable(Reason.ENDPOINT_NOT_ALLOWED, OWN_IDENTITY)
            connection = await self._clients.connect(_request(obj, spec, static))
        except CredentialsInvalidError as error:
            return Unobservable(Reason.CREDENTIALS_INVALID, str(error))
        except InvalidAccessError as error:
            return Unobservable(error.reason, str(error))
        except AWSError as error:
            return _authentication_failed(error)
        return _pinned(spec, connection)

    async def _read_credentials(self, obj: KubeObject, spec: AWSProviderSpec) -> StaticCredentials | None:
        loop_time = asyncio.get_running_loop().time()
        known = self._credentials.get(obj.ref)
        if (
            known
            and (known.uid, known.generation) == (obj.uid, obj.generation)
            and loop_time - known.read_at < CREDENTIALS_SECONDS
        ):
            return known.static
        static = await read_credentials(self._kube, obj.namespace, spec)
        self._credentials[obj.ref] = _Known(obj.uid, obj.generation, loop_time, static)
        return static


def _request(obj: KubeObject, spec: AWSProviderSpec, static: StaticCredentials | None) -> AccessRequest:
    return AccessRequest(
        provider=str(obj.ref),
        region=spec.region,
        endpoint=spec.endpoint,
        static=static,
        role_arn=spec.role_arn,
        assume_role_arn=spec.assume_role_arn,
        external_id=spec.external_id,
        session_name=spec.session_name or "infra-operator",
        session_tags=spec.session_tags or {},
    )


def _pinned(spec: AWSProviderSpec, connection: Connection) -> Connection | Unobservable:
    if spec.account_id in (None, connection.account_id):
        return connection
    return Unobservable(
        Reason.ACCOUNT_MISMATCH,
        f"spec.accountID is {spec.account_id}, but the credentials belong to account {connection.account_id}: nothing is written there. "
        "Correct one of them.",
    )


def _authentication_failed(error: AWSError) -> Unobservable:
    """Raises the error again where waiting is all that it takes."""
    if error.failure.kind in TRANSIENT:
        raise error
    problem = explain(error.failure)
    return Unobservable(Reason.AUTHENTICATION_FAILED, problem.message, error.failure)


class _Ready(msgspec.Struct, gc=False):
    ready: bool = False


def _matters_to_keys(old: KubeObject, new: KubeObject) -> bool:
    """A new spec or default mark, or a change from not ready to ready or back."""
    if old.generation != new.generation or old.annotations != new.annotations:
        return True
    return msgspec.json.decode(old.status, type=_Ready) != msgspec.json.decode(new.status, type=_Ready)
