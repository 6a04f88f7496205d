"""Objects come and go for two days, and afterwards the process is as large as before: no queue, store, cache or metric has kept them."""

import gc
import tracemalloc
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from aws.quotas import PER_SECOND
from controller.objects import Ref
from controller.provider_objects import AWSPROVIDERS
from controller.resyncs import MOST_SHARED
from controller.workqueue import VOID_TIMERS_KEPT
from reconcilers.urgency import Urgency
from tests.simulation.aws_wires import internal_error
from tests.simulation.calls import Call
from tests.simulation.dependents import READ, Thing, alias, at, grant
from tests.simulation.faults import silence
from tests.simulation.identities import Credentials
from tests.simulation.kms_model import PAGE_SIZE
from tests.simulation.machine_faults import aws_fault
from tests.simulation.scenarios import FULL, READER
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

HOUR = 3600.0
CYCLES = 12  # of four hours
KINDS = 4
# There are two providers for a while, and between two the operator never guesses.
MAIN = {"providerRef": {"name": "main"}}
OURS = ("aws", "controller", "reconcilers")
SAMPLES = 16  # of a series of that histogram


def weights() -> Counter[str]:
    """How many objects of each class of ours there are, and how much their collections hold in all."""
    gc.collect()
    found: Counter[str] = Counter()
    for one in gc.get_objects():
        if str(type(one).__module__).partition(".")[0] in OURS:
            found[type(one).__name__] += 1
            for name, value in _attributes(one):
                if isinstance(value, Collection) and not isinstance(value, str | bytes | bytearray):
                    found[f"{type(one).__name__}.{name}"] += len(value)
    found.update({f"series of {metric.name}": len(metric.samples) for metric in REGISTRY.collect()})
    return found


def _attributes(one: object) -> Iterator[tuple[str, Any]]:
    slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
    yield from ((name, getattr(one, name)) for name in slots if hasattr(one, name))
    yield from getattr(one, "__dict__", {}).items()


async def _come_and_go(world: World, number: int) -> None:
    """A key of each kind of end, what hangs on one, a provider, and one that is refused; four hours later no object is there any more."""
    specs = {
        f"scheduled-{number}": FULL | {"aliases": [f"orders-{number}"]},
        f"forced-{number}": {"deletionPolicy": "ForceDelete", "grants": [READER]},
        f"disabled-{number}": {"deletionPolicy": "DisableKey"},
        f"retained-{number}": {"deletionPolicy": "Retain"},
    }
    for name, spec in specs.items():
        world.apply(name, **spec | MAIN)
    world.apply(f"wrong-{number}", keyPolicy="{}")
    provider, front, reader = Thing(world, AWSPROVIDERS, f"{number}"), alias(world, f"front-{number}"), grant(world, f"reader-{number}")
    provider.apply(region="eu-west-1", credentialsSecret={"name": "aws-credentials"})
    front.apply(aliasName=f"front-{number}", **at(f"scheduled-{number}"))
    reader.apply(**at(f"scheduled-{number}"), **READ)
    await world.ready(*specs)
    await front.ready()
    await reader.ready()
    await world.advance(2 * HOUR)
    world.traffic.faults.on(aws_fault("internal error", "*", 7))  # so that there are failures to forget
    for thing in (front, reader, provider):
        thing.delete()
        await thing.gone()
    for name in [*specs, f"wrong-{number}"]:
        world.delete(name)
        await world.gone(name)
    await world.advance(2 * HOUR)


def _forget_what_is_the_world_s(world: World) -> None:
    """Events expire after an hour; the rest is there for tests to look at."""
    for event in world.events:
        world.etcd.delete("events", Ref(event["metadata"]["namespace"], event["metadata"]["name"]))
    world.etcd.log.clear()
    world.traffic.calls.clear()


@pytest.mark.holds("I22")
async def test_two_days_of_coming_and_going_leave_nothing_in_the_process() -> None:
    async with World() as world:
        world.start("a", resync_interval=timedelta(days=3))  # no timer of an object that is gone ends by itself
        world.apply("stays", **FULL | MAIN)
        await _come_and_go(world, 0)
        await world.advance(HOUR)
        _forget_what_is_the_world_s(world)
        before = weights()
        for number in range(1, CYCLES):
            await _come_and_go(world, number)
            _forget_what_is_the_world_s(world)
        await world.advance(HOUR)
        _forget_what_is_the_world_s(world)
        after = weights()
        grown = after - before
        void = grown.pop("WorkQueue._heap", 0)
        assert void <= KINDS * VOID_TIMERS_KEPT
        assert grown.pop("Ref", 0) <= void
        assert grown.pop("Call", 0) <= MOST_SHARED  # kinds of looks, noted once for all objects
        # One series for each operation and urgency; which calls the failures meet, and are made again, is not the same in each cycle.
        assert grown.pop("series of aws_quota_wait_seconds", 0) <= len(PER_SECOND) * len(Urgency) * SAMPLES
        assert grown.pop("KeyIndex._read") <= len(world.kms.keys)  # keys that may come back
        pages = len(world.kms.keys) // PAGE_SIZE  # of the list of keys: the calls of the second in which it was read last
        assert max(grown.pop("Bucket._dealt", 0), grown.pop("Gate._sent", 0)) <= pages
        assert grown == Counter()


@pytest.mark.holds("I22")
async def test_of_an_object_that_goes_while_it_is_unknown_whether_it_has_a_key_nothing_is_kept() -> None:
    async with World() as world:
        world.start("a")
        world.traffic.faults.on(internal_error("CreateKey"))
        world.apply("orders")
        await world.reason("orders", "CreationUnknown")
        known = weights()["KnownAttempts._since"]
        world.delete("orders")
        await world.gone("orders")
        await world.advance(1)
        assert weights()["KnownAttempts._since"] == known - 1


@pytest.mark.holds("I22")
async def test_of_an_object_whose_end_the_watch_tells_before_the_patch_that_let_it_go_is_answered_nothing_is_kept() -> None:
    def watcher(call: Call, at: str) -> float:
        if (call.name, at) == ("ScheduleKeyDeletion", "after"):
            world.traffic.faults.on(silence("PATCH kmskeys", 1, executes=True))
        return 0.0

    async with World() as world:
        world.start("a")
        world.apply("orders")
        await world.ready("orders")
        known = weights()
        world.traffic.watcher = watcher
        world.delete("orders")
        await world.gone("orders")
        await world.advance(600)
        left = weights()
        assert left["KeyMemory._worked_on"] == known["KeyMemory._worked_on"] - 1
        assert left["KeyMemory.ended"] == known["KeyMemory.ended"]


# -- in bytes

CODE = [tracemalloc.Filter(True, str(Path(__file__).parents[2] / folder / "*")) for folder in OURS]  # who has allocated what is still held
MANY = 12  # cycles
A_MADE_KEY = 512  # of a key that may come back its ARN and its owner are remembered: some 350 bytes
KEPT_FOR_LATER = 12 * 1024  # what Python and pydantic keep for the next objects of a kind; after 50 cycles it grows no more


async def _change_and_rotate(world: World, number: int) -> None:
    """A key with an alias is made, changed, and deleted; meanwhile the provider gets other credentials."""
    name, new = f"orders-{number}", Credentials(f"AKIACANARY{number:010}", f"canary/secret+access+key/{number:016}")
    spec = FULL | MAIN | {"aliases": [name]}
    world.apply(name, **spec)
    await world.ready(name)
    world.aws.identities.add(new)
    world.set_secret(new)
    await world.advance(70)  # a Secret is read once a minute
    world.apply(name, **spec | {"description": "changed"})
    await world.ready(name)
    world.delete(name)
    await world.gone(name)
    await world.advance(70)


def _held(world: World, logs: list[Any]) -> int:
    """Without what the test itself still has: the log, the requests, the keys of objects that are gone."""
    logs.clear()
    _forget_what_is_the_world_s(world)
    for key in world.kms.keys:
        if key.is_leaving:
            world.kms.destroy(key.arn)
    world.kms.made.clear()
    gc.collect()
    return sum(one.size for one in tracemalloc.take_snapshot().filter_traces(CODE).statistics("filename"))


@pytest.mark.holds("I22")
async def test_twice_as_many_changes_and_rotations_take_no_more_memory(logs: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.events.SERIES_SECONDS", 60.0)  # an hour as shipped: so long the events of what is gone are remembered
    async with World() as world:
        world.start("a")
        world.apply("stays", **FULL | MAIN)
        tracemalloc.start()
        try:
            sizes = []
            for cycles in (range(MANY), range(MANY, 2 * MANY)):
                for number in cycles:
                    await _change_and_rotate(world, number)
                sizes.append(_held(world, logs))
        finally:
            tracemalloc.stop()
        assert sizes[1] - sizes[0] <= MANY * A_MADE_KEY + KEPT_FOR_LATER
