"""From a spec to the key as it shall be: defaults resolved, the provider's tags and the owner tags added."""

from dataclasses import replace

from reconcilers.aliases import alias_names
from reconcilers.fields import DeletionPolicy
from reconcilers.grants import wanted_grant
from reconcilers.materials import wanted_material
from reconcilers.on_demand import history_is_needed
from reconcilers.ownership import owner_tags
from reconcilers.replica_wishes import ACCOUNT_PLACEHOLDER, asked_of_replicas, replica_window, wanted_replicas
from reconcilers.states import Account, Asked, KeyObject, Operator, Wanted

DEFAULT_WINDOW_IN_DAYS = 30  # KMS's own default and longest window
SHORTEST_WINDOW_IN_DAYS = 7


def wanted_key(key: KeyObject, account: Account, operator: Operator) -> Wanted:
    """The key that this object asks for in this account."""
    spec = key.spec
    primary = Wanted(
        account_id=account.account_id,
        region=account.region,
        key_spec=spec.resolved_key_spec,
        key_usage=spec.resolved_key_usage,
        multi_region=spec.multi_region is True,
        enabled=spec.wants_enabled,
        description=spec.description or "",
        policy=spec.key_policy.replace(ACCOUNT_PLACEHOLDER, account.account_id) if spec.key_policy is not None else None,
        bypass_policy_lockout_safety_check=spec.bypass_policy_lockout_safety_check is True,
        rotation_enabled=spec.enable_key_rotation is True,
        rotation_period_in_days=spec.rotation_period_in_days,
        tags={**account.default_tags, **(spec.tags or {}), **owner_tags(key, operator.cluster_id)},
        aliases=alias_names(spec.aliases or ()),
        grants=tuple(wanted_grant(grant) for grant in spec.grants or ()),
        caller_arn=account.caller_arn,
        material=wanted_material(spec),
    )
    return replace(primary, replicas=wanted_replicas(key, account, primary, operator))


def asked(key: KeyObject) -> Asked:
    """What has to be read of this object's key: nothing that the object does not manage and never did."""
    names = alias_names((*(key.spec.aliases or ()), *key.status.aliases))
    return Asked(
        policy=key.spec.key_policy is not None,
        aliases=names,
        grants=bool(key.spec.grants or key.status.grants),
        rotations=history_is_needed(key),
        next_rotation=key.status.next_rotation_date,
        replicas=asked_of_replicas(key),
    )


def deletion_policy(key: KeyObject, operator: Operator) -> DeletionPolicy:
    """The object's, else its provider's, else the operator's. A key that is only observed is left as it is.

    While no provider is known, what the status showed last holds: a key is not deleted because a default that said Retain has disappeared.
    """
    if key.spec.observes:
        return DeletionPolicy.RETAIN
    default = key.status.effective_deletion_policy if key.defaults is None else key.defaults.deletion_policy
    return key.spec.deletion_policy or default or operator.default_deletion_policy


def window_in_days(key: KeyObject, policy: DeletionPolicy, region: str | None = None) -> int:
    """ForceDelete takes KMS's shortest window, whatever the object says. region: of a replica, which may have a window of its own."""
    if policy is DeletionPolicy.FORCE_DELETE:
        return SHORTEST_WINDOW_IN_DAYS
    declared = replica_window(key, region) if region else key.spec.pending_window_in_days
    return declared or DEFAULT_WINDOW_IN_DAYS
