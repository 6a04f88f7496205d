"""From an AWSProvider to a connection: its spec, its credentials, what the operator's user allows, and STS's word on whose they are.

Rules:
1. Secrets are read by name when they are needed, and again when what was read is a minute old or AWS refuses it: never listed or watched.
2. A connection is handed out only after STS has said whose it is, and only if that is the account that the provider is pinned to.
3. The pod's own identity, roles that it assumes included, goes to the namespaces that the operator's user names, and never to an endpoint
   that a namespace chooses.
4. A failure that passes by itself (STS down) is raised, for the work queue to retry; one that somebody has to mend is returned.
5. Of a provider that is being deleted the credentials serve on that were read last: its Secret may be deleted with it, as with a whole
   namespace, before the keys are.
6. A spec is parsed once for as long as it is the same.
"""

import asyncio
from dataclasses import dataclass

from pydantic import ValidationError

from aws.clients import Clients, Connection
from aws.credentials import AccessRequest, StaticCredentials
from aws.errors import AWSError, InvalidAccessError
from aws.quotas import RateLimits
from controller.decoding import tell
from controller.kube import Kube
from controller.objects import KubeObject, Ref
from controller.secrets import CredentialsInvalidError, Found, read_credentials
from reconcilers.failures import explain
from reconcilers.provider_fields import AWSProviderSpec
from reconcilers.reasons import Reason
from reconcilers.states import FailureKind, Problem, Unobservable

# product: a rotated Secret takes effect within a minute.
CREDENTIALS_SECONDS = 60.0
ALL_NAMESPACES = "*"
OWN_IDENTITY = (
    "spec.endpoint needs credentials from a Secret (credentialsSecret, or accessKeyIDRef and secretAccessKeyRef): "
    "the operator's own identity is not sent to an address that a namespace chooses."
)
TRANSIENT = (FailureKind.RETRY, FailureKind.UNKNOWN_RESULT)


@dataclass(frozen=True, slots=True)
class ProviderRules:
    """What the operator's user says about providers. default: NAMESPACE/NAME, or empty; ambient_namespaces: names, or * for all."""

    default: str = ""
    allow_custom_endpoints: bool = False
    ambient_namespaces: tuple[str, ...] = (ALL_NAMESPACES,)

    def let_be_the_pod(self, namespace: str) -> bool:
        """Whether providers of this namespace may work with the pod's own identity."""
        return ALL_NAMESPACES in self.ambient_namespaces or namespace in self.ambient_namespaces


@dataclass(frozen=True, slots=True)
class _Known:
    """Credentials as they were read: for which object and spec, and when (loop time)."""

    uid: str
    spec: bytes
    read_at: float
    found: Found | None


class ProviderAccess:
    """One for the process."""

    def __init__(self, kube: Kube, clients: Clients, rules: ProviderRules) -> None:
        self._kube = kube
        self._clients = clients
        self._rules = rules
        self._specs: dict[Ref, tuple[bytes, AWSProviderSpec | Problem]] = {}
        self._credentials: dict[Ref, _Known] = {}

    def spec(self, obj: KubeObject) -> AWSProviderSpec | Problem:
        """The spec, or what is wrong with it: admission lets nothing wrong pass, but an older CRD may have."""
        known = self._specs.get(obj.ref)
        if known is None or known[0] != obj.spec:
            known = self._specs[obj.ref] = (obj.spec, _parse(obj.spec))
        return known[1]

    async def connect(self, obj: KubeObject) -> Connection | Unobservable:
        """Where the provider leads, or why nowhere. Raises AWSError (only what passes by itself) and KubeError."""
        spec = self.spec(obj)
        if isinstance(spec, Problem):
            return Unobservable(spec.reason, spec.message)
        if (refused := self._refused(obj.namespace, spec)) is not None:
            return refused
        try:
            static = await self._read_credentials(obj, spec)
            connection = await self._clients.connect(_request(obj, spec, static))
        except CredentialsInvalidError as error:
            return Unobservable(Reason.CREDENTIALS_INVALID, str(error))
        except InvalidAccessError as error:
            return Unobservable(error.reason, str(error))
        except AWSError as error:
            return authentication_failed(error)
        return _pinned(spec, connection)

    def trimmed(self, ref: Ref) -> tuple[str, ...]:
        """Which of the values that were read last had blanks around them."""
        known = self._credentials.get(ref)
        return known.found.trimmed if known and known.found else ()

    def doubt(self, ref: Ref) -> None:
        """The next connection reads the Secret again, and has nothing if it cannot."""
        self._credentials.pop(ref, None)

    def distrust(self, ref: Ref) -> None:
        """AWS refused these credentials: the next connection reads them anew and asks STS anew."""
        self.doubt(ref)
        self._clients.forget(str(ref))

    def gone(self, ref: Ref) -> None:
        """The provider is away."""
        self.distrust(ref)
        self._specs.pop(ref, None)

    def _refused(self, namespace: str, spec: AWSProviderSpec) -> Unobservable | None:
        ambient = spec.credentials_secret is None and spec.access_key_id_ref is None
        if spec.endpoint is not None and not self._rules.allow_custom_endpoints:
            message = "spec.endpoint is set, which this operator does not allow: remove it, or ask for --allow-custom-endpoints."
            return Unobservable(Reason.ENDPOINT_NOT_ALLOWED, message)
        if spec.endpoint is not None and ambient:
            return Unobservable(Reason.ENDPOINT_NOT_ALLOWED, OWN_IDENTITY)
        if ambient and not self._rules.let_be_the_pod(namespace):
            return Unobservable(
                Reason.AMBIENT_CREDENTIALS_NOT_ALLOWED,
                f"The operator's own identity is not for the namespace {namespace}: put credentials into a Secret and name it in "
                f"credentialsSecret, or ask for {namespace} in --ambient-credentials-namespaces.",
            )
        return None

    async def _read_credentials(self, obj: KubeObject, spec: AWSProviderSpec) -> StaticCredentials | None:
        loop_time = asyncio.get_running_loop().time()
        known = self._credentials.get(obj.ref)
        if known and (known.uid, known.spec) == (obj.uid, obj.spec) and loop_time - known.read_at < CREDENTIALS_SECONDS:
            return known.found.static if known.found else None
        try:
            found = await read_credentials(self._kube, obj.namespace, spec)
        except CredentialsInvalidError:
            if known and (known.uid, known.spec) == (obj.uid, obj.spec) and obj.deletion_timestamp is not None:
                return known.found.static if known.found else None
            self.doubt(obj.ref)
            raise
        self._credentials[obj.ref] = _Known(obj.uid, obj.spec, loop_time, found)
        return found.static if found else None


def authentication_failed(error: AWSError) -> Unobservable:
    """Raises the error again where waiting is all that it takes."""
    if error.failure.kind in TRANSIENT:
        raise error
    problem = explain(error.failure)
    return Unobservable(Reason.AUTHENTICATION_FAILED, problem.message, error.failure)


def _parse(spec: bytes) -> AWSProviderSpec | Problem:
    try:
        return AWSProviderSpec.model_validate_json(spec)
    except ValidationError as error:
        return Problem(Reason.INVALID_SPEC, f"The spec cannot be read: {tell(error)}.")


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
        limits=_limits(spec),
    )


def _limits(spec: AWSProviderSpec) -> RateLimits:
    asked = spec.rate_limits
    return RateLimits(asked.fraction, asked.per_operation or {}) if asked else RateLimits()


def _pinned(spec: AWSProviderSpec, connection: Connection) -> Connection | Unobservable:
    if spec.account_id in (None, connection.account_id):
        return connection
    return Unobservable(
        Reason.ACCOUNT_MISMATCH,
        f"spec.accountID is {spec.account_id}, but the credentials belong to account {connection.account_id}: nothing is written there. "
        "Correct one of them.",
    )
