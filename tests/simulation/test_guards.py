"""Each guard is needed: without it the simulation finds the harm, and with it there is none.

A guard that could be taken away unnoticed would be untested, or of no use. Each has its story and the invariant that is broken without it: any
other failure of the story, as one that takes too long, is not the harm that it prevents.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from aws.search import Search
from controller import key_actions, patches
from controller.lease import Lease
from controller.own_key import OwnKey
from reconcilers import creation, deletion
from reconcilers.states import Candidates
from tests.simulation.aws_wires import AwsLine, _ModelWire, lost_answer
from tests.simulation.calls import Call
from tests.simulation.checks import BrokenError
from tests.simulation.faults import silence
from tests.simulation.invariants import Invariants
from tests.simulation.kms_model import late
from tests.simulation.lines import Point
from tests.simulation.passes import Passes
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

Story = Callable[[World], Awaitable[None]]
Remove = Callable[[pytest.MonkeyPatch], None]


# -- what happens


async def killed_right_after_create_key(world: World) -> None:
    """And KMS shows the new key late, everywhere."""
    world.start("a")
    await world.advance(1)
    world.kms.lags = dict.fromkeys(("GetResources", "ListKeys", "ListResourceTags"), late(40))

    def kill(call: Call, point: Point) -> float:
        if (call.name, point) == ("CreateKey", "after") and call.replica == "a":
            world.replicas["a"].kill()
        return 0.0

    world.traffic.watcher = kill
    world.apply("orders")
    await world.advance(2)
    world.start("b")
    await _ready(world)


async def the_answer_of_create_key_is_lost(world: World) -> None:
    world.start("a")
    await world.advance(1)
    world.kms.lags = {"GetResources": late(600)}
    world.traffic.faults.on(lost_answer("CreateKey"))
    world.apply("orders")
    await _ready(world)


async def a_standby_s_cache_ends_before_the_attempt(world: World) -> None:
    world.start("a", leader_elect=True)
    await world.advance(1)
    standby = world.start("b", leader_elect=True)
    await world.advance(5)
    world.kms.lags = {"GetResources": late(600), "ListKeys": late(30)}

    def freeze(call: Call, point: Point) -> float:
        if (call.name, point) == ("PATCH kmskeys/status", "before") and call.replica == "a":
            standby.transport.delay = math.inf
        if (call.name, point) == ("CreateKey", "after"):
            world.replicas["a"].kill()
        return 0.0

    world.traffic.watcher = freeze
    world.apply("orders")
    await world.advance(60)
    standby.transport.delay = 0.0
    standby.transport.cut_streams()
    await _ready(world)


async def the_lease_is_not_renewed_for_a_while(world: World) -> None:
    """It is still the leader's, but not for as long as a call may take."""
    world.start("a", leader_elect=True)
    await world.advance(5)
    world.traffic.faults.on(silence("*leases*", replica="a"))
    await world.advance(8)
    world.apply("orders")
    await world.advance(30)
    world.traffic.faults.clear()
    world.start("b", leader_elect=True)
    await _ready(world)


async def a_status_names_a_key_of_somebody_else(world: World) -> None:
    foreign = world.outside("CreateKey", Description="theirs")["KeyMetadata"]
    world.start("a")
    world.apply("orders")
    await world.ready("orders")
    world.patch("orders", {"status": {"keyId": foreign["KeyId"], "keyArn": foreign["Arn"]}}, "status")
    world.delete("orders")
    await world.advance(400)  # for five minutes a key without its tags may be one that KMS does not show everywhere yet


async def the_process_is_stopped_during_create_key(world: World) -> None:
    """And KMS shows the new key to the next one too late."""
    world.kms.lags = dict.fromkeys(("GetResources", "ListKeys", "ListResourceTags"), late(600))
    world.start("a")
    await world.advance(1)

    def stop(call: Call, point: Point) -> float:
        if (call.name, point) == ("CreateKey", "after"):
            world.replicas["a"].terminate()
            return 5.0
        return 0.0

    world.traffic.watcher = stop
    world.apply("orders")
    assert await world.replicas["a"].ended() == 0
    world.start("b")
    await _ready(world)


async def an_answer_is_stored_late_when_the_name_is_another_object_s(world: World) -> None:
    """The process stands still while its patch is on the way, which arrives when the next leader has written down its own attempt."""
    world.kms.lags = dict.fromkeys(("GetResources", "ListKeys", "ListResourceTags"), late(600))
    world.start("a", leader_elect=True)
    await world.advance(1)
    world.start("b", leader_elect=True)
    await world.advance(5)
    arrival = world.time + 20

    def replace(call: Call, point: Point) -> float:
        match call.replica, call.name, point:
            case "a", "CreateKey", "after":
                world.delete("orders")
                world.patch("orders", {"metadata": {"finalizers": None}})
                world.apply("orders", description="new")
            case "a", "PATCH kmskeys/status", "before" if world.kms.made:
                world.replicas["a"].freeze()
                return arrival - world.time
            case "b", "CreateKey", "before":
                return arrival - world.time + 1
        return 0.0

    world.traffic.watcher = replace
    world.apply("orders", description="old")
    await world.advance(30)
    world.replicas["a"].kill()
    world.kms.lags = {}
    await _ready(world)


async def _ready(world: World) -> None:
    await world.ready("orders", within=900)


# -- what is taken away


def write_ahead(patch: pytest.MonkeyPatch) -> None:
    original = OwnKey.report

    async def report(self: OwnKey, status: Any, *, exact: bool = False, answer: bool = False) -> None:
        if not exact:
            await original(self, status, answer=answer)

    patch.setattr(OwnKey, "report", report)


def exact_version(patch: pytest.MonkeyPatch) -> None:
    """The server no longer refuses an attempt that was planned on an old version of the object."""
    original = patches._guard
    patch.setattr(patches, "_guard", lambda obj, _exact: original(obj, False))


def same_object(patch: pytest.MonkeyPatch) -> None:
    """The server no longer refuses what was planned for another object of the same name."""
    original = patches._guard
    patch.setattr(patches, "_guard", lambda obj, exact: original(obj, exact)[1:])


def tag_look_up(patch: pytest.MonkeyPatch) -> None:
    async def find_owned(*_: Any, **__: Any) -> Candidates:
        return Candidates((), thorough=True)

    patch.setattr(Search, "find_owned", find_owned)


def grace(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(creation, "proves_none", lambda *_: True)


def lease_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Lease, "held", lambda *_: True)


def verified_id(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deletion, "owned", lambda *_: True)


def shield(patch: pytest.MonkeyPatch) -> None:
    async def unshielded(work: Any) -> Any:
        return await work

    patch.setattr(key_actions, "finish", unshielded)


def single_attempt(patch: pytest.MonkeyPatch) -> None:
    """As the SDK's default would: whatever was not answered is sent again. That the SDK is told not to is held by tests/aws/test_wires.py."""
    original = AwsLine.open

    async def open_wire(self: AwsLine, access: Any, service: str) -> Any:
        wire = await original(self, access, service)
        assert isinstance(wire, _ModelWire)
        return _Retrying(wire)

    patch.setattr(AwsLine, "open", open_wire)


class _Retrying:
    def __init__(self, wire: _ModelWire) -> None:
        self._wire = wire

    async def send(self, operation: str, parameters: Any) -> Any:
        try:
            return await self._wire.send(operation, parameters)
        except ConnectionClosedError:
            return await self._wire.send(operation, parameters)

    async def close(self) -> None:
        await self._wire.close()


GUARDS: dict[Remove, tuple[Story, str]] = {
    write_ahead: (killed_right_after_create_key, "I20"),
    exact_version: (a_standby_s_cache_ends_before_the_attempt, "I1"),
    same_object: (an_answer_is_stored_late_when_the_name_is_another_object_s, "I11"),
    tag_look_up: (the_answer_of_create_key_is_lost, "I1"),
    grace: (killed_right_after_create_key, "I1"),
    lease_check: (the_lease_is_not_renewed_for_a_while, "I7"),
    verified_id: (a_status_names_a_key_of_somebody_else, "I6"),
    shield: (the_process_is_stopped_during_create_key, "I1"),
    single_attempt: (the_answer_of_create_key_is_lost, "I1"),
}


async def harm(story: Story) -> str:
    """What the simulation finds; empty when all is well."""
    async with World() as world:
        promises = Invariants(world)
        try:
            with Passes():
                await story(world)
            promises.check()
        except (AssertionError, BrokenError) as error:
            return str(error) or repr(error)
        return ""


def _name(function: object) -> str:
    return str(getattr(function, "__name__", function))


@pytest.mark.parametrize("story", sorted({story for story, _ in GUARDS.values()}, key=_name), ids=_name)
async def test_with_all_guards_there_is_no_harm(story: Story) -> None:
    assert await harm(story) == ""


@pytest.mark.parametrize("guard", GUARDS, ids=_name)
async def test_without_one_guard_the_harm_is_found(guard: Remove, monkeypatch: pytest.MonkeyPatch) -> None:
    story, broken = GUARDS[guard]
    guard(monkeypatch)
    assert (await harm(story)).partition(":")[0] == broken
