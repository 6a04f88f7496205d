"""The KMSKeys of the cluster as their dependents see them.

One on which another process works is read from the server: by its name where it is named, and all of them where only a key id is told, because
a KMSKey that nobody has asked must not be taken for one that permits. Its changes wake no dependent here: they show at the next look.
"""

from collections.abc import Iterable, Iterator

from controller.decoding import read_status
from controller.key_objects import KMSKEYS, read_spec
from controller.objects import KubeObject, Ref
from controller.partition import Others
from controller.store import Store
from reconcilers.arns import id_of
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.states import Problem
from reconcilers.target_fields import DependentSpec
from reconcilers.targets import Known, TargetKMSKey


async def known_keys(keys: Store, others: Others, spec: DependentSpec, namespace: str) -> Known:
    """Those that matter to an object of this namespace with this spec. Raises KubeError."""
    if spec.target_ref is not None:
        ref = Ref(spec.target_ref.namespace or namespace, spec.target_ref.name)
        named = keys.get(ref) or await others.get(KMSKEYS, ref)
        return Known(named=None if named is None else _target(named))
    everywhere = await others.all(KMSKEYS) if others.there else keys
    return Known(owners=tuple(_owners(everywhere, id_of(spec.target_key_id or ""))))


def _owners(keys: Iterable[KubeObject], key_id: str) -> Iterator[TargetKMSKey]:
    """Most objects are told apart without being read."""
    wanted = key_id.encode()
    for obj in keys:
        if wanted in obj.status and read_status(obj, KMSKeyStatus).key_id == key_id:
            yield _target(obj)


def _target(obj: KubeObject) -> TargetKMSKey:
    """A spec that cannot be read permits nothing."""
    spec, status = read_spec(obj), read_status(obj, KMSKeyStatus)
    if isinstance(spec, Problem):
        spec = KMSKeySpec()
    return TargetKMSKey(
        namespace=obj.namespace,
        name=obj.name,
        deleting=obj.deletion_timestamp is not None,
        provider_ref=spec.provider_ref,
        grantable_from=spec.grantable_from,
        key_arn=status.key_arn,
        made=status.creation_date,
    )
