import json
from typing import Any

import pytest

from controller.kube import Unavailable
from controller.orphans_command import Report, survey
from reconcilers.names import UID_TAG
from reconcilers.orphans import PRICE
from tests.controller.clouds import (
    ACCOUNT,
    DENIED,
    REGION,
    SmallAws,
    SmallCluster,
    SmallKey,
    key_arn,
    kubernetes,
    looking,
    owner_tags,
)

PROVIDER = kubernetes("AWSProvider", "main", {"region": REGION})


async def look(cluster: SmallCluster, aws: SmallAws) -> Report:
    async with looking(cluster, aws) as clouds:
        return await survey(clouds, allow_custom_endpoints=False)


def ids(report: Report) -> list[str]:
    return [orphan.key.key_id for orphan in report.orphans]


def account(*names: str, **more: Any) -> SmallAws:
    """An account with a key for each object of these names, named as the object."""
    return SmallAws(keys={name: SmallKey(owner_tags(name)) for name in names}, **more)


async def test_keys_without_an_object_are_found() -> None:
    report = await look(SmallCluster(PROVIDER, kubernetes("KMSKey", "kept", {})), account("kept", "lost"))
    assert (ids(report), report.exit_code) == (["lost"], 2)
    assert report.orphans[0].owner == "shop/lost"


async def test_when_every_key_is_owned_all_is_well() -> None:
    report = await look(SmallCluster(PROVIDER, kubernetes("KMSKey", "kept", {}, namespace="other")), account("kept"))
    assert (report.orphans, report.problems, report.exit_code) == ((), (), 0)
    assert report.as_table() == "No orphaned keys."


async def test_an_object_that_remembers_the_key_owns_it_whatever_the_tag_says() -> None:
    restored = kubernetes("KMSKey", "restored", {}, uid="another", status={"keyId": "restored"})
    assert ids(await look(SmallCluster(PROVIDER, restored), account("restored"))) == []


async def test_keys_of_other_clusters_and_of_nobody_are_none_of_ours() -> None:
    aws = SmallAws(keys={"theirs": SmallKey(owner_tags("a", cluster="another")), "untagged": SmallKey({"team": "x"})})
    assert ids(await look(SmallCluster(PROVIDER), aws)) == []


async def test_a_place_is_looked_at_once_however_many_providers_lead_there() -> None:
    cluster = SmallCluster(PROVIDER, kubernetes("AWSProvider", "second", {"region": REGION}, namespace="other"))
    aws = account("lost")
    assert ids(await look(cluster, aws)) == ["lost"]
    assert aws.operations().count("GetResources") == 1


async def test_each_region_is_a_place_of_its_own() -> None:
    cluster = SmallCluster(PROVIDER, kubernetes("AWSProvider", "second", {"region": "us-east-1"}))
    aws = account("lost")
    await look(cluster, aws)
    assert aws.operations().count("GetResources") == 2


async def test_the_objects_are_read_after_the_keys() -> None:
    cluster, aws = SmallCluster(PROVIDER), account("new")
    made = kubernetes("KMSKey", "new", {})

    def index_and_then_an_object(*_: object) -> dict[str, Any]:
        cluster.objects[f"/apis/{made['apiVersion']}/namespaces/shop/kmskeys/new"] = made
        return {"ResourceTagMappingList": [{"ResourceARN": key_arn("new"), "Tags": []}]}

    aws.answers["GetResources"] = index_and_then_an_object
    assert ids(await look(cluster, aws)) == ["new"]  # without tags the object is not to be known
    aws.keys["new"] = SmallKey(owner_tags("new"))
    aws.answers["GetResources"] = lambda *_: {
        "ResourceTagMappingList": [{"ResourceARN": key_arn("new"), "Tags": [{"Key": UID_TAG, "Value": "uid of new"}]}]
    }
    assert ids(await look(cluster, aws)) == []


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ({"region": REGION, "credentialsSecret": {"name": "absent"}}, "There is no Secret absent in the namespace shop"),
        ({"region": REGION, "endpoint": "http://127.0.0.1:1"}, "spec.endpoint is set, which this operator does not allow"),
        ({"region": REGION, "accountID": "999999999999"}, "spec.accountID is 999999999999"),
    ],
)
async def test_a_provider_that_leads_nowhere_is_a_problem_and_the_others_are_looked_at(provider: dict[str, Any], words: str) -> None:
    cluster = SmallCluster(kubernetes("AWSProvider", "broken", provider), PROVIDER)
    report = await look(cluster, account("lost"))
    assert (ids(report), report.exit_code) == (["lost"], 1)
    (problem,) = report.problems
    assert problem.startswith("AWSProvider shop/broken: ")
    assert words in problem


async def test_sts_out_of_order_is_a_problem() -> None:
    report = await look(SmallCluster(PROVIDER), account(refused={"GetCallerIdentity": "ThrottlingException"}))
    (problem,) = report.problems
    assert problem.startswith("AWSProvider shop/main: GetCallerIdentity failed with ThrottlingException")


async def test_a_place_that_may_not_be_searched_is_a_problem() -> None:
    report = await look(SmallCluster(PROVIDER), account("lost", refused={"GetResources": DENIED, "ListKeys": DENIED}))
    (problem,) = report.problems
    assert problem.startswith(f"The keys of account {ACCOUNT}, region {REGION} cannot be listed: ListKeys failed with {DENIED}")
    assert "Allow kms:ListKeys" in problem
    assert report.exit_code == 1


async def test_a_cluster_that_cannot_be_reached_is_an_error() -> None:
    cluster = SmallCluster()
    cluster.down = True
    with pytest.raises(Unavailable):
        await look(cluster, SmallAws())


async def test_a_table_tells_what_an_orphan_is_and_what_all_cost() -> None:
    aws = account("a", "b")
    aws.keys["b"].state = "PendingDeletion"
    heading, first, second, _, total = (await look(SmallCluster(PROVIDER), aws)).as_table().splitlines()
    assert heading.split() == ["KEY", "ID", "REGION", "ACCOUNT", "OWNER", "STATE", "CREATED", "DELETED", "USD/MONTH"]
    assert first.split() == ["a", REGION, ACCOUNT, "shop/a", "Enabled", "2026-01-01", "-", "1"]
    assert second.split() == ["b", REGION, ACCOUNT, "shop/b", "PendingDeletion", "2026-01-01", "2026-01-31", "0"]
    assert total == f"2 orphaned keys, 1 USD a month. {PRICE}"


async def test_json_tells_the_same() -> None:
    told = json.loads((await look(SmallCluster(PROVIDER), account("a"))).as_json())
    assert told == {
        "orphans": [
            {
                "keyId": "a",
                "keyArn": key_arn("a"),
                "region": REGION,
                "accountId": ACCOUNT,
                "owner": "shop/a",
                "uid": "uid of a",
                "keyState": "Enabled",
                "creationDate": "2026-01-01T12:00:00+00:00",
                "deletionDate": None,
                "monthlyUSD": 1,
            }
        ],
        "totalMonthlyUSD": 1,
        "price": PRICE,
        "problems": [],
    }


async def test_problems_are_told_in_the_table_too() -> None:
    report = await look(SmallCluster(PROVIDER), account(refused={"GetResources": DENIED, "ListKeys": DENIED}))
    first, second = report.as_table().splitlines()
    assert first == "No orphaned keys."
    assert second.startswith("Problem: The keys of account")
