"""The providers that the keys of a plan lead to: those of the files, over those of the cluster, over the shell's own AWS environment.

Rules:
1. A provider of the files takes the place of the cluster's of the same name, and is otherwise resolved and tried as the operator does it.
2. Without a cluster, a provider that is in no file is stood in for by the AWS environment of the shell, in AWS_REGION. Its defaultTags and
   accountID are not known then.
3. Between several providers nobody guesses, here as little as in the operator.
"""

import os
from collections.abc import Callable, Iterable

import msgspec

from controller.kube import NotFound
from controller.listing import list_objects
from controller.manifests import Manifest
from controller.objects import KubeObject, Ref
from controller.provider_access import ProviderRules
from controller.provider_objects import AWSPROVIDERS
from controller.provider_ways import Reached
from controller.read_only import Clouds
from reconcilers.key_spec import ProviderRef
from reconcilers.reasons import Reason
from reconcilers.states import KeyObject, Problem, ProviderDefaults, Unobservable

# What an object, or a cluster, that is not there yet has for a UID; no key can carry it.
NO_UID = "(none yet)"
STAND_IN = "environment"


class PlanProviders:
    """note: takes what the reader of the plan must know."""

    def __init__(self, clouds: Clouds, rules: ProviderRules, note: Callable[[str], None]) -> None:
        self._kube = clouds.kube
        self._default = rules.default
        self._note = note
        self._providers = clouds.providers(rules)

    async def know(self, manifests: Iterable[Manifest], *, has_cluster: bool) -> None:
        """Reads those of the cluster where keys of the files may look for theirs, and then those of the files. Raises KubeError."""
        manifests = tuple(manifests)
        named = {_provider_namespace(manifest) for manifest in manifests}
        namespaces = {manifest.ref.namespace for manifest in manifests} | named | {self._default.partition("/")[0]} - {""}
        for namespace in sorted(namespaces) if has_cluster else ():
            for provider in await self._list(namespace):
                self._providers.store.put(provider)
        for manifest in manifests:
            if manifest.kind == AWSPROVIDERS.kind:
                self._providers.store.put(manifest.on(self._providers.store.get(manifest.ref), NO_UID))

    async def reach(self, namespace: str, ref: ProviderRef | None) -> Reached | Unobservable:
        """Where the provider of a key leads. Raises AWSError and KubeError."""
        return await self._providers.reach(namespace, ref)

    async def defaults(self, namespace: str, ref: ProviderRef | None) -> ProviderDefaults | None:
        """What the provider of a key says for it. Raises KubeError."""
        return self._providers.defaults(await self._providers.find(namespace, ref))

    def stand_in(self, key: KeyObject) -> None:
        """Makes up the key's provider where only a cluster could know it."""
        ref, region = self._unknown(key), os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if ref is None:
            return
        if region is None:
            self._note("AWS_REGION is not set: with it, the AWS environment of this shell stands in for missing AWSProviders.")
            return
        spec = msgspec.json.encode({"region": region})
        self._providers.store.put(KubeObject(*ref, NO_UID, "0", 1, None, (), {}, {}, spec, b"{}"))
        self._note(f"AWSProvider {ref} is in none of the files: the AWS environment of this shell stands in for it.")

    async def _list(self, namespace: str) -> list[KubeObject]:
        try:
            return await list_objects(self._kube, AWSPROVIDERS.path(namespace))
        except NotFound:
            self._note("The cluster does not know the kind AWSProvider: install the CRDs (infra-operator crds | kubectl apply -f -).")
            return []

    def _unknown(self, key: KeyObject) -> Ref | None:
        """The name of the provider that the key would have, if that provider is in no file."""
        store = self._providers.store
        wanted = key.spec.provider_ref
        found = self._providers.resolve(key.namespace, wanted)
        if not isinstance(found, Problem):
            is_ours = found.namespace == key.namespace or str(found) == self._default
            return found if is_ours and store.get(found) is None else None
        if found.reason == Reason.PROVIDER_NOT_FOUND and wanted is not None:
            return Ref(key.namespace, wanted.name)
        has_several = any(provider.namespace == key.namespace for provider in store)
        return None if has_several or found.reason != Reason.PROVIDER_NOT_RESOLVED else Ref(key.namespace, STAND_IN)


def _provider_namespace(manifest: Manifest) -> str:
    """Where the provider is that the object names; its own namespace if it names none."""
    return str(((manifest.body.get("spec") or {}).get("providerRef") or {}).get("namespace") or manifest.ref.namespace)
