"""Wall clocks that are wrong, or jump: by five minutes AWS does not mind, and nobody else may."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta

import pytest

from tests.simulation.aws_wires import lost_answer
from tests.simulation.calls import Call
from tests.simulation.invariants import Invariants
from tests.simulation.kms_model import late
from tests.simulation.lines import Point
from tests.simulation.passes import Passes
from tests.simulation.scenarios import FULL
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

GRACE = timedelta(minutes=5)
VIEWS = ("ListKeys", "ListResourceTags", "DescribeKey")
TAKEN = [-290.0, 250.0, 290.0]  # in seconds: AWS takes requests from such clocks
OFF = [*TAKEN, 7200.0]


@pytest.fixture(autouse=True)
def _passes() -> Iterator[None]:
    with Passes():
        yield


def kill_after(world: World, operation: str) -> None:
    """The process that sends it, while the answer is on its way."""

    def kill(call: Call, point: Point) -> float:
        if (call.name, point) == (operation, "after"):
            world.replicas[call.replica].kill()
        return 0.0

    world.traffic.watcher = kill


async def the_clock_jumps_after_a_lost_answer(world: World, seconds: float) -> None:
    process = world.start("a", create_grace=GRACE)
    world.traffic.faults.on(lost_answer("CreateKey"))
    world.apply("orders", **FULL)
    await world.advance(3)
    process.clock.jump(seconds)


async def the_successor_s_clock_is_off(world: World, seconds: float) -> None:
    world.start("a", create_grace=GRACE)
    kill_after(world, "CreateKey")
    world.apply("orders", **FULL)
    await world.advance(3)
    world.start("b", seconds, create_grace=GRACE)


async def the_standby_s_clock_is_off(world: World, seconds: float) -> None:
    world.start("a", leader_elect=True, create_grace=GRACE)
    await world.advance(1)
    world.start("b", seconds, leader_elect=True, create_grace=GRACE)
    await world.advance(1)
    kill_after(world, "CreateKey")
    world.apply("orders", **FULL)


STORIES = [the_clock_jumps_after_a_lost_answer, the_successor_s_clock_is_off, the_standby_s_clock_is_off]


@pytest.mark.holds("F41", "F44", "I1")
@pytest.mark.parametrize("seconds", OFF)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_a_clock_that_is_wrong_makes_no_second_key(story: Callable[[World, float], Awaitable[None]], seconds: float) -> None:
    async with World() as world:
        promises = Invariants(world)
        world.kms.lags = dict.fromkeys(VIEWS, late(120)) | {"GetResources": late(600)}
        await story(world, seconds)
        await world.ready("orders", within=1200)
        promises.check()
        assert len(world.kms.made) == 1


@pytest.mark.holds("F44")
@pytest.mark.parametrize("seconds", OFF)
async def test_a_clock_that_jumps_makes_no_second_rotation(seconds: float) -> None:
    async with World() as world:
        process = world.start("a")
        world.apply("orders")
        await world.ready("orders")
        await world.advance(300)
        world.kms.lags = dict.fromkeys(("GetKeyRotationStatus", "ListKeyRotations"), late(200))
        world.traffic.faults.on(lost_answer("RotateKeyOnDemand"))
        world.apply("orders", rotateOnDemand="1")
        await world.advance(3)
        process.clock.jump(seconds)
        await world.ready("orders", within=1200)
        assert len(world.key("orders").rotations) == 1


@pytest.mark.holds("F44", "I19")
@pytest.mark.parametrize("seconds", TAKEN)
async def test_a_clock_that_jumps_leaves_no_key_behind_that_kms_does_not_show_yet(seconds: float) -> None:
    async with World() as world:
        promises = Invariants(world)
        process = world.start("a")
        world.apply("orders")
        await world.ready("orders")
        world.kms.lags = dict.fromkeys(VIEWS, late(120))
        process.clock.jump(seconds)
        world.delete("orders")
        await world.gone("orders", within=1800)
        promises.check()
        assert [key.state for key in world.kms.keys] == ["PendingDeletion"]
