"""The key as it shall be in other regions: what a replica leaves unset is as it is for the key itself.

Rules:
1. spec.replicas says where; only where it is unset do the provider's defaultReplicaRegions, without the provider's own region.
2. Rotation and grants are not for replicas: KMS shares the one among all regions, and the other are declared for the key alone.
"""

from collections.abc import Mapping
from dataclasses import replace

from reconcilers.aliases import alias_names
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import ReplicaStatus
from reconcilers.ownership import owner_tags
from reconcilers.replica_fields import ReplicaSpec
from reconcilers.states import Account, Asked, KeyObject, Operator, Wanted

ACCOUNT_PLACEHOLDER = "${AWS_ACCOUNT_ID}"


def wanted_replicas(key: KeyObject, account: Account, primary: Wanted, operator: Operator) -> Mapping[str, Wanted]:
    """By region."""
    return {replica.region: _wanted(key, account, primary, replica, operator) for replica in _declared(key.spec, account)}


def asked_of_replicas(key: KeyObject) -> Mapping[str, Asked]:
    """What has to be read where the object wants a replica or remembers one. No region for an object that has nothing to do with replicas."""
    declared = {replica.region: replica for replica in (key.spec.replicas or ()) if key.spec.multi_region}
    remembered = {replica.region: replica for replica in key.status.replicas}
    regions = declared.keys() | remembered.keys()
    return {region: asked_of_replica(key, declared.get(region), remembered.get(region)) for region in regions}


def asked_of_replica(key: KeyObject, declared: ReplicaSpec | None, remembered: ReplicaStatus | None) -> Asked:
    """What has to be read of one replica."""
    aliases = (*_aliases(key, declared), *(remembered.aliases if remembered else ()))
    return Asked(policy=_policy(key, declared) is not None, aliases=alias_names(aliases))


def replica_window(key: KeyObject, region: str) -> int | None:
    """The days between the deletion of the object and of the replica, if anything says so."""
    own = (replica.pending_window_in_days for replica in key.spec.replicas or () if replica.region == region)
    return next(own, None) or key.spec.pending_window_in_days


def _declared(spec: KMSKeySpec, account: Account) -> tuple[ReplicaSpec, ...]:
    if spec.multi_region is not True:
        return ()
    if spec.replicas is not None:
        return spec.replicas
    return tuple(ReplicaSpec(region=region) for region in account.default_replica_regions if region != account.region)


def _wanted(key: KeyObject, account: Account, primary: Wanted, replica: ReplicaSpec, operator: Operator) -> Wanted:
    policy = _policy(key, replica)
    tags = (replica.tags if replica.tags is not None else key.spec.tags) or {}
    return replace(
        primary,
        region=replica.region,
        enabled=primary.enabled if replica.enabled is None else replica.enabled,
        description=primary.description if replica.description is None else replica.description,
        policy=policy.replace(ACCOUNT_PLACEHOLDER, account.account_id) if policy is not None else None,
        rotation_enabled=False,
        rotation_period_in_days=None,
        tags={**account.default_tags, **tags, **owner_tags(key, operator.cluster_id)},
        aliases=alias_names(_aliases(key, replica)),
        grants=(),
    )


def _policy(key: KeyObject, replica: ReplicaSpec | None) -> str | None:
    own = replica.key_policy if replica else None
    return key.spec.key_policy if own is None else own


def _aliases(key: KeyObject, replica: ReplicaSpec | None) -> tuple[str, ...]:
    own = replica.aliases if replica else None
    return (key.spec.aliases if own is None else own) or ()
