"""From an object to its key: what is called, how often, and what the user then sees."""

import pytest

from tests.simulation.kms_model import late
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::${AWS_ACCOUNT_ID}:root"},'
    ' "Action": "kms:*", "Resource": "*"}]}'
)


async def test_a_new_key_takes_two_writes_to_aws_and_no_read() -> None:
    async with World() as world:
        world.start("a")
        world.apply("first")
        await world.ready("first")  # the first key of a process lets it read once which keys there are
        began = world.time
        world.apply(
            "orders", description="Orders", enableKeyRotation=True, keyPolicy=POLICY, tags={"team": "shop", "stage": "prod", "x": "1"}
        )
        await world.ready("orders")
        assert world.traffic.names("aws", began) == {"CreateKey": 1, "EnableKeyRotation": 1}
        assert world.traffic.names("aws", began, writes=False) == {}
        patches = world.traffic.names("kube", began)
        assert patches["PATCH kmskeys"] + patches["PATCH kmskeys/status"] <= 4


@pytest.mark.holds("F52")
@pytest.mark.parametrize("policy", ["ScheduleKeyDeletion", "Retain", "DisableKey"])
@pytest.mark.parametrize("process", ["the same process", "another process"])
async def test_an_object_deleted_and_applied_again_gets_its_key_back(policy: str, process: str) -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", deletionPolicy=policy)
        await world.ready("orders")
        before = world.key("orders")
        world.delete("orders")
        await world.gone("orders")
        if process == "another process":
            world.replicas["a"].kill()
            world.start("b")
        world.apply("orders", deletionPolicy=policy)
        await world.ready("orders")
        assert world.key("orders").key_id == before.key_id
        assert [key.state for key in world.kms.keys] == ["Enabled"]


@pytest.mark.holds("F52", "F33")
async def test_a_key_comes_back_to_another_process_though_the_tag_index_is_late() -> None:
    async with World() as world:
        world.start("a")
        world.kms.lags["GetResources"] = late(600)
        world.apply("orders", deletionPolicy="Retain")
        await world.ready("orders")
        world.delete("orders")
        await world.gone("orders")
        world.replicas["a"].kill()
        world.start("b")
        world.apply("orders", deletionPolicy="Retain")
        await world.ready("orders")
        assert len(world.kms.made) == 1
