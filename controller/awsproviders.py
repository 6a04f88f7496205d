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
from typing import Any

import msgspec
from pydantic import ValidationError

from aws.clients import Clients, Connection
from aws.credentials import AccessRequest, StaticCredentials
from aws.errors import AWSError, InvalidAccessError
from controller.condition_counts import count_conditions
from controller.kube import Kube
from controller.objects import KubeObject, Ref, Resource, decode_object
from controller.own_writes import OwnWrites
from controller.patches import status_patch
from controller.secrets import CredentialsInvalidError, read_credentials
from controller.store import Store
from controller.workqueue import Priority, WorkQueue
from reconcilers.awsprovider import Identity, ProviderEntry, plan_awsprovider, resolve
from reconcilers.failures import explain
from reconcilers.names import GROUP, IS_DEFAULT_ANNOTATION, VERSION
from reconcilers.reasons import Reason
from reconcilers.resources import AWSProviderSpec, AWSProviderStatus, Model, ProviderRef
from reconcilers.states import Account, FailureKind, Problem, Unobservable

AWSPROVIDERS = Resource(GROUP, VERSION, "awsproviders", "AWSProvider")
# product: a rotated Secret takes effect within a minute.
CREDENTIALS_SECONDS = 60.0
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
        default_provider: str,
        allow_custom_endpoints: bool,
        now: Callable[[], datetime],
    ) -> None:
        self.store = Store()
        self.queue: WorkQueue[Ref] = WorkQueue("awsprovider")
        self.wake_keys: Callable[[str | None], None] = lambda _namespace: None
        self._kube = kube
        self._clients = clients
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
        if new and (old is None or old.generation != new.generation):
            self.queue.add(new.ref, Priority.USER)
        if old is None or new is None or _matters_to_keys(old, new):
            self.wake_keys(None if str(is_now.ref) == self._default else is_now.namespace)

    async def reconcile(self, ref: Ref) -> timedelta | None:
        """One pass over one provider: try its credentials, report. Raises AWSError and KubeError where a retry may help."""
        obj = self._own.get(ref)
        if obj is None or obj.deletion_timestamp is not None:
            return None
        before = AWSProviderStatus.model_validate_json(obj.status)
        plan = plan_awsprovider(obj.generation, before, await self._authenticate(obj), self._now())
        operations = status_patch(obj, _plain(before), _plain(plan.status))
        if operations:
            self._own.put(decode_object(await self._kube.json_patch(AWSPROVIDERS.path(*ref, "status"), operations)))
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
            message = f"AWSProvider {provider.name} is not ready: {connection.message}"
            return Unobservable(Reason.PROVIDER_NOT_READY, message, connection.failure)
        spec = AWSProviderSpec.model_validate_json(obj.spec)
        return Reached(provider, Account(connection.account_id, connection.region, spec.default_tags or {}), connection)

    def distrust(self, provider: Ref) -> None:
        """AWS refused these credentials: read them anew, and say so in the provider's status."""
        self._credentials.pop(provider, None)
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
            connection = await self._clients.connect(_request(obj, spec, await self._read_credentials(obj, spec)))
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


def tell(error: ValidationError) -> str:
    """Which fields are wrong and how, without their values, which may be secret."""
    return "; ".join(
        f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors(include_input=False, include_url=False)
    )


def _plain(status: Model) -> dict[str, Any]:
    """As the API server holds it: no nulls, nothing that is at its default."""
    plain: dict[str, Any] = status.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return plain


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
