from collections.abc import Mapping
from typing import Any

import pytest

from aws.clients import Clients, Connection
from aws.cluster_keys import READERS, cluster_keys
from aws.credentials import Access, AccessRequest
from aws.errors import BlockedError, RetryableError
from reconcilers.names import CLUSTER_TAG
from tests.aws.test_search import Account
from tests.aws.worlds import terms

OURS = {CLUSTER_TAG: "cluster", "team": "x"}
DENIED = "AccessDeniedException"


class Indexed(Account):
    """Its tag index shows tags too, and only the keys that are in it."""

    def __init__(self, **keys: dict[str, str]) -> None:
        super().__init__(**keys)
        self.index = list(keys)
        plain = self.answers["GetResources"]
        self.answers["GetResources"] = lambda access, parameters: {
            "ResourceTagMappingList": [
                {**one, "Tags": [{"Key": key, "Value": value} for key, value in self.keys[one["ResourceARN"].rpartition("/")[2]].items()]}
                for one in plain(access, parameters)["ResourceTagMappingList"]
            ]
        }


async def connect(aws: Account) -> Connection:
    return await Clients(terms(aws.open), 1.0).connect(AccessRequest("ns/p", "eu-central-1"))


async def names(aws: Account) -> list[str]:
    return [key.key_id for key in await cluster_keys(await connect(aws), "cluster")]


async def test_the_index_shows_the_keys_and_their_tags() -> None:
    aws = Indexed(b=OURS, a=OURS)
    found = await cluster_keys(await connect(aws), "cluster")
    assert [(key.key_id, key.tags) for key in found] == [("a", OURS), ("b", OURS)]
    assert "ListKeys" not in aws.operations()
    assert "ListResourceTags" not in aws.operations()


async def test_the_index_is_asked_for_the_tag_of_the_cluster() -> None:
    aws = Indexed()
    await names(aws)
    (asked,) = (parameters for _, operation, parameters in aws.asked if operation == "GetResources")
    assert asked["TagFilters"] == [{"Key": CLUSTER_TAG, "Values": ["cluster"]}]


@pytest.mark.parametrize("code", [DENIED, "InvalidParameterException", "UnknownOperationException", "InternalFailure"])
async def test_without_the_index_every_key_is_looked_at(code: str) -> None:
    aws = Indexed(ours=OURS, theirs={CLUSTER_TAG: "another"}, untagged={}, hidden=OURS)
    aws.refused = {"GetResources": code, "hidden": DENIED}
    assert await names(aws) == ["ours"]


async def test_more_keys_than_readers_are_all_looked_at() -> None:
    aws = Indexed(**{f"k{number}": OURS for number in range(3 * READERS)})
    aws.refused = {"GetResources": DENIED}
    assert len(await names(aws)) == 3 * READERS


async def test_when_neither_way_is_allowed_that_is_an_error() -> None:
    aws = Indexed(ours=OURS)
    aws.refused = {"GetResources": DENIED, "ListKeys": DENIED}
    with pytest.raises(BlockedError):
        await names(aws)


async def test_an_index_that_others_use_up_is_an_error_and_no_reason_to_scan() -> None:
    aws = Indexed(ours=OURS)
    aws.refused = {"GetResources": "ThrottlingException"}
    with pytest.raises(RetryableError):
        await names(aws)
    assert "ListKeys" not in aws.operations()


async def test_a_key_that_is_gone_and_one_of_awss_own_are_left_out() -> None:
    aws = Indexed(ours=OURS, aws=OURS, gone=OURS)
    index = aws.answers["GetResources"]

    def and_then_it_goes(access: Access, parameters: Mapping[str, Any]) -> dict[str, Any]:
        answer = index(access, parameters)
        del aws.keys["gone"]
        return answer

    aws.answers["GetResources"] = and_then_it_goes
    assert await names(aws) == ["ours"]


async def test_a_replica_is_a_key_that_costs_too() -> None:
    assert await names(Indexed(replica=OURS)) == ["replica"]
