"""Aliases on a real API server and an emulated AWS: what admission says, and what becomes of them in AWS."""

from typing import Any

import pytest

from tests.cluster.admission import stored
from tests.cluster.api import RefusedError
from tests.cluster.cluster import Cluster
from tests.cluster.processes import wait_until
from tests.cluster.tenant import SOON_SECONDS, Tenant, condition

GOOD: list[tuple[str, list[Any]]] = [
    ("none", []),
    ("with alias/", ["alias/shop/Orders_2-x"]),
    ("the longest", ["x" * 250, "alias/" + "y" * 250]),
    ("almost AWS's", ["awsome", "alias/aws", "alias/AWS/x"]),
    ("50 of the longest", [f"{number:03}" + "x" * 247 for number in range(50)]),
]
BAD: list[tuple[str, Any, str]] = [
    ("AWS's own without alias/", ["aws/s3"], "belong to AWS: choose another name"),
    ("257 with alias/ in front", ["x" * 251], "an alias has 1 to 256 characters"),
    ("nothing", [""], "an alias takes letters, digits, /, _ and - only"),
    ("nothing after alias/", ["alias/"], "an alias has 1 to 256 characters"),
    ("twice", ["a", "a"], "Duplicate value"),
    ("twice in two ways", ["a", "alias/a"], "in the list twice, with and without alias/"),
    ("51", [str(number) for number in range(51)], "must have at most 50 items"),
    ("a number", [7], "must be of type string"),
    ("no list", "orders", "must be of type array"),
]


@pytest.mark.parametrize("aliases", [pytest.param(aliases, id=name) for name, aliases in GOOD])
def test_an_alias_is_taken_as_it_is_written(cluster: Cluster, aliases: list[str]) -> None:
    assert stored(cluster, "KMSKey", {"aliases": aliases}) == {"aliases": aliases}


@pytest.mark.parametrize(("aliases", "words"), [pytest.param(aliases, words, id=name) for name, aliases, words in BAD])
def test_what_cannot_be_an_alias_is_refused_with_what_to_write(cluster: Cluster, aliases: Any, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        stored(cluster, "KMSKey", {"aliases": aliases})
    assert words in str(refused.value)


def aliases(tenant: Tenant, name: str = "k") -> set[str]:
    """The aliases that AWS has for an object's key."""
    return {alias["AliasName"] for alias in tenant.kms.list_aliases(KeyId=tenant.key_id(name))["Aliases"]}


def test_aliases_come_change_are_repaired_and_go_with_the_spec(tenant: Tenant) -> None:
    prefix = tenant.namespace
    tenant.declare("k", aliases=[f"{prefix}/a", f"alias/{prefix}/b"])
    assert tenant.until_settled("k")["aliases"] == [f"alias/{prefix}/a", f"alias/{prefix}/b"]
    assert aliases(tenant) == {f"alias/{prefix}/a", f"alias/{prefix}/b"}
    assert f"alias/{prefix}/a" in tenant.kubectl("get", "kmskey", "k", "-o", "wide")
    tenant.kms.create_alias(AliasName=f"alias/{prefix}/theirs", TargetKeyId=tenant.key_id("k"))
    tenant.change("k", {"aliases": [f"{prefix}/c"]})
    tenant.until_settled("k")
    assert aliases(tenant) == {f"alias/{prefix}/c", f"alias/{prefix}/theirs"}
    tenant.kms.delete_alias(AliasName=f"alias/{prefix}/c")
    wait_until(lambda: f"alias/{prefix}/c" in aliases(tenant), SOON_SECONDS, "the alias to be made again")
    tenant.change("k", {"aliases": None})
    assert "aliases" not in tenant.until_settled("k")
    assert aliases(tenant) == {f"alias/{prefix}/theirs"}


def test_an_alias_is_never_taken_from_another_key_and_is_freed_with_its_own(tenant: Tenant) -> None:
    alias = f"alias/{tenant.namespace}/a"
    tenant.declare("k", aliases=[alias])
    first = tenant.until_settled("k")
    tenant.declare("later", aliases=[alias])
    assert first["keyArn"] in tenant.until_ready("AliasConflict", "later")["message"]
    assert condition(tenant.get("later"), "Stalled")["status"] == "True"
    assert (aliases(tenant), aliases(tenant, "later")) == ({alias}, set())
    tenant.delete("k")
    tenant.change("later", {"description": "look again"})
    assert tenant.until_settled("later")["aliases"] == [alias]
    assert aliases(tenant, "later") == {alias}
