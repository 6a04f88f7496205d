"""`kubectl kms restore`: the object of a key whose object was deleted, found by the key's owner tags. Reads only.

Rules:
1. The key is looked for through the provider that the object would use; --provider names another.
2. The keys are read before the objects: a key whose object comes back meanwhile is then never taken for a lost one.
3. An object that is there is not restored over.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from aws import kms
from aws.aliases import read_aliases
from aws.cluster_keys import cluster_keys
from aws.replicas import with_replicas
from aws.wires import AwsWires
from controller.access import find_access
from controller.connection import HttpTransport
from controller.decoding import read_status
from controller.key_objects import KMSKEYS
from controller.listing import list_objects
from controller.objects import KubeObject, Ref
from controller.provider_access import ProviderRules
from controller.provider_objects import AWSPROVIDERS
from controller.provider_ways import Reached
from controller.read_only import Clouds, read_only
from reconcilers.key_spec import ProviderRef
from reconcilers.key_status import KMSKeyStatus
from reconcilers.restoration import Json, NotRestorableError, gaps, restored, the_lost_key
from reconcilers.states import Asked, Missing, ObservedKey, Unobservable


@dataclass(frozen=True, slots=True)
class Restoration:
    """The object, and what its reader must know beside it."""

    manifest: Json
    notes: tuple[str, ...]


async def run(ref: Ref, provider: Ref | None, *, allow_custom_endpoints: bool) -> Restoration:
    """Raises NotRestorableError, AccessError, AWSError, KubeError and UndecodableError."""
    server = HttpTransport(await find_access())
    async with read_only(server, {}, AwsWires().open) as clouds:
        return await restore(clouds, ref, provider, ProviderRules(allow_custom_endpoints=allow_custom_endpoints))


async def restore(clouds: Clouds, ref: Ref, provider: Ref | None, rules: ProviderRules) -> Restoration:
    """Raises NotRestorableError, AWSError, KubeError and UndecodableError."""
    named = None if provider is None else ProviderRef(name=provider.name, namespace=provider.namespace)
    reached = await _reached(clouds, ref.namespace, named, rules)
    keys = await cluster_keys(reached.connection, await clouds.cluster_id())
    objects = await list_objects(clouds.kube, KMSKEYS.path())  # after the keys: rule 2
    if any(obj.ref == ref for obj in objects):
        raise NotRestorableError(f"the KMSKey {ref} is there: there is nothing to restore")
    found = the_lost_key(keys, ref.namespace, ref.name, {obj.uid for obj in objects}, set(_key_ids(objects)))
    key = await _observed(reached, found)
    reference = {} if named is None else _reference(named, ref.namespace)
    return Restoration(restored(key, ref.namespace, ref.name, reference, reached.account.default_tags), gaps(key))


async def _reached(clouds: Clouds, namespace: str, named: ProviderRef | None, rules: ProviderRules) -> Reached:
    providers = clouds.providers(rules)
    for obj in await list_objects(clouds.kube, AWSPROVIDERS.path()):
        providers.store.put(obj)
    reached = await providers.reach(namespace, named)
    if isinstance(reached, Unobservable):
        raise NotRestorableError(f"{reached.message.rstrip('.')}. Name a provider with --provider")
    return reached


async def _observed(reached: Reached, found: ObservedKey) -> ObservedKey:
    """The key with all that its object can say of it."""
    asked = Asked(policy=True, grants=True)
    seen = await kms.observe_key(reached.connection, found.arn, asked)
    if isinstance(seen, Missing):
        raise NotRestorableError(f"the key {found.key_id} is gone")
    whole = replace(seen, aliases=await read_aliases(reached.connection, seen.arn, frozenset()))
    return await with_replicas(reached.connection, whole, asked)


def _reference(named: ProviderRef, namespace: str) -> Json:
    return {"name": named.name, **({"namespace": named.namespace} if named.namespace != namespace else {})}


def _key_ids(objects: Iterable[KubeObject]) -> Iterable[str]:
    statuses = (read_status(obj, KMSKeyStatus) for obj in objects)
    return (status.key_id for status in statuses if status.key_id is not None)
