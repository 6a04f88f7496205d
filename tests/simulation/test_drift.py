"""Drift through the whole controller, where it is only told or not looked at."""

import pytest

from tests.simulation.etcd import Json
from tests.simulation.kms_model import late
from tests.simulation.scenarios import FULL, OTHER_POLICY, READER
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

OUTSIDE_POLICY = OTHER_POLICY.replace("${AWS_ACCOUNT_ID}", "123456789012")
ALL = FULL | {"aliases": ["orders"], "grants": [READER]}
REPORT = ALL | {"driftPolicy": "Report"}
FIELDS = ["description", "enabled", "policy", "rotation", "tags", "aliases", "grants", "deletionState"]


def _meddle(world: World) -> None:
    """Change all that can drift, but the state."""
    arn = world.key("orders").arn
    world.outside("UpdateKeyDescription", KeyId=arn, Description="mine now")
    world.outside("PutKeyPolicy", KeyId=arn, Policy=OUTSIDE_POLICY)
    world.outside("DisableKeyRotation", KeyId=arn)
    world.outside("TagResource", KeyId=arn, Tags=[{"TagKey": "team", "TagValue": "thieves"}])
    world.outside("DeleteAlias", AliasName="alias/orders")
    world.outside("RevokeGrant", KeyId=arn, GrantId=world.status("orders")["grants"][0]["grantId"])


async def _made(world: World, spec: Json) -> None:
    world.start("a")
    world.apply("orders", **spec)
    await world.ready("orders")
    await world.advance(70)


def _told(world: World, reason: str) -> list[Json]:
    return [event for event in world.events if event["reason"] == reason]


async def test_with_report_all_drift_is_told_once_and_nothing_is_written() -> None:
    async with World() as world:
        await _made(world, REPORT)
        await world.advance(300)  # what was made within KMS's lag, and does not show, is remembered for that long
        began = world.time
        _meddle(world)
        await world.until(lambda: world.condition("orders", "Synced")["reason"] == "DriftDetected")
        told = world.status("orders")
        assert [one["field"] for one in told["drift"]] == ["description", "policy", "rotation", "tags.team", "aliases", "grants"]
        assert world.condition("orders")["status"] == "True"
        await world.advance(3600)
        world.replicas["a"].kill()
        world.start("b")
        await world.advance(3600)
        assert world.traffic.names("aws", began) == {}
        assert world.status("orders") == told
        assert [event["type"] for event in _told(world, "DriftDetected")] == ["Warning"]


async def test_a_change_of_the_policy_on_drift_sets_everything_right_with_one_event() -> None:
    async with World() as world:
        await _made(world, REPORT)
        before = world.key("orders")
        _meddle(world)
        await world.until(lambda: "drift" in world.status("orders"))
        began = world.time
        world.apply("orders", **ALL)
        await world.ready("orders")
        await world.advance(5)  # events are written in their own time
        assert "drift" not in world.status("orders")
        after = world.key("orders")
        assert (after.description, after.policy, after.tags, after.aliases) == (before.description, before.policy, before.tags, before.aliases)
        assert set(world.traffic.names("aws", began).values()) == {1}
        assert len(_told(world, "DriftCorrected")) == 1


@pytest.mark.holds("F58")
@pytest.mark.parametrize("spec", [{"driftPolicy": "Report"}, {"ignoreDrift": ["deletionState"]}])
async def test_a_scheduled_deletion_that_is_left_alone_is_told_and_costs_no_write(spec: Json) -> None:
    async with World() as world:
        await _made(world, ALL | spec)
        began = world.time
        world.outside("ScheduleKeyDeletion", KeyId=world.key("orders").arn, PendingWindowInDays=7)
        await world.reason("orders", "KeyPendingDeletion")
        await world.advance(3600)
        assert world.traffic.names("aws", began) == {}
        assert world.condition("orders")["status"] == "False"
        assert len(_told(world, "KeyPendingDeletion")) == 1
        world.apply("orders", **ALL)
        await world.ready("orders")
        await world.advance(5)
        assert world.traffic.names("aws", began) == {"CancelKeyDeletion": 1, "EnableKey": 1}
        assert len(_told(world, "DriftCorrected")) == 1


async def test_what_is_ignored_is_left_to_others_until_the_spec_changes_it() -> None:
    async with World() as world:
        await _made(world, ALL | {"ignoreDrift": FIELDS})
        began = world.time
        _meddle(world)
        await world.advance(600)
        assert world.traffic.names("aws", began) == {}
        assert world.is_ready("orders")
        assert "drift" not in world.status("orders")
        world.apply("orders", **ALL | {"ignoreDrift": FIELDS, "description": "All orders"})
        await world.ready("orders")
        assert world.traffic.names("aws", began) == {"UpdateKeyDescription": 1}
        assert _told(world, "DriftCorrected") == _told(world, "DriftDetected") == []


@pytest.mark.parametrize("policy", ["Correct", "Report"])
async def test_another_default_tag_of_the_provider_is_not_told_as_drift(policy: str) -> None:
    async with World() as world:
        await _made(world, ALL | {"driftPolicy": policy})
        began = world.time
        world.patch_provider({"defaultTags": {"unit": "7"}})
        await world.until(lambda: world.key("orders").tags.get("unit") == "7")
        await world.ready("orders")
        assert world.traffic.names("aws", began) == {"TagResource": 1}
        assert _told(world, "DriftCorrected") == _told(world, "DriftDetected") == []


async def test_with_report_late_reads_of_our_own_write_are_not_told_as_drift() -> None:
    async with World() as world:
        await _made(world, REPORT)
        for operation in ("DescribeKey", "GetKeyPolicy", "ListResourceTags"):
            world.kms.lags[operation] = late(280)
        world.apply("orders", **REPORT | {"description": "All orders", "keyPolicy": OTHER_POLICY, "tags": {"team": "mail"}})
        await world.ready("orders")
        await world.advance(1200)
        assert _told(world, "DriftDetected") == []
        assert world.is_ready("orders")


async def test_drift_that_cannot_be_set_right_is_shown_until_it_is() -> None:
    async with World() as world:
        await _made(world, ALL)
        world.outside("UpdateKeyDescription", KeyId=world.key("orders").arn, Description="mine now")
        world.kms.denied.add("UpdateKeyDescription")
        await world.until(lambda: "drift" in world.status("orders"))
        (shown,) = world.status("orders")["drift"]
        assert (shown["field"], shown["expected"], shown["actual"]) == ("description", "Orders", "mine now")
        assert _told(world, "DriftCorrected") == []
        world.kms.denied.clear()
        await world.ready("orders")
        await world.advance(5)  # events are written in their own time
        assert "drift" not in world.status("orders")
        assert len(_told(world, "DriftCorrected")) == 1
