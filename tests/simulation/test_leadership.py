"""Two replicas: one works, the other waits, and never do both write."""

import asyncio

import pytest

from aws.channels import CALL_SECONDS
from controller.leases import LEASE_NAME
from tests.simulation import aws_wires
from tests.simulation.calls import Call
from tests.simulation.faults import silence
from tests.simulation.lines import Point, undisturbed
from tests.simulation.scenarios import FULL
from tests.simulation.world import World
from tests.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.virtual_time

DURATION = 15.0
# A write may be answered so long after it was sent; until then nobody else may lead.
LONGEST_AGE = DURATION - min(CALL_SECONDS, DURATION / 2) + aws_wires.LATENCY


def _holder_at(world: World, at: float) -> tuple[str, float]:
    """Whose the lease was then, by the API server, and since when it had not been renewed."""
    renewals = [e for e in world.etcd.log if e.plural == "leases" and e.ref.name == LEASE_NAME and e.at <= at]
    if not renewals:
        return "", 0.0
    return str(renewals[-1].body["spec"].get("holderIdentity", "")), at - renewals[-1].at


def _assert_only_the_holder_wrote(world: World) -> None:
    writes = [call for call in world.traffic.calls if call.target == "aws" and call.writes]
    assert writes
    for call in writes:
        holder, age = _holder_at(world, call.at)
        assert holder == call.replica, f"{call}, and the lease was {holder}'s"
        assert age <= LONGEST_AGE, f"{call}, {age:.1f} s after the last renewal"


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
        _assert_only_the_holder_wrote(world)


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
        _assert_only_the_holder_wrote(world)


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
        _assert_only_the_holder_wrote(world)


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
        _assert_only_the_holder_wrote(world)


@pytest.mark.holds("F42")
async def test_a_lease_taken_by_hand_ends_the_leader_and_nothing_is_lost() -> None:
    async with World() as world:
        await _two_replicas(world)
        lease = world.etcd.all("leases")[0]
        spec = {**lease["spec"], "holderIdentity": "somebody"}
        world.user("PUT", f"/apis/coordination.k8s.io/v1/namespaces/infra-operator-system/leases/{LEASE_NAME}", {**lease, "spec": spec})
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
        _assert_only_the_holder_wrote(world)


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
