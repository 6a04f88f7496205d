import pytest

from aws.credentials import AccessRequest
from aws.errors import FencedError
from controller.key_objects import KMSKEYS
from controller.kube import NotFound
from tests.controller.clouds import ACCOUNT, CLUSTER_ID, REGION, SmallAws, SmallCluster, SmallKey, looking


async def test_no_write_to_aws_starts() -> None:
    aws = SmallAws(keys={"k": SmallKey({})})
    async with looking(None, aws) as clouds:
        connection = await clouds.clients.connect(AccessRequest("ns/p", REGION))
        assert connection.account_id == ACCOUNT
        for operation in ("CreateKey", "TagResource", "ScheduleKeyDeletion"):
            with pytest.raises(FencedError):
                await connection.call("kms", operation, {"KeyId": "k"})
        assert await connection.call("kms", "DescribeKey", {"KeyId": "k"})
    assert aws.operations() == ["GetCallerIdentity", "DescribeKey"]


async def test_a_write_to_kubernetes_is_a_dry_run() -> None:
    cluster = SmallCluster()
    async with looking(cluster, SmallAws()) as clouds:
        await clouds.kube.post(KMSKEYS.path("shop"), {})
    (judged,) = cluster.judged
    assert judged.query["dryRun"] == "All"


async def test_the_cluster_has_an_id() -> None:
    async with looking(SmallCluster(), SmallAws()) as clouds:
        assert await clouds.cluster_id() == CLUSTER_ID
    async with looking(None, SmallAws()) as clouds:
        with pytest.raises(NotFound):
            await clouds.cluster_id()


async def test_everything_is_closed_with_the_block() -> None:
    aws = SmallAws()
    async with looking(None, aws) as clouds:
        await clouds.clients.connect(AccessRequest("ns/p", REGION))
        assert aws.open_wires
    assert not aws.open_wires
