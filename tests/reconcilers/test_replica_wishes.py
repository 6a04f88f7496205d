from collections.abc import Mapping
from dataclasses import replace

import pytest

from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus, ReplicaStatus
from reconcilers.replica_fields import ReplicaSpec
from reconcilers.replica_wishes import asked_of_replica, asked_of_replicas, replica_window, wanted_replicas
from reconcilers.states import Account, Asked, Wanted
from reconcilers.wanted import asked, wanted_key
from tests.reconcilers.builders import OWNER_TAGS, account, key, operator

EU = "eu-west-1"
AWAY: Account = replace(account({"stage": "prod"}), default_replica_regions=("us-east-1", EU, "ap-south-1"))
FULL = KMSKeySpec(
    multi_region=True,
    description="Orders",
    key_policy='{"Id": "${AWS_ACCOUNT_ID}"}',
    tags={"team": "shop"},
    aliases=("orders",),
    enable_key_rotation=True,
    enabled=False,
)


def wanted(spec: KMSKeySpec, where: Account = AWAY) -> Mapping[str, Wanted]:
    return wanted_key(key(spec), where, operator()).replicas


def changed(spec: KMSKeySpec, **fields: object) -> KMSKeySpec:
    return spec.model_copy(update=fields)


@pytest.mark.parametrize(
    ("spec", "regions"),
    [
        (KMSKeySpec(), set()),
        (KMSKeySpec(multi_region=True), {EU, "ap-south-1"}),  # without the provider's own
        (KMSKeySpec(multi_region=True, replicas=()), set()),
        (KMSKeySpec(multi_region=True, replicas=(ReplicaSpec(region="us-west-2"),)), {"us-west-2"}),
        (KMSKeySpec(replicas=(ReplicaSpec(region="us-west-2"),)), set()),
    ],
)
def test_the_spec_says_where_and_only_if_it_is_unset_the_provider(spec: KMSKeySpec, regions: set[str]) -> None:
    assert wanted(spec).keys() == regions


def test_what_a_replica_leaves_unset_is_as_it_is_for_the_key_but_rotation() -> None:
    primary = wanted_key(key(FULL), AWAY, operator())
    (replica,) = wanted(changed(FULL, replicas=(ReplicaSpec(region=EU),))).values()
    assert replica == replace(primary, region=EU, rotation_enabled=False, replicas={})
    assert replica.policy == '{"Id": "123456789012"}'


def test_what_a_replica_says_is_its_own() -> None:
    own = ReplicaSpec(region=EU, description="", key_policy='{"Id": "eu"}', tags={"team": "eu"}, aliases=(), enabled=True)
    (replica,) = wanted(changed(FULL, replicas=(own,))).values()
    assert (replica.description, replica.policy, replica.aliases, replica.enabled) == ("", '{"Id": "eu"}', frozenset(), True)
    assert replica.tags == {"stage": "prod", "team": "eu", **OWNER_TAGS}


def test_an_object_without_replicas_asks_for_none() -> None:
    assert asked(key(KMSKeySpec(replicas=(ReplicaSpec(region=EU),)))).replicas == {}
    assert asked_of_replicas(key(FULL)) == {}


def test_declared_and_remembered_replicas_are_looked_at_with_what_is_managed_there() -> None:
    status = KMSKeyStatus(replicas=(ReplicaStatus(region="ap-south-1", aliases=("alias/old",)),))
    spec = changed(FULL, replicas=(ReplicaSpec(region=EU, aliases=("europe",)),))
    assert asked_of_replicas(key(spec, status)) == {
        EU: Asked(policy=True, aliases=frozenset({"alias/europe"})),
        "ap-south-1": Asked(policy=True, aliases=frozenset({"alias/orders", "alias/old"})),
    }
    assert asked_of_replica(key(), None, None) == Asked()


@pytest.mark.parametrize(
    ("own", "keys", "days"),
    [(9, 12, 9), (None, 12, 12), (None, None, None)],
)
def test_a_replica_s_window_is_its_own_else_the_key_s(own: int | None, keys: int | None, days: int | None) -> None:
    spec = changed(FULL, pending_window_in_days=keys, replicas=(ReplicaSpec(region=EU, pending_window_in_days=own),))
    assert replica_window(key(spec), EU) == days


def test_wanted_replicas_is_what_wanted_key_has() -> None:
    primary = wanted_key(key(FULL), AWAY, operator())
    assert wanted_replicas(key(FULL), AWAY, replace(primary, replicas={}), operator()) == primary.replicas
