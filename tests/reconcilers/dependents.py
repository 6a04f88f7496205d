"""What the planners of dependents are given, made in one line: KMSAliases and KMSGrants shop/front, ways, and keys that are no object's."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from reconcilers.alias_fields import KMSAliasSpec, KMSAliasStatus
from reconcilers.conditions import Finding, Progress, Verdict, conditions
from reconcilers.dependents import DependentObject
from reconcilers.kmsalias import AliasObject
from reconcilers.names import CLUSTER_TAG, KMSALIAS_FINALIZER, OWNER_TAG
from reconcilers.states import Missing, ObservedKey
from reconcilers.target_fields import TargetRef
from reconcilers.targets import Target, Way
from tests.reconcilers.builders import ACCOUNT_ID, CLUSTER, KEY_ID, NOW, OTHER_KEY_ID, REGION, UID, account, arn, observed

ONE, TWO, THREE = arn(), arn(OTHER_KEY_ID), arn("1111aaaa-98fe-76dc-54ba-fedcba987654")
PLACE: dict[str, Any] = {"account_id": ACCOUNT_ID, "region": REGION, "provider": "shop/main", "target_key_id": KEY_ID}
IN_SYNC = Verdict(Finding(True, "Available", "m"), Finding(True, "InSync", "m"), Progress.SETTLED)


def settled_conditions(age: timedelta = timedelta(hours=1)) -> Any:
    """Of an object of the first generation that has been in sync for so long."""
    return conditions(IN_SYNC, (), 1, NOW - age)


def way(key: str = ONE, *, homes: frozenset[str] = frozenset({"shop"}), region: str = REGION) -> Way:
    return Way(Target(key, "shop", None, homes), account(region=region), "shop/main")


def bare(key_arn: str = ONE, state: str = "Enabled", spec: str = "SYMMETRIC_DEFAULT", usage: str = "ENCRYPT_DECRYPT") -> ObservedKey:
    """A key without tags of anybody's."""
    found = observed(state, key_id=key_arn.rpartition("/")[2])
    return replace(found, tags={}, key_spec=spec, key_usage=usage)


def tagged(owner: str, cluster: str = CLUSTER) -> ObservedKey:
    """A key with owner tags."""
    return replace(bare(), tags={CLUSTER_TAG: cluster, OWNER_TAG: owner})


GONE = Missing(ONE)


def alias(
    *placed_on: str,
    deleting: bool = False,
    finalizers: tuple[str, ...] = (KMSALIAS_FINALIZER,),
    status: KMSAliasStatus | None = None,
    **spec: Any,
) -> AliasObject:
    """The KMSAlias shop/front for the name front; with placed_on it has been in sync for an hour."""
    known = KMSAliasStatus(**PLACE, placed_on=placed_on, conditions=settled_conditions(), observed_generation=1)
    return DependentObject(
        namespace="shop",
        name="front",
        uid=UID,
        generation=1,
        deleting=deleting,
        finalizers=finalizers,
        spec=KMSAliasSpec(alias_name="front", target_ref=TargetRef(name="one"), **spec),
        status=status or (known if placed_on else KMSAliasStatus()),
    )
