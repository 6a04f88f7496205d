"""Which key a name leads to, without ever describing an alias."""

from typing import Any

import pytest

from aws.adoption import named_key
from reconcilers.adoption_fields import Adoption
from reconcilers.states import Asked, Offered
from tests.aws.test_cluster_keys import connect
from tests.aws.test_search import Account, arn

TAGS = {"team": "shop"}


class Named(Account):
    """An account with aliases, three to a page."""

    def __init__(self, **keys: dict[str, str]) -> None:
        super().__init__(**keys)
        self.aliases: dict[str, str | None] = {}
        self.answers["ListAliases"] = lambda _, parameters: self._page(int(parameters.get("Marker", "0")))

    def _page(self, start: int) -> dict[str, Any]:
        listed = [{"AliasName": name} | ({"TargetKeyId": key} if key else {}) for name, key in self.aliases.items()]
        more = {"Truncated": True, "NextMarker": str(start + 3)} if start + 3 < len(listed) else {"Truncated": False}
        return {"Aliases": listed[start : start + 3], **more}


async def offer(aws: Named, **name: str) -> Offered:
    return await named_key(await connect(aws), Adoption.model_validate(name), Asked())


@pytest.mark.parametrize("name", [{"key_id": "k"}, {"arn": arn("k")}, {"alias": "orders"}, {"alias": "alias/orders"}])
async def test_every_name_leads_to_the_key_and_its_tags(name: dict[str, str]) -> None:
    aws = Named(k=TAGS)
    aws.aliases = dict.fromkeys([*(f"alias/other-{number}" for number in range(5)), "alias/orders"], "k")
    found = (await offer(aws, **name)).found
    assert found is not None
    assert (found.key_id, found.tags) == ("k", TAGS)
    assert not [asked for _, operation, asked in aws.asked if operation == "DescribeKey" and "alias" in asked["KeyId"]]


@pytest.mark.parametrize("name", [{"key_id": "none"}, {"arn": arn("none")}, {"alias": "none"}, {"alias": "unused"}])
async def test_what_leads_nowhere_is_no_key(name: dict[str, str]) -> None:
    aws = Named()
    aws.aliases = {"alias/unused": None}
    assert await offer(aws, **name) == Offered(None)


@pytest.mark.parametrize(("name", "manager", "is_replica"), [("aws", "AWS", False), ("replica", "CUSTOMER", True)])
async def test_of_a_key_that_cannot_be_adopted_only_that_is_read(name: str, manager: str, *, is_replica: bool) -> None:
    aws = Named(**{name: TAGS})
    offered = await offer(aws, key_id=name)
    assert offered.found is not None
    assert (offered.found.manager, offered.is_replica) == (manager, is_replica)
    assert "ListResourceTags" not in aws.operations()
