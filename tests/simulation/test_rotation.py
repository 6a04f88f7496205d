"""Rotation on demand against the strict model: once for each token, whatever is lost, late, refused or denied."""

import json
from datetime import timedelta

import pytest

from tests.simulation.api_transport import lost_answer as lost_by_kube
from tests.simulation.aws_wires import internal_error, lost_answer
from tests.simulation.faults import Fault
from tests.simulation.kms_model import late
from tests.simulation.world import START, World

pytestmark = pytest.mark.virtual_time

HOUR = 3600.0
READS = {"DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "ListResourceTags"}


async def a_key(world: World, **spec: object) -> None:
    """The key orders, made without a token."""
    world.start("a")
    world.apply("orders", **spec)
    await world.ready("orders")


def rotations(world: World) -> int:
    """On demand."""
    return sum(one["RotationType"] == "ON_DEMAND" for one in world.key("orders").rotations)


async def test_a_plain_key_costs_no_read_for_it() -> None:
    async with World() as world:
        await a_key(world, keyPolicy=json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}))
        await world.advance(300)
        assert set(world.traffic.names("aws", 0, writes=False)) - {"GetResources", "ListKeys"} == READS


async def test_a_token_that_was_carried_out_costs_no_read_either() -> None:
    async with World() as world:
        await a_key(world, rotateOnDemand="1")
        world.apply("orders", rotateOnDemand="2")
        await world.ready("orders")
        assert rotations(world) == 1
        began = world.time
        await world.advance(HOUR)
        assert world.traffic.names("aws", began, writes=False)["ListKeyRotations"] == 0
        assert world.traffic.names("kube", began)["PATCH kmskeys/status"] == 0
        assert world.status("orders")["onDemandRotations"] == 1
        assert world.status("orders")["lastRotationDate"]


async def test_a_rotating_key_reads_its_rotations_once_for_each_next_date() -> None:
    async with World() as world:
        await a_key(world, enableKeyRotation=True)
        await world.advance(HOUR)
        assert world.traffic.names("aws", 0, writes=False)["ListKeyRotations"] == 1
        assert "lastRotationDate" not in world.status("orders")


@pytest.mark.parametrize(
    "fault",
    [
        lost_answer("RotateKeyOnDemand"),
        internal_error("RotateKeyOnDemand"),
        internal_error("RotateKeyOnDemand", executes=True),
        lost_by_kube("PATCH kmskeys/status"),
    ],
    ids=["lost", "failed", "failed after it was done", "the status lost"],
)
async def test_an_unknown_result_is_looked_for_also_where_reads_are_late(fault: Fault) -> None:
    async with World() as world:
        await a_key(world)
        await world.advance(300)
        world.kms.lags |= {"GetKeyRotationStatus": late(200), "ListKeyRotations": late(200)}
        world.traffic.faults.on(fault)
        world.apply("orders", rotateOnDemand="1")
        await world.ready("orders", within=HOUR)
        await world.advance(HOUR)
        assert rotations(world) == 1
        assert world.status("orders")["lastHandledRotateOnDemand"] == "1"
        assert "rotationAttempt" not in world.status("orders")


async def test_two_tokens_in_a_row_are_two_rotations() -> None:
    async with World() as world:
        await a_key(world)
        world.apply("orders", rotateOnDemand="1")
        await world.ready("orders")
        world.apply("orders", rotateOnDemand="2")
        await world.reason("orders", "RotationPending")
        await world.ready("orders")
        assert rotations(world) == 2
        assert world.status("orders")["onDemandRotations"] == 2


async def test_without_the_list_a_known_answer_is_enough_and_an_unknown_one_waits_for_somebody() -> None:
    async with World() as world:
        await a_key(world)
        world.kms.denied = {"ListKeyRotations"}
        world.apply("orders", rotateOnDemand="1")
        await world.ready("orders")
        await world.advance(60)
        world.traffic.faults.on(internal_error("RotateKeyOnDemand"))
        world.apply("orders", rotateOnDemand="2")
        await world.advance(HOUR)
        assert world.condition("orders", "Stalled")["reason"] == "RotationUnknown"
        assert "list-key-rotations" in world.condition("orders")["message"]
        assert rotations(world) == 1
        world.apply("orders", rotateOnDemand="3")
        await world.ready("orders")
        assert rotations(world) == 2


async def test_the_26th_rotation_is_refused_and_the_way_out_told() -> None:
    async with World() as world:
        await a_key(world)
        key = world.key("orders")
        done = tuple({"KeyId": key.key_id, "RotationDate": START - timedelta(days=n), "RotationType": "ON_DEMAND"} for n in range(1, 26))
        world.kms.edit(key.arn, rotations=done)
        world.apply("orders", rotateOnDemand="1")
        await world.reason("orders", "LimitExceeded")
        assert "enableKeyRotation" in world.condition("orders")["message"]
        began = world.time
        await world.advance(HOUR)
        assert world.traffic.names("kube", began)["PATCH kmskeys/status"] == 0
        assert [call for call in world.traffic.calls if call.name == "RotateKeyOnDemand"] == []


async def test_near_an_automatic_rotation_it_waits() -> None:
    async with World() as world:
        await a_key(world, enableKeyRotation=True, rotationPeriodInDays=90)
        key = world.key("orders")
        world.kms.edit(key.arn, rotates_from=key.created - timedelta(days=90, minutes=-15))
        world.apply("orders", enableKeyRotation=True, rotationPeriodInDays=90, rotateOnDemand="1")
        await world.reason("orders", "RotationPending")
        assert rotations(world) == 0
        await world.ready("orders", within=HOUR)
        assert rotations(world) == 1
        assert "ConflictException" not in {call.outcome for call in world.traffic.calls}


async def test_a_conflict_that_could_not_be_foreseen_waits_too() -> None:
    async with World() as world:
        await a_key(world)
        await world.advance(120)
        world.outside("RotateKeyOnDemand", KeyId=world.key("orders").arn)
        world.kms.lags["GetKeyRotationStatus"] = late(60)
        world.apply("orders", rotateOnDemand="1")
        await world.reason("orders", "RotationPending")
        await world.ready("orders")
        assert rotations(world) == 2


async def test_a_disabled_key_is_rotated_once_it_is_enabled() -> None:
    async with World() as world:
        await a_key(world, enabled=False)
        world.apply("orders", enabled=False, rotateOnDemand="1")
        await world.until(lambda: world.condition("orders", "Synced").get("reason") == "KeyDisabled")
        assert (world.condition("orders")["status"], rotations(world)) == ("True", 0)
        world.apply("orders", rotateOnDemand="1")
        await world.ready("orders")
        assert rotations(world) == 1


async def test_a_lost_status_rotates_nothing() -> None:
    async with World() as world:
        await a_key(world)
        world.apply("orders", rotateOnDemand="1")
        await world.ready("orders")
        world.replicas["a"].kill()
        found = world.find("orders")
        assert found is not None
        world.patch("orders", {"status": None}, "status")
        world.start("b")
        await world.ready("orders")
        await world.advance(HOUR)
        assert rotations(world) == 1
        assert world.status("orders")["lastHandledRotateOnDemand"] == "1"
        world.delete("orders")
        await world.gone("orders")
        world.apply("orders", rotateOnDemand="2")
        await world.ready("orders")
        assert (rotations(world), len(world.kms.made)) == (1, 1)
