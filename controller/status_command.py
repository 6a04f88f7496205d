"""`infra-operator status`: the picture of the dashboards for a terminal, from the objects' own words. AWS is not asked.

Rules:
1. Only statuses are read: whoever may list the objects gets the whole picture, without a Secret or an AWS identity.
2. A kind that the cluster does not serve, such as one of a newer version, has no objects.
3. What the operator alone knows, its calls to AWS, is read from its /metrics, if somebody says where these are.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from controller.access import find_access
from controller.connection import HttpTransport
from controller.decoding import read_status
from controller.dry_run import DryRun
from controller.key_objects import KMSKEYS
from controller.kmsaliases import KMSALIASES
from controller.kmsgrants import KMSGRANTS
from controller.kube import Kube, NotFound
from controller.listing import list_objects
from controller.objects import KubeObject, Resource
from controller.provider_objects import AWSPROVIDERS
from controller.quota_use import MetricsError, QuotaUse, fetch
from controller.status_report import Provider, Report
from reconcilers.key_status import KMSKeyStatus
from reconcilers.provider_fields import AWSProviderStatus
from reconcilers.standing import Standing, Told, standing
from reconcilers.target_fields import DependentStatus

DEPENDENTS = (KMSALIASES, KMSGRANTS)


async def run(namespace: str | None, metrics_url: str | None) -> Report:
    """Looks at everything; without a namespace in all of them. Raises AccessError, KubeError and UndecodableError."""
    kube = Kube(DryRun(HttpTransport(await find_access()), {}))
    try:
        return await survey(kube, namespace, metrics_url)
    finally:
        await kube.close()


async def survey(kube: Kube, namespace: str | None, metrics_url: str | None) -> Report:
    """Raises KubeError and UndecodableError."""
    providers = [_provider(obj) for obj in await _listed(kube, AWSPROVIDERS, namespace)]
    objects = [_key(obj) for obj in await _listed(kube, KMSKEYS, namespace)]
    for resource in DEPENDENTS:
        objects += [_dependent(resource, obj) for obj in await _listed(kube, resource, namespace)]
    quota, problems = await _quota(metrics_url) if metrics_url else (None, ())
    return Report(tuple(providers), tuple(objects), quota, problems, datetime.now(UTC))


async def _listed(kube: Kube, resource: Resource, namespace: str | None) -> Sequence[KubeObject]:
    try:
        return sorted(await list_objects(kube, resource.path(namespace)), key=lambda obj: obj.ref)
    except NotFound:  # rule 2
        return ()


async def _quota(url: str) -> tuple[QuotaUse | None, tuple[str, ...]]:
    try:
        return await fetch(url), ()
    except MetricsError as error:
        return None, (f"The use of AWS's quotas is unknown: {error}",)


class _Where(msgspec.Struct, gc=False):
    region: str | None = None


def _provider(obj: KubeObject) -> Provider:
    status = read_status(obj, AWSProviderStatus)
    region = msgspec.json.decode(obj.spec, type=_Where).region
    return Provider(_standing(AWSPROVIDERS, obj, status), region, status.account_id, status.keys_in_use)


def _key(obj: KubeObject) -> Standing:
    status = read_status(obj, KMSKeyStatus)
    return _standing(KMSKEYS, obj, status, status.key_state)


def _dependent(resource: Resource, obj: KubeObject) -> Standing:
    return _standing(resource, obj, read_status(obj, DependentStatus))


def _standing(
    resource: Resource, obj: KubeObject, status: AWSProviderStatus | KMSKeyStatus | DependentStatus, state: str | None = None
) -> Standing:
    told = Told(resource.kind, obj.namespace, obj.name, obj.generation, status.observed_generation, status.conditions, state)
    return standing(told)
