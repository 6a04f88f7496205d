"""Replicas on a real API server and an emulated AWS: what admission says, and a key's whole life in two regions.

moto drops the tags of ReplicateKey and keeps the primary's policy, which the next passes set right: so they show that replicas are kept.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kubectl import KubectlError
from tests.cluster.operator_process import Operator
from tests.cluster.processes import wait_until
from tests.cluster.tenant import SOON_SECONDS, Object, Tenant

EU = "eu-west-1"
BAD: list[tuple[str, Object, str]] = [
    ("without multiRegion", {"replicas": [{"region": EU}]}, "only a multi-Region key has replicas: write multiRegion: true"),
    ("no region", {"multiRegion": True, "replicas": [{"region": "Europe"}]}, "write a region, such as eu-west-1"),
    ("twice", {"multiRegion": True, "replicas": [{"region": EU}, {"region": EU}]}, "Duplicate value"),
    ("17", {"multiRegion": True, "replicas": [{"region": f"eu-west-{n}"} for n in range(17)]}, "must have at most 16 items"),
    ("window 6", {"multiRegion": True, "replicas": [{"region": EU, "pendingWindowInDays": 6}]}, "greater than or equal to 7"),
]


@pytest.fixture
def tenant(operator: Operator, cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    assert operator
    user = Tenant(cluster, namespace)
    yield user
    user.leave()


@pytest.mark.parametrize(("spec", "words"), [pytest.param(spec, words, id=name) for name, spec, words in BAD])
def test_what_cannot_be_a_replica_is_refused_with_what_to_write(cluster: Cluster, namespace: str, spec: Object, words: str) -> None:
    with pytest.raises(KubectlError) as refused:
        Tenant(cluster, namespace).declare("bad", **spec)
    assert words in str(refused.value)


def test_a_key_lives_in_two_regions_and_leaves_both(tenant: Tenant, cluster: Cluster) -> None:
    tenant.provide(defaultReplicaRegions=[EU])
    alias, there = f"alias/{tenant.namespace}/a", cluster.boto("kms", EU)
    tenant.declare("k", multiRegion=True, aliases=[alias], tags={"team": "shop"})
    key_id = tenant.until_settled("k", 2 * SOON_SECONDS)["keyId"]

    def in_eu() -> Any:
        return there.describe_key(KeyId=key_id)["KeyMetadata"]

    (shown,) = tenant.get("k")["status"]["replicas"]
    assert (shown["region"], shown["keyState"], shown["ready"]) == (EU, "Enabled", True)
    assert shown["arn"] == in_eu()["Arn"]
    team = {"TagKey": "team", "TagValue": "shop"}
    wait_until(lambda: team in there.list_resource_tags(KeyId=key_id)["Tags"], SOON_SECONDS, "the replica's tags")
    assert [one["AliasName"] for one in there.list_aliases(KeyId=key_id)["Aliases"]] == [alias]
    there.disable_key(KeyId=key_id)
    wait_until(lambda: in_eu()["KeyState"] == "Enabled", SOON_SECONDS, "the replica to be enabled again")
    tenant.change("k", {"replicas": [{"region": EU, "description": "Europe", "enabled": False}]})
    wait_until(lambda: (in_eu()["Description"], in_eu()["KeyState"]) == ("Europe", "Disabled"), SOON_SECONDS, "the replica's own wishes")
    assert tenant.described(key_id)["KeyState"] == "Enabled"
    tenant.until_settled("k")
    tenant.delete("k")
    assert in_eu()["KeyState"] == "PendingDeletion"
    assert tenant.described(key_id)["KeyState"] in ("PendingDeletion", "PendingReplicaDeletion")  # moto knows only the first
    assert there.list_aliases(KeyId=key_id)["Aliases"] == []


def test_a_replica_in_the_provider_s_own_region_is_refused_in_words(tenant: Tenant) -> None:
    tenant.provide()
    tenant.declare("k", multiRegion=True, replicas=[{"region": "us-east-1"}])
    assert "the provider's own region" in tenant.until_ready("InvalidSpec", "k")["message"]
    assert json.dumps(tenant.get("k")["status"]).count("keyId") == 0
