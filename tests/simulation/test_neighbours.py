"""What is beside each other and has nothing to do with each other: clusters in one account, sound objects and one that always fails."""

from datetime import timedelta
from itertools import pairwise

import pytest

from controller.key_pass import KeyPass
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from tests.simulation import aws_wires
from tests.simulation.scenarios import FULL
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time


@pytest.mark.holds("F68")
async def test_a_key_of_another_cluster_s_object_of_the_same_name_is_not_touched() -> None:
    async with World() as world:
        theirs = [(CLUSTER_TAG, "another-cluster"), (OWNER_TAG, "shop/orders"), (UID_TAG, "11111111-2222-4333-8444-555555555555")]
        foreign = world.outside("CreateKey", Tags=[{"TagKey": name, "TagValue": value} for name, value in theirs])["KeyMetadata"]
        before = world.kms.keys[0]
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        assert world.key("orders").key_id != foreign["KeyId"]
        world.delete("orders")
        await world.gone("orders")
        await world.advance(300)
        assert next(key for key in world.kms.keys if key.key_id == foreign["KeyId"]) == before


@pytest.mark.holds("F68")
async def test_two_operators_of_two_clusters_share_an_account_and_neither_touches_the_other_s_keys() -> None:
    """Both have objects of the same names, and live through the same: drift, a lost answer, a restart, a deletion, a return."""
    async with World() as ours, World(seed=1, aws=ours.aws) as theirs:
        for world in (ours, theirs):
            world.start("a")
            world.apply("orders", **FULL)
            world.traffic.faults.on(aws_wires.lost_answer("CreateKey"))
        await ours.ready("orders")
        await theirs.ready("orders")
        keys = {world: world.key("orders") for world in (ours, theirs)}
        assert len({key.tags[CLUSTER_TAG] for key in keys.values()}) == 2
        for world, other in ((ours, theirs), (theirs, ours)):
            left_alone, key = other.key("orders"), world.key("orders")
            world.outside("DisableKey", KeyId=key.arn)
            world.apply("orders", **FULL | {"description": "new", "tags": {"a": "b"}})
            await world.ready("orders")
            world.replicas["a"].kill()
            world.start("b")
            world.delete("orders")
            await world.gone("orders")
            world.apply("orders", **FULL)
            await world.ready("orders")
            assert world.key("orders").key_id == key.key_id
            assert other.key("orders") == left_alone
            written = {call.subject.rpartition("/")[2] for call in world.traffic.executed("aws") if call.name != "CreateKey"}
            assert written == {key.key_id}
        assert len(ours.kms.made) == 2


@pytest.mark.holds("F69")
async def test_one_object_of_which_every_pass_fails_is_tried_each_five_minutes_and_no_other_is_delayed(
    monkeypatch: pytest.MonkeyPatch, logs: list[dict[str, object]]
) -> None:
    tried, sound = list[float](), KeyPass.run

    async def run(one: KeyPass) -> timedelta | None:
        if one.own.key.name == "bad":
            tried.append(world.time)
            raise ValueError("a bug")
        return await sound(one)

    monkeypatch.setattr(KeyPass, "run", run)
    async with World() as world:
        world.start("a", workers=1, resync_interval=timedelta(hours=1))
        names = [f"key-{number}" for number in range(20)]
        for name in ("bad", *names):
            world.apply(name)
        await world.ready(*names, within=30)
        await world.advance(3600)
        for name in names[:5]:
            world.apply(name, description="new")
            await world.ready(name, within=3)
        pauses = [later - earlier for earlier, later in pairwise(tried)]
        assert max(pauses) <= 301
        assert min(pauses[10:]) >= 299
        assert world.find("bad") is not None
    bugs = [line for line in logs if line["event"] == "reconcile_panicked"]
    assert len(bugs) == len(tried)
    logs[:] = [line for line in logs if line not in bugs]  # they were meant
