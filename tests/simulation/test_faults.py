"""Faults of the surroundings that concern many objects, or everything at once; docs/reliability.md lists them all."""

import pytest

from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from tests.simulation import aws_wires
from tests.simulation.api_server import failure
from tests.simulation.api_transport import refused
from tests.simulation.calls import Call
from tests.simulation.faults import Fault, silence, slow
from tests.simulation.invariants import Invariants
from tests.simulation.kms_quotas import PER_SECOND, RequestQuotas
from tests.simulation.lines import Point
from tests.simulation.scenarios import FULL
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

ENDLESS = 10**9
FORBIDDEN = failure(403, "Forbidden", "kmskeys is forbidden: the operator cannot list resource kmskeys")


@pytest.mark.holds("F25")
async def test_many_objects_at_once_are_made_at_the_pace_of_the_quotas() -> None:
    async with World() as world:
        world.start("a", leader_elect=True)
        world.kms.quotas = RequestQuotas(PER_SECOND)
        world.kms.page_size = 100
        names = [f"key-{number}" for number in range(120)]
        for name in names:
            world.apply(name)
        await world.ready(*names, within=120 / 2.5 + 30)
        throttled = [call for call in world.traffic.calls if call.outcome == "ThrottlingException"]
        assert len(world.kms.made) == 120
        assert len(throttled) <= 12, f"{len(throttled)} calls were throttled"
        assert world.replicas["a"].exit_code is None


@pytest.mark.holds("F57", "F55")
async def test_objects_that_are_all_deleted_at_once_each_go_as_their_policy_says_also_without_events() -> None:
    policies = {
        "ScheduleKeyDeletion": "PendingDeletion",
        "Retain": "Enabled",
        "DisableKey": "Disabled",
        "ForceDelete": "PendingDeletion",
    }
    async with World() as world:
        world.start("a")
        names = {f"{policy.lower()}-{number}": policy for policy in policies for number in range(5)}
        for name, policy in names.items():
            world.apply(name, deletionPolicy=policy)
        await world.ready(*names)
        keys = {name: world.key(name).key_id for name in names}
        world.traffic.faults.on(
            refused("* events", failure(403, "Forbidden", "the namespace is being terminated"), times=ENDLESS)
        )
        for name in names:
            world.delete(name)
        for name in names:
            await world.gone(name, within=60)
        states = {key.key_id: key.state for key in world.kms.keys}
        assert {name: states[keys[name]] for name in names} == {name: policies[policy] for name, policy in names.items()}


@pytest.mark.holds("F67", "I10")
async def test_fields_of_a_newer_version_stay_as_they_are() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL, ofTomorrow={"a": 1})
        await world.advance(30)
        world.patch("orders", {"status": {"ofTomorrow": {"b": 2}}}, "status")
        world.apply("orders", **FULL | {"description": "new"}, ofTomorrow={"a": 1})
        await world.advance(300)
        found = world.find("orders")
        assert found is not None
        assert found["spec"]["ofTomorrow"] == {"a": 1}
        assert found["status"]["ofTomorrow"] == {"b": 2}


@pytest.mark.holds("F18")
@pytest.mark.parametrize("seconds", [4.0, 30.0])
async def test_a_slow_api_server_makes_no_key_twice(seconds: float) -> None:
    async with World() as world:
        world.start("a", leader_elect=True)
        await world.advance(1)
        promises = Invariants(world)
        for number in range(5):
            world.apply(f"key-{number}", **FULL)
        slowness = world.traffic.faults.on(slow("*", seconds, times=ENDLESS, target="kube"))
        await world.advance(120)
        promises.check()
        world.traffic.faults.off(slowness)
        if world.replicas["a"].exit_code is not None:
            world.start("b", leader_elect=True)
        await world.ready(*(f"key-{number}" for number in range(5)))
        promises.check()
        assert len(world.kms.made) == 5


@pytest.mark.holds("F21", "F56")
async def test_rights_that_were_taken_away_are_waited_for_and_nothing_is_deleted() -> None:
    async with World() as world:
        replica = world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        began = world.time
        outage = world.traffic.faults.on(refused("*kmskeys*", FORBIDDEN, times=ENDLESS))
        replica.transport.cut_streams()
        await world.advance(1800)
        assert replica.exit_code is None
        assert world.traffic.names("aws", began) == {}
        world.traffic.faults.off(outage)
        world.apply("orders", **FULL | {"description": "new"})
        await world.ready("orders", within=330)


@pytest.mark.holds("F13", "F17")
async def test_connections_that_break_each_minute_lose_no_change() -> None:
    async with World() as world:
        replica = world.start("a")
        await world.advance(1)
        for number in range(10):
            replica.transport.cut_streams()
            world.traffic.faults.on(refused("*", failure(503, "ServiceUnavailable", "starting"), times=5)).target = "kube"
            world.apply(f"key-{number}", **FULL)
            await world.advance(60)
        assert world.traffic.names("aws") == {"CreateKey": 10, "EnableKeyRotation": 10}
        await world.ready(*(f"key-{number}" for number in range(10)))


@pytest.mark.holds("F20")
async def test_an_api_server_that_asks_for_patience_gets_it() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        began = world.time
        patience = failure(429, "TooManyRequests", "slow down", retry_after="7")
        world.traffic.faults.on(refused("PATCH kmskeys/status", patience, times=3))
        world.apply("orders", **FULL | {"description": "new"})
        await world.ready("orders")
        assert world.time - began >= 7
        assert world.traffic.names("aws", began) == {"UpdateKeyDescription": 1}


@pytest.mark.holds("F35")
@pytest.mark.parametrize("operation", ["CreateKey", "EnableKeyRotation", "DescribeKey"])
async def test_credentials_that_expire_between_two_calls_cost_a_pass_and_no_write(operation: str) -> None:
    async with World() as world:
        world.start("a")
        expired = aws_wires.refused(operation, "ExpiredTokenException", "The security token included in the request is expired")
        world.traffic.faults.on(expired)
        world.apply("orders", **FULL)
        await world.ready("orders")
        await world.advance(300)
        assert world.traffic.names("aws") == {"CreateKey": 1, "EnableKeyRotation": 1}


@pytest.mark.holds("F62")
async def test_a_policy_that_locks_the_operator_out_is_told_and_asked_for_rarely() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.kms.denied = {"GetKeyPolicy"}
        await world.reason("orders", "AccessDenied")
        assert "kms:GetKeyPolicy" in world.condition("orders")["message"]
        began = world.time
        await world.advance(3600)
        assert len([call for call in world.traffic.calls if call.name == "GetKeyPolicy" and call.at >= began]) <= 14
        assert world.traffic.names("aws", began) == {}


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


POINTS = [(name, point) for name in ("PATCH kmskeys", "PATCH kmskeys/status", "CreateKey") for point in ("before", "after")]


@pytest.mark.holds("F41", "I1", "I7")
@pytest.mark.parametrize("seconds", [2.0, 12.0, 20.0, 60.0])
@pytest.mark.parametrize(("name", "where"), POINTS)
async def test_two_that_may_both_think_that_they_lead_make_one_key(name: str, where: str, seconds: float) -> None:
    """The leader is cut off from the API server, and not from AWS, at each point of a creation."""
    async with World() as world:
        world.start("a", leader_elect=True)
        await world.advance(1)
        world.start("b", leader_elect=True)
        await world.advance(5)
        promises, cuts = Invariants(world), list[Fault]()

        def cut_off(call: Call, point: Point) -> float:
            if (call.name, point, call.replica) == (name, where, "a") and not cuts:
                cuts.append(world.traffic.faults.on(silence("*", target="kube", replica="a")))
            return 0.0

        world.traffic.watcher = cut_off
        for number in range(3):
            world.apply(f"key-{number}", **FULL)
        await world.advance(seconds)
        world.traffic.faults.off(cuts[0])
        await world.ready(*(f"key-{number}" for number in range(3)))
        await world.advance(60)
        promises.check()
        assert len(world.kms.made) == 3
