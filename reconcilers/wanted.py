"""From a spec to the key as it shall be: defaults resolved, the provider's tags and the owner tags added.

Owner tags are how a key says whose it is. They are written by CreateKey itself, and every later write asks for them first.
"""

import hashlib
from collections.abc import Mapping

from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from reconcilers.resources import DeletionPolicy
from reconcilers.states import Account, KeyObject, ObservedKey, Operator, Unobservable, Wanted

ACCOUNT_PLACEHOLDER = "${AWS_ACCOUNT_ID}"
MAX_TAG_VALUE = 256
DEFAULT_WINDOW_IN_DAYS = 30  # KMS's own default and longest window
SHORTEST_WINDOW_IN_DAYS = 7


def wanted_key(key: KeyObject, account: Account, operator: Operator) -> Wanted:
    """The key that this object asks for in this account."""
    spec = key.spec
    return Wanted(
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
    )


def owner_tags(key: KeyObject, cluster_id: str) -> Mapping[str, str]:
    """The three tags that name this object as the key's owner."""
    return {CLUSTER_TAG: cluster_id, OWNER_TAG: _owner(key.namespace, key.name), UID_TAG: key.uid}


def owned(key: KeyObject, seen: ObservedKey, cluster_id: str) -> bool:
    """Whether the key's tags name this very object. Namespace and name are for people; the UIDs decide."""
    tags = seen.tags
    return not isinstance(tags, Unobservable) and tags.get(CLUSTER_TAG) == cluster_id and tags.get(UID_TAG) == key.uid


def deletion_policy(key: KeyObject, operator: Operator) -> DeletionPolicy:
    """The object's, else the operator's."""
    return key.spec.deletion_policy or operator.default_deletion_policy


def window_in_days(key: KeyObject, policy: DeletionPolicy) -> int:
    """ForceDelete takes KMS's shortest window, whatever the object says."""
    if policy is DeletionPolicy.FORCE_DELETE:
        return SHORTEST_WINDOW_IN_DAYS
    return key.spec.pending_window_in_days or DEFAULT_WINDOW_IN_DAYS


def _owner(namespace: str, name: str) -> str:
    """namespace/name; two names of 253 characters do not fit into a tag value, so a longer one ends in a hash of the whole."""
    full = f"{namespace}/{name}"
    if len(full) <= MAX_TAG_VALUE:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:32]
    return f"{full[: MAX_TAG_VALUE - 33]}-{digest}"
