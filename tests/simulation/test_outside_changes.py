"""What somebody else does to a key in AWS, and what becomes of it."""

from dataclasses import replace

import pytest

from tests.simulation.etcd import Json
from tests.simulation.scenarios import FULL, OTHER_POLICY, REPLICATED
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

CHANGES: dict[str, tuple[str, Json]] = {
    "description": ("UpdateKeyDescription", {"Description": "mine now"}),
    "policy": ("PutKeyPolicy", {"Policy": OTHER_POLICY.replace("${AWS_ACCOUNT_ID}", "123456789012")}),
    "rotation off": ("DisableKeyRotation", {}),
    "rotation period": ("EnableKeyRotation", {"RotationPeriodInDays": 90}),
    "disabled": ("DisableKey", {}),
    "a tag removed": ("UntagResource", {"TagKeys": ["team"]}),
    "a tag changed": ("TagResource", {"Tags": [{"TagKey": "team", "TagValue": "thieves"}]}),
}


async def _made(world: World, **spec: object) -> None:
    world.start("a")
    world.apply("orders", **FULL, **spec)
    await world.ready("orders")
    await world.advance(5)


@pytest.mark.holds("F60", "F65")
@pytest.mark.parametrize("change", CHANGES)
async def test_drift_is_set_right_with_one_write_and_a_warning(change: str) -> None:
    async with World() as world:
        await _made(world)
        before = world.key("orders")
        operation, parameters = CHANGES[change]
        began = world.time
        world.outside(operation, KeyId=before.arn, **parameters)
        await world.advance(130)
        assert replace(world.key("orders"), rotates_from=before.rotates_from) == before  # a rotation that is set again begins anew
        assert sum(world.traffic.names("aws", began).values()) == 1
        warnings = [event for event in world.events if event["reason"] == "DriftCorrected"]
        assert [event["type"] for event in warnings] == ["Warning"]


@pytest.mark.holds("F65")
async def test_a_foreign_tag_is_left_alone() -> None:
    async with World() as world:
        await _made(world)
        began = world.time
        world.outside("TagResource", KeyId=world.key("orders").arn, Tags=[{"TagKey": "theirs", "TagValue": "x"}])
        await world.advance(130)
        world.apply("orders", **FULL | {"tags": {}})
        await world.ready("orders")
        assert world.key("orders").tags["theirs"] == "x"
        assert world.traffic.names("aws", began) == {"UntagResource": 1}


@pytest.mark.holds("F58")
async def test_a_scheduled_deletion_is_cancelled_and_the_key_enabled_once() -> None:
    async with World() as world:
        await _made(world)
        before = world.key("orders")
        began = world.time
        world.outside("ScheduleKeyDeletion", KeyId=before.arn, PendingWindowInDays=7)
        await world.advance(300)
        assert world.is_ready("orders")
        assert world.key("orders") == before
        assert world.traffic.names("aws", began) == {"CancelKeyDeletion": 1, "EnableKey": 1}
        assert any(event["type"] == "Warning" for event in world.events)


@pytest.mark.holds("F59")
async def test_a_key_that_is_gone_for_good_is_never_replaced() -> None:
    async with World() as world:
        await _made(world)
        world.kms.destroy(world.key("orders").arn)
        await world.reason("orders", "KeyLost", within=600)
        await world.advance(6 * 3600)
        assert len(world.kms.made) == 1
        world.delete("orders")
        await world.gone("orders")


@pytest.mark.holds("F60", "I5")
async def test_a_key_disabled_outside_stays_so_if_the_spec_says_so() -> None:
    async with World() as world:
        await _made(world, enabled=False)
        began = world.time
        world.outside("DisableKey", KeyId=world.key("orders").arn)
        await world.advance(300)
        assert world.traffic.names("aws", began) == {}


@pytest.mark.holds("F61")
@pytest.mark.parametrize("state", ["Creating", "Updating", "Unavailable", "PendingImport"])
async def test_states_that_refuse_writes_are_waited_for(state: str) -> None:
    async with World() as world:
        await _made(world)
        arn = world.key("orders").arn
        world.kms.edit(arn, state=state)
        began = world.time
        world.apply("orders", **FULL | {"enabled": False})
        await world.advance(300)
        assert world.traffic.names("aws", began) == {}
        world.kms.edit(arn, state="Enabled")
        await world.ready("orders")
        assert world.key("orders").state == "Disabled"


@pytest.mark.holds("F58", "F61")
async def test_a_key_that_waits_for_its_replicas_to_be_gone_is_kept_by_one_write_or_left_alone() -> None:
    async with World() as world:
        world.start("a")
        world.apply("kept", **REPLICATED)
        world.apply("told", **REPLICATED, driftPolicy="Report")
        await world.ready("kept", "told")
        for name in ("kept", "told"):
            world.outside("ScheduleKeyDeletion", KeyId=world.key(name).arn)
            assert world.key(name).state == "PendingReplicaDeletion"
        began, left_alone = world.time, world.key("told")
        world.apply("kept", **REPLICATED | {"description": "new"})
        await world.reason("told", "KeyPendingDeletion")
        await world.ready("kept")
        await world.advance(300)
        assert world.key("told") == left_alone
        assert world.traffic.names("aws", began) == {"CancelKeyDeletion": 1, "EnableKey": 1, "UpdateKeyDescription": 2}


@pytest.mark.holds("I6")
async def test_owner_tags_removed_outside_stop_everything_until_they_are_back() -> None:
    async with World() as world:
        await _made(world)
        key = world.key("orders")
        owner = [tag for tag in key.tags if tag.startswith("aws-infra-operator")]
        world.outside("UntagResource", KeyId=key.arn, TagKeys=owner)
        began = world.time
        world.apply("orders", **FULL | {"description": "new"})
        await world.reason("orders", "KeyNotOwned")
        world.delete("orders")
        await world.advance(600)
        assert world.traffic.names("aws", began) == {}
        world.outside("TagResource", KeyId=key.arn, Tags=[{"TagKey": tag, "TagValue": key.tags[tag]} for tag in owner])
        await world.gone("orders", within=400)
        assert [one.state for one in world.kms.keys] == ["PendingDeletion"]
