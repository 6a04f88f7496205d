"""Two replicas: one works, the other waits, and never do both write."""

import asyncio
from functools import partial

import pytest

from controller import kinds
from controller.leases import LEASE_NAME
from controller.workers import Workers
from tests.simulation.api_server import failure
from tests.simulation.calls import Call
from tests.simulation.faults import Fault, silence
from tests.simulation.lines import Point, undisturbed
from tests.simulation.scenarios import FULL
from tests.simulation.tenure import DURATION, only_the_holder_wrote
from tests.simulation.world import World
from tests.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.virtual_time

RENEW_DEADLINE = 10.0
ENDLESS = 10**9


def _give_lease_to(world: World, holder: str) -> None:
    """By hand."""
    lease = world.etcd.all("leases")[0]
    spec = {**lease["spec"], "holderIdentity": holder}
    world.user("PUT", f"/apis/coordination.k8s.io/v1/namespaces/infra-operator-system/leases/{LEASE_NAME}", {**lease, "spec": spec})


async def _two_replicas(world: World) -> None:
    world.start("a", leader_elect=True)
    await world.advance(1)
    world.start("b", leader_elect=True)
    world.apply("first", **FULL)
    await world.ready("first")
    assert {call.replica for call in world.traffic.executed("aws")} == {"a"}


async def test_a_standby_takes_over_from_a_leader_that_was_killed() -> None:
    async with World() as world:
        await _two_replicas(world)
        world.replicas["a"].kill()
        world.apply("second", **FULL)
        await world.ready("second", within=DURATION + 5)
        only_the_holder_wrote(world)


async def test_a_standby_takes_over_at_once_from_a_leader_that_was_stopped() -> None:
    async with World() as world:
        await _two_replicas(world)
        stopped = world.time
        world.replicas["a"].terminate()
        await world.advance(0.1)
        world.apply("second", **FULL)
        await world.ready("second", within=3)
        assert world.replicas["a"].exit_code == 0
        assert {call.replica for call in world.traffic.executed("aws", stopped)} == {"b"}
        only_the_holder_wrote(world)


@pytest.mark.holds("F41", "I7")
async def test_a_leader_that_cannot_renew_stops_writing_before_the_other_begins() -> None:
    async with World() as world:
        await _two_replicas(world)
        cut_off = world.replicas["a"]
        world.traffic.faults.on(silence("*leases*", replica="a"))
        for number in range(60):
            world.apply(f"key-{number}", **FULL)
            await world.advance(1)
        await world.ready(*(f"key-{number}" for number in range(60)))
        assert cut_off.exit_code == 1
        assert len(world.kms.made) == 61
        only_the_holder_wrote(world)


@pytest.mark.holds("F41", "F14")
async def test_a_leader_cut_off_from_the_api_server_makes_no_key_twice() -> None:
    async with World() as world:
        await _two_replicas(world)
        world.apply("second", **FULL)
        await world.advance(0.02)  # CreateKey is under way, or has just been answered
        world.traffic.faults.on(silence("*", target="kube", replica="a"))
        await world.ready("second", within=300)
        assert world.replicas["a"].exit_code == 1
        assert len(world.kms.made) == 2
        only_the_holder_wrote(world)


AWAY = {
    "silent": silence("*", target="kube"),
    "refusing": Fault("*", lambda: failure(503, "ServiceUnavailable", "starting"), times=ENDLESS, target="kube"),
}


@pytest.mark.holds("F14")
@pytest.mark.parametrize("outage", AWAY.values(), ids=AWAY)
async def test_while_the_api_server_is_away_for_half_an_hour_nobody_leads_and_nothing_is_written(outage: Fault) -> None:
    """There is work all the time: drift that a leader sets right, and a change that one carries out."""
    async with World() as world:
        await _two_replicas(world)
        world.traffic.faults.on(outage)
        began = world.time
        await world.replicas["a"].ended()
        lost = world.time
        assert (world.replicas["a"].exit_code, lost - began <= RENEW_DEADLINE) == (1, True)
        world.outside("UpdateKeyDescription", KeyId=world.key("first").arn, Description="drift")
        world.apply("first", **FULL | {"enabled": False})
        world.apply("second", **FULL)
        world.start("c", leader_elect=True)
        await world.advance(1800)
        assert world.traffic.names("aws", lost) == {}
        assert [world.replicas[name].exit_code for name in ("b", "c")] == [None, None]
        world.traffic.faults.off(outage)
        await world.ready("first", "second", within=60)
        assert len(world.kms.made) == 2
        only_the_holder_wrote(world)


@pytest.mark.holds("F11")
@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_createkey_under_way_when_the_lease_is_lost_is_left_written_down_for_the_next_leader(where: Point) -> None:
    async with World() as world:
        await _two_replicas(world)
        cut_off = world.replicas["a"]

        def lose(call: Call, point: Point) -> float:
            if (call.name, call.replica) != ("CreateKey", "a"):
                return 0.0
            if point == "before":
                _give_lease_to(world, "somebody")
            return 5.0 if point == where else 0.0

        world.traffic.watcher = lose
        world.apply("second", **FULL)
        assert await cut_off.ended() == 1
        assert ("creationAttempt" in world.status("second"), "keyId" in world.status("second")) == (True, False)
        await world.ready("second")
        assert world.traffic.names("aws")["CreateKey"] == len(world.kms.made) == 2
        assert {call.replica for call in world.traffic.executed("aws") if call.name == "EnableKeyRotation"} == {"a", "b"}


@pytest.mark.holds("F11")
@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_createkey_under_way_at_the_deadline_of_its_pass_is_finished_and_its_answer_stored(
    where: Point, monkeypatch: pytest.MonkeyPatch, logs: list[dict[str, object]]
) -> None:
    monkeypatch.setattr(kinds, "Workers", partial(Workers, deadline=2.0))
    async with World() as world:
        await _two_replicas(world)
        began = world.time
        world.traffic.watcher = lambda call, point: 4.0 if (call.name, point) == ("CreateKey", where) else 0.0
        world.apply("second", **FULL)
        await world.until(lambda: "keyId" in world.status("second"), within=5)
        assert [line["deadline"] for line in logs if line["event"] == "reconcile_timed_out"] == [2.0]
        await world.ready("second", within=10)
        assert world.traffic.names("aws", began) == {"CreateKey": 1, "EnableKeyRotation": 1}
        assert world.traffic.names("aws", began, writes=False).keys() & {"GetResources", "ListKeys"} == set(), "nothing is searched for"


@pytest.mark.holds("F42")
async def test_a_lease_taken_by_hand_ends_the_leader_and_nothing_is_lost() -> None:
    async with World() as world:
        await _two_replicas(world)
        _give_lease_to(world, "somebody")
        await world.until(lambda: world.replicas["a"].exit_code is not None, within=10)
        world.apply("second", **FULL)
        await world.ready("second", within=2 * DURATION + 5)
        assert len(world.kms.made) == 2


async def test_a_stopped_standby_ends_with_0_and_releases_nothing() -> None:
    async with World() as world:
        await _two_replicas(world)
        world.replicas["b"].terminate()
        assert await world.replicas["b"].ended() == 0
        world.apply("second", **FULL)
        await world.ready("second", within=3)
        only_the_holder_wrote(world)


@pytest.mark.holds("F43")
async def test_a_leader_that_was_stopped_for_a_while_writes_nothing_when_it_goes_on() -> None:
    async with World() as world:
        world.start("a", leader_elect=True)
        await world.advance(5)
        begun: list[str] = []

        def pause(call: Call, point: Point) -> float:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            begun.append(call.name)
            if (call.name, point) == ("PATCH kmskeys/status", "after"):  # the attempt is written down; CreateKey comes next
                loop.pause(40)
            return 0.0

        world.traffic.watcher = pause
        world.apply("orders", **FULL)
        assert await world.replicas["a"].ended() == 1
        assert "CreateKey" not in begun
        world.traffic.watcher = undisturbed
        world.start("b", leader_elect=True)
        await world.ready("orders")
        assert len(world.kms.made) == 1
