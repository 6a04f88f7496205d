"""Faults of the surroundings that concern many objects, or everything at once; docs/reliability.md lists them all."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.simulation import aws_wires
from tests.simulation.api_server import failure
from tests.simulation.api_transport import refused
from tests.simulation.calls import Call
from tests.simulation.faults import Fault, silence, slow
from tests.simulation.invariants import Invariants
from tests.simulation.kms_quotas import PER_SECOND, RequestQuotas
from tests.simulation.lines import Point
from tests.simulation.passes import Passes
from tests.simulation.scenarios import FULL
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

ENDLESS = 10**9
FORBIDDEN = failure(403, "Forbidden", "kmskeys is forbidden: the operator cannot list resource kmskeys")


@pytest.fixture(autouse=True)
def _passes_are_known() -> Iterator[None]:
    """By when they began the times of conditions are judged."""
    with Passes():
        yield


@pytest.mark.holds("F24")
async def test_a_storm_of_changes_is_carried_out_in_a_few_writes_and_ends_as_it_says_last() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        await world.advance(30)
        began = world.time
        for number in range(1000):
            world.apply("orders", **FULL | {"description": f"as of {number}"})
            await world.advance(0.01)
        await world.ready("orders", within=15)
        assert world.key("orders").description == "as of 999"
        assert world.traffic.names("aws", began)["UpdateKeyDescription"] <= 5
        assert world.status("orders")["observedGeneration"] == 1001


@pytest.mark.holds("F24")
async def test_a_storm_of_changes_is_nothing_to_other_objects_nor_to_the_deletion_that_ends_it() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders", within=1)
        for number in range(100):
            world.apply("orders", **FULL | {"description": f"as of {number}"})
            world.apply("others", **FULL | {"description": f"as of {number // 50}"})
            await world.advance(0.02)
        assert world.key("others").description == "as of 1"
        assert world.key("orders").description != "as of 99"
        world.delete("orders")
        await world.gone("orders", within=1)


@pytest.mark.holds("F25")
@pytest.mark.parametrize(("fraction", "count", "within"), [(1.0, 200, 42), (0.5, 120, 50)])
async def test_many_objects_at_once_are_made_at_the_pace_of_the_quotas(fraction: float, count: int, within: float) -> None:
    async with World() as world:
        world.start("a", leader_elect=True, quota_fraction=fraction, workers=10)
        world.kms.quotas = RequestQuotas(PER_SECOND)
        world.kms.page_size = 100
        await world.advance(1)
        names = [f"key-{number}" for number in range(count)]
        for name in names:
            world.apply(name, **FULL)
        await world.ready(*names, within=within)
        assert throttled(world) == []
        assert world.traffic.names("aws") == {"CreateKey": count, "EnableKeyRotation": count}
        assert world.replicas["a"].exit_code is None


@pytest.mark.holds("F25")
@pytest.mark.parametrize("workers", [1, 10])
async def test_who_waits_for_a_quota_stands_in_nobodys_way(workers: int) -> None:
    """Three hundred new keys are in line when a user changes, deletes and applies others."""
    async with World() as world:
        world.start("a", leader_elect=True, quota_fraction=1.0, workers=workers, resync_interval=timedelta(hours=1))
        world.kms.quotas = RequestQuotas(PER_SECOND)
        for name in ("changed", "deleted"):
            world.apply(name, **FULL)
        await world.ready("changed", "deleted")
        await world.advance(30)
        crowd = [f"key-{number}" for number in range(300)]
        began = world.time
        for name in crowd:
            world.apply(name, **FULL)
        for _ in range(5):
            asked = world.time
            await world.advance(1)
            world.apply("changed", **FULL | {"description": f"as of {asked}"})
            await world.ready("changed", within=10)
        world.delete("deleted")
        world.apply("new", **FULL)
        await world.until(lambda: world.find("deleted") is None and bool(world.condition("new")), within=10)
        assert world.condition("new")["reason"] == "WaitingForQuota"
        await world.ready(*crowd, "new", within=began + 301 / 4.75 + 3 - world.time)
        assert throttled(world) == []
        made = world.traffic.names("aws", began, writes=True)
        assert (made["CreateKey"], made["EnableKeyRotation"]) == (301, 301)
        reads = world.traffic.names("aws", began, writes=False)
        assert reads.total() <= 20 * 4, f"what is in line is not read: {reads}"


@pytest.mark.holds("F25")
async def test_an_object_in_line_costs_one_patch_more_and_is_not_searched_for() -> None:
    async with World() as world:
        world.start("a", leader_elect=True, quota_fraction=0.1, resync_interval=timedelta(hours=1))
        await world.advance(1)
        names = [f"key-{number}" for number in range(40)]
        for name in names:
            world.apply(name, **FULL)
        await world.ready(*names, within=100)
        await world.advance(5)
        writes = Counter(entry.ref.name for entry in world.etcd.log if entry.plural == "kmskeys")
        assert {writes[name] - writes["key-0"] for name in names} <= {0, 1}, f"the first has not waited: {writes}"
        assert world.traffic.names("aws", writes=False)["GetResources"] <= 1, "the index of earlier keys"


@pytest.mark.holds("F25", "F2", "F3")
@pytest.mark.parametrize("after", [0.0, 0.05, 3.0, 7.3, 20.1])
async def test_a_crash_while_objects_are_in_line_makes_no_key_twice(after: float) -> None:
    async with World() as world:
        world.start("a", quota_fraction=0.5, workers=2)
        await world.advance(1)
        promises = Invariants(world)
        names = [f"key-{number}" for number in range(60)]
        for name in names:
            world.apply(name, **FULL)
        await world.advance(after)
        world.replicas["a"].kill()
        world.start("b", quota_fraction=0.5, workers=2)
        await world.ready(*names, within=200)
        promises.check()
        assert len(world.kms.made) == 60


@pytest.mark.holds("F25")
async def test_objects_that_are_deleted_or_withdrawn_while_they_are_in_line_leave_it() -> None:
    async with World() as world:
        world.start("a", quota_fraction=0.1, workers=2)
        await world.advance(1)
        names = [f"key-{number}" for number in range(100)]
        for name in names:
            world.apply(name, **FULL)
        await world.advance(10)
        for name in names[10:90]:
            world.delete(name)
        world.apply("late", **FULL)
        rest = [*names[:10], *names[90:], "late"]
        await world.ready(*rest, within=50)
        await world.advance(60)
        assert len(world.kms.made) <= len(rest) + 5
        assert [obj["metadata"]["name"] for obj in world.etcd.all("kmskeys") if obj["metadata"]["name"] not in rest] == []


def throttled(world: World) -> list[Call]:
    """The calls that were too fast for AWS."""
    return [call for call in world.traffic.calls if call.outcome == "ThrottlingException"]


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
async def test_fields_of_a_newer_version_stay_as_they_are_and_nothing_is_written_for_them() -> None:
    """Also when a newer process has led meanwhile: two fields more, of which this version has heard nothing."""
    tomorrow = {"ofTomorrow": {"a": 1}, "newer": [1, 2]}
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL, **tomorrow)
        await world.ready("orders")
        world.patch("orders", {"status": {"ofTomorrow": {"b": 2}}}, "status")
        began = world.time
        world.apply("orders", **FULL, **tomorrow | {"newer": [3]})
        await world.ready("orders")
        assert world.traffic.names("aws", began) == {}
        world.replicas["a"].kill()
        world.start("b")
        world.apply("orders", **FULL | {"description": "new"}, **tomorrow)
        await world.ready("orders")
        await world.advance(300)
        assert world.traffic.names("aws", began) == {"UpdateKeyDescription": 1}
        found = world.find("orders")
        assert found is not None
        assert found["spec"] == FULL | {"description": "new"} | tomorrow
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
        world.traffic.faults.on(refused("PATCH kmskeys/status", patience, times=1))
        world.apply("orders", **FULL | {"description": "new"})
        await world.ready("orders")
        assert 7 <= world.time - began < 10
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
