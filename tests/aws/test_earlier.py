"""The index of earlier keys: read now and then, added to, never believed."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from aws.credentials import Access
from aws.earlier import EarlierKeys
from aws.errors import RetryableError
from aws.key_index import DENIED_SECONDS, LAG_SECONDS
from aws.quotas import RateLimits
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from reconcilers.states import Asked
from tests.aws.test_search import DENIED, Account, arn

OURS = {CLUSTER_TAG: "cluster", OWNER_TAG: "shop/orders", UID_TAG: "old"}


class Indexed(Account):
    """An account whose tag index tells the tags too, as AWS's does."""

    def _resources(self, _: Access, __: Mapping[str, Any]) -> dict[str, Any]:
        self._refuse("GetResources")
        tags = {name: [{"Key": key, "Value": value} for key, value in self.keys.get(name, OURS).items()] for name in self.index}
        return {"ResourceTagMappingList": [{"ResourceARN": arn(name), "Tags": listed} for name, listed in tags.items()]}


class Paged(Indexed):
    """One whose index shows all keys, one on a page."""

    def _resources(self, access: Access, parameters: Mapping[str, Any]) -> dict[str, Any]:
        wanted = {one["Key"]: one["Values"][0] for one in parameters["TagFilters"]}
        names = [name for name, tags in self.keys.items() if tags.items() >= wanted.items()]
        at = int(parameters.get("PaginationToken", 0))
        self.index = names[at : at + 1]
        return super()._resources(access, parameters) | {"PaginationToken": str(at + 1) if at + 1 < len(names) else ""}


async def of(account: Account, earlier: EarlierKeys, owner: str = "shop/orders") -> list[str]:
    return [key.key_id for key in await earlier.of(await account.connection(), owner, Asked())]


async def test_the_index_is_read_and_then_costs_a_new_name_no_call() -> None:
    account, earlier = Indexed(mine=OURS), EarlierKeys("cluster")
    account.index = ["mine"]
    assert await of(account, earlier) == ["mine"]
    asked = len(account.asked)
    assert await of(account, earlier, "shop/invoices") == []
    assert account.operations()[asked:] == ["GetCallerIdentity"]  # of the connection that the test makes anew


async def test_a_key_that_was_made_since_is_known_without_the_index() -> None:
    account, earlier = Indexed(), EarlierKeys("cluster")
    assert await of(account, earlier) == []
    account.keys["mine"] = OURS
    earlier.remember(await account.connection(), "shop/orders", arn("mine"))
    assert await of(account, earlier) == ["mine"]


async def test_keys_that_the_index_does_not_show_yet_are_looked_at() -> None:
    account, earlier = Indexed(mine=OURS, stranger={}, hidden={}), EarlierKeys("cluster")
    account.refused = {"hidden": DENIED}
    assert await of(account, earlier) == ["mine"]


async def test_without_the_right_to_list_keys_the_index_alone_counts() -> None:
    account, earlier = Indexed(mine=OURS, late=OURS), EarlierKeys("cluster")
    account.index, account.refused = ["mine"], {"ListKeys": DENIED}
    assert await of(account, earlier) == ["mine"]


@pytest.mark.parametrize("code", [DENIED, "InternalServiceException"])
async def test_without_the_index_the_list_of_keys_will_do(code: str) -> None:
    account, earlier = Indexed(mine=OURS), EarlierKeys("cluster")
    account.refused = {"GetResources": code}
    assert await of(account, earlier) == ["mine"]


async def test_keys_that_are_gone_replicas_and_awss_own_are_left_out() -> None:
    account, earlier = Indexed(mine=OURS, replica=OURS, aws=OURS), EarlierKeys("cluster")
    account.index = ["gone", "mine", "replica", "aws"]
    assert await of(account, earlier) == ["mine"]


@pytest.mark.virtual_time
async def test_without_the_permission_nothing_comes_back_until_it_is_given() -> None:
    account, earlier = Indexed(mine=OURS), EarlierKeys("cluster")
    account.index, account.refused = ["mine"], {"GetResources": DENIED, "ListKeys": DENIED}
    assert await of(account, earlier) == []
    account.refused = {}
    assert await of(account, earlier) == []
    await asyncio.sleep(DENIED_SECONDS)
    assert await of(account, earlier) == ["mine"]


async def test_a_failure_that_passes_is_raised_because_no_index_is_not_an_empty_one() -> None:
    account, earlier = Indexed(mine=OURS), EarlierKeys("cluster")
    account.index, account.refused = ["mine"], {"GetResources": "ThrottledException"}
    with pytest.raises(RetryableError):
        await of(account, earlier)
    account.refused = {}
    assert await of(account, earlier) == ["mine"]


@pytest.mark.virtual_time
@pytest.mark.parametrize("code", [DENIED, "ThrottledException", "InternalServiceException"])
async def test_when_it_is_read_again_and_cannot_be_every_key_is_looked_at(code: str) -> None:
    account, earlier = Indexed(), EarlierKeys("cluster")
    assert await of(account, earlier) == []
    account.keys["mine"], account.refused = OURS, {"GetResources": code}
    await asyncio.sleep(LAG_SECONDS)
    assert await of(account, earlier) == ["mine"]


@pytest.mark.virtual_time
async def test_without_the_index_a_key_that_hides_its_tags_is_looked_at_again() -> None:
    account, earlier = Indexed(mine=OURS), EarlierKeys("cluster")
    account.refused = {"GetResources": DENIED, "mine": DENIED}
    for _ in range(3):
        assert await of(account, earlier) == []
        await asyncio.sleep(DENIED_SECONDS)
    account.refused = {"GetResources": DENIED}
    assert await of(account, earlier) == ["mine"]


async def test_without_the_index_there_are_never_too_many_keys_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aws.earlier.MOST_SCANNED", 1)
    account, earlier = Indexed(first={}, second={}, mine=OURS), EarlierKeys("cluster")
    assert await of(account, earlier) == []
    account.refused = {"GetResources": DENIED}
    assert await of(account, EarlierKeys("cluster")) == ["mine"]


@pytest.mark.virtual_time
async def test_while_a_large_index_is_read_again_an_object_asks_for_its_own_name() -> None:
    account, earlier = Paged(**{f"other-{number}": OURS | {OWNER_TAG: f"shop/{number}"} for number in range(9)}), EarlierKeys("cluster")
    connection = await account.connection(RateLimits(per_operation={"GetResources": 1}))
    assert await earlier.of(connection, "shop/orders", Asked()) == ()
    account.keys["mine"] = OURS
    await asyncio.sleep(LAG_SECONDS)
    asked, began = len(account.asked), asyncio.get_running_loop().time()
    for _ in range(2):
        assert [key.key_id for key in await earlier.of(connection, "shop/orders", Asked())] == ["mine"]
        assert await earlier.of(connection, "shop/invoices", Asked()) == ()
    assert asyncio.get_running_loop().time() - began < 9
    await asyncio.sleep(60)
    assert account.operations()[asked:].count("GetResources") == 4 + 10
    assert [key.key_id for key in await earlier.of(connection, "shop/orders", Asked())] == ["mine"]
    assert account.operations()[asked:].count("GetResources") == 4 + 10
