"""`infra-operator plan`: what the operator would do if these files were applied. The planner is the operator's own; nothing is written.

For each object of the files, in their order: admission judges it; its provider is reached; its key is observed; the plan is made to its end.

Rules:
1. With a cluster, an object that is there keeps its uid, status and finalizers, and gets the file's spec and annotations. Secrets, like
   providers, are the files', else the cluster's.
2. Without one, every object is new.
3. No cluster is a choice (no kubeconfig at all), never an accident: a cluster that is named and cannot be reached is an error. A plan that
   takes every object for new would say "create" where a key is.
4. What hangs something on a key (KMSAlias, KMSGrant) is judged by admission only: its plan depends on keys that may be only planned themselves.
5. What AWS cannot tell now makes its object's plan unknown, and leaves the others'.
"""

import base64
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from aws.errors import AWSError
from aws.sight import Sight
from aws.wires import AwsWires
from controller.access import find_access
from controller.admission import KINDS, NotJudgedError, refused_by_models, refused_by_server
from controller.connection import HttpTransport
from controller.exports import look_at_exports
from controller.key_objects import KMSKEYS, key_object
from controller.kube import NotFound
from controller.manifests import Manifest, ManifestError, read_manifests
from controller.objects import KubeObject, Ref, decode_object
from controller.plan_providers import NO_UID, PlanProviders
from controller.plan_report import Outcome, Report, Step, Verdict
from controller.provider_access import ProviderRules
from controller.provider_objects import AWSPROVIDERS
from controller.read_only import Clouds, read_only
from controller.secrets import SECRETS
from reconcilers.actions import Action, AddFinalizer, CreateKey, DeleteExport, KeyAction, RecordKey, RemoveFinalizer, WriteExport
from reconcilers.arns import id_of, region_of
from reconcilers.conditions import find
from reconcilers.failures import explain
from reconcilers.fields import DeletionPolicy
from reconcilers.forecast import NOT_NEEDED, NOT_YET, Forecast, forecast
from reconcilers.key_spec import KMSKeySpec, ProviderRef
from reconcilers.kmskey import plan_unasked, plan_unseen
from reconcilers.reasons import Reason
from reconcilers.states import Account, KeyObject, NotCreated, Operator, Seen, Unobservable

NO_CLUSTER = (
    "No cluster: every object is taken for new, and rules between fields were not judged. Set KUBECONFIG to plan against a cluster."
)
PLANNED = (KMSKEYS.kind, AWSPROVIDERS.kind)
NOT_PLANNED = "NotPlanned"
ONLY_ADMITTED = "The API server would take the object; what the operator would do for it is planned for KMSKeys and AWSProviders only."


@dataclass(frozen=True, slots=True)
class Options:
    """The operator's flags that decide about keys."""

    default_provider: Ref | None
    default_deletion_policy: str
    create_grace: timedelta
    allow_custom_endpoints: bool
    allow_policy_lockout_bypass: bool
    refuse_open_policies: bool
    ambient_credentials_namespaces: tuple[str, ...]

    def rules(self) -> ProviderRules:
        """As the providers want them."""
        return ProviderRules(str(self.default_provider or ""), self.allow_custom_endpoints, self.ambient_credentials_namespaces)

    def operator(self, cluster_id: str) -> Operator:
        """As the planner wants them."""
        policy = DeletionPolicy(self.default_deletion_policy)
        return Operator(cluster_id, policy, self.create_grace, self.allow_policy_lockout_bypass, self.refuse_open_policies)


async def run(files: Iterable[str], namespace: str, options: Options) -> Report:
    """The plan for the objects of these files. Raises ManifestError, AccessError, KubeError and UndecodableError."""
    manifests = read_manifests(files, namespace)
    server = HttpTransport(await find_access()) if _a_cluster_is_named() else None
    async with read_only(server, given_secrets(manifests), AwsWires().open) as clouds:
        return await Planner(clouds, options, has_cluster=server is not None).plan(manifests)


class Planner:
    """Plans objects, each by itself; has_cluster: whether there is anything behind clouds.kube but what was given."""

    def __init__(self, clouds: Clouds, options: Options, *, has_cluster: bool) -> None:
        self._clouds = clouds
        self._options = options
        self._has_cluster = has_cluster
        self._notes: dict[str, None] = {} if has_cluster else {NO_CLUSTER: None}  # each once, in their order
        self._providers = PlanProviders(clouds, options.rules(), self._note)

    async def plan(self, manifests: Iterable[Manifest]) -> Report:
        """The plan for all of them. Raises ManifestError if none is ours, KubeError and UndecodableError."""
        ours = [manifest for manifest in manifests if manifest.kind in KINDS]
        if not ours:
            raise ManifestError(f"the files hold none of {', '.join(KINDS)}")
        operator = self._options.operator(await self._clouds.cluster_id() if self._has_cluster else NO_UID)
        await self._providers.know(ours, has_cluster=self._has_cluster)
        sight = Sight(operator)
        outcomes = [await self._judge(manifest, operator, sight) for manifest in ours]
        return Report(tuple(outcomes), self._has_cluster, tuple(self._notes))

    def _note(self, text: str) -> None:
        self._notes[text] = None

    async def _judge(self, manifest: Manifest, operator: Operator, sight: Sight) -> Outcome:
        live = await self._live(manifest)
        refusal = refused_by_models(manifest) or await self._refused_by_server(manifest, live)
        if refusal is not None:
            return Outcome(manifest.kind, manifest.ref, Verdict.REFUSED, reason=Reason.INVALID_SPEC, message=refusal)
        if manifest.kind not in PLANNED:
            return Outcome(manifest.kind, manifest.ref, Verdict.UNKNOWN, reason=NOT_PLANNED, message=ONLY_ADMITTED)
        try:
            if manifest.kind == AWSPROVIDERS.kind:
                return await self._provider(manifest.ref)
            return await self._key(manifest.on(live, NO_UID), operator, sight)
        except AWSError as error:
            problem = explain(error.failure)
            return Outcome(manifest.kind, manifest.ref, Verdict.UNKNOWN, reason=problem.reason, message=problem.message)

    async def _live(self, manifest: Manifest) -> KubeObject | None:
        resource, _ = KINDS[manifest.kind]
        try:
            return decode_object(await self._clouds.kube.get(resource.path(*manifest.ref)))
        except NotFound:
            return None

    async def _refused_by_server(self, manifest: Manifest, live: KubeObject | None) -> str | None:
        if not self._has_cluster:
            return None
        try:
            return await refused_by_server(self._clouds.kube, manifest, live)
        except NotJudgedError as error:
            self._note(f"The API server did not judge {manifest.kind} {manifest.ref}: {error}")
            return None

    async def _provider(self, ref: Ref) -> Outcome:
        """Nothing is ever done for a provider but to try its credentials, which is done here too."""
        reached = await self._providers.reach(ref.namespace, ProviderRef(name=ref.name))
        if isinstance(reached, Unobservable):
            return Outcome(AWSPROVIDERS.kind, ref, Verdict.REFUSED, reason=reached.reason, message=reached.message)
        connection = reached.connection
        message = f"It leads to account {connection.account_id}, region {connection.region}, as {connection.caller_arn}."
        return Outcome(AWSPROVIDERS.kind, ref, Verdict.UNCHANGED, reason=Reason.AUTHENTICATION_SUCCEEDED, message=message)

    async def _key(self, obj: KubeObject, operator: Operator, sight: Sight) -> Outcome:
        spec, now = KMSKeySpec.model_validate_json(obj.spec), datetime.now(UTC)
        key = key_object(obj, spec, await self._providers.defaults(obj.namespace, spec.provider_ref))
        if self._has_cluster:
            key = replace(key, exports=await look_at_exports(self._clouds.kube, key))
        account, seen = await self._look(key, operator, sight, now)
        return _outcome(key, forecast(key, account, seen, operator, now), account)

    async def _look(
        self, key: KeyObject, operator: Operator, sight: Sight, now: datetime
    ) -> tuple[Account | Unobservable, Seen]:
        """The key's account and the key, as far as the plan depends on them."""
        if plan_unasked(key, operator, now) is not None:
            return NOT_NEEDED, NotCreated()
        if not self._has_cluster:
            self._providers.stand_in(key)
        reached = await self._providers.reach(key.namespace, key.spec.provider_ref)
        if isinstance(reached, Unobservable):
            return reached, NotCreated()
        if not self._has_cluster or plan_unseen(key, reached.account, operator, now) is not None:
            return reached.account, NotCreated()
        return reached.account, await sight.observe(reached.connection, key, now)


def _outcome(key: KeyObject, told: Forecast, account: Account | Unobservable) -> Outcome:
    """The steps; and what the conditions would say afterwards, unless that all is done."""
    region = account.region if isinstance(account, Account) else None
    ref, steps = Ref(key.namespace, key.name), tuple(_step(action, region) for action in told.actions)
    synced, ready = (find(kind, told.status.conditions) for kind in ("Synced", "Ready"))
    if synced is None or synced.status == "True" or told.lets_go:
        verdict, end = (Verdict.CHANGE, None) if steps else (Verdict.UNCHANGED, ready)
    elif steps:
        verdict, end = Verdict.CHANGE, synced
    else:
        is_refused = isinstance(account, Unobservable) and synced.reason == account.reason
        verdict = Verdict.REFUSED if is_refused or find("Stalled", told.status.conditions) else Verdict.WAITS
        end = synced
    return Outcome("KMSKey", ref, verdict, steps, end.reason if end else None, end.message if end else None)


def _step(action: Action, region: str | None) -> Step:
    """region: the provider's; what is done in another one says so."""
    key_id, told = _key_id(action), action.told
    if isinstance(action, KeyAction) and region not in (None, region_of(action.key)):
        told = f"{told}, in {region_of(action.key)}"
    return Step(type(action).__name__, told, key_id)


def _key_id(action: Action) -> str | None:
    match action:
        case AddFinalizer() | RemoveFinalizer() | WriteExport() | DeleteExport():
            return None
        case CreateKey():
            return NOT_YET
        case RecordKey(found=found):
            return found.key_id
        case _:
            return id_of(action.key)


def given_secrets(manifests: Sequence[Manifest]) -> dict[str, bytes]:
    """The Secrets of the files as the server would serve them, by path."""
    return {SECRETS.path(*one.ref): msgspec.json.encode(_secret(one.body)) for one in manifests if one.kind == SECRETS.kind}


def _secret(body: dict[str, Any]) -> dict[str, Any]:
    """stringData is for writing only: the server shows it as data."""
    plain = {name: base64.b64encode(str(text).encode()).decode() for name, text in (body.get("stringData") or {}).items()}
    return {**body, "data": {**(body.get("data") or {}), **plain}}


def _a_cluster_is_named() -> bool:
    """By whatever find_access would follow."""
    named = os.environ.get("KUBECONFIG") or os.environ.get("KUBERNETES_SERVICE_HOST")
    return bool(named) or (Path.home() / ".kube" / "config").exists()
