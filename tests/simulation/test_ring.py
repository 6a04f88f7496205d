"""The shards of a ring in virtual time, and a sharder that the tests play: it gives objects to shards and asks them back."""

import pytest

from controller.key_objects import KMSKEYS
from controller.kmsaliases import KMSALIASES
from controller.kube import MERGE_PATCH
from controller.leases import RING_LABEL
from controller.objects import Resource
from reconcilers.names import API_VERSION
from tests.simulation.calls import Call
from tests.simulation.etcd import Json
from tests.simulation.lines import Point
from tests.simulation.replicas import Replica
from tests.simulation.world import NAMESPACE, World

pytestmark = pytest.mark.virtual_time

RING = "keys"
SHARD, DRAIN = f"shard.alpha.sharding.timebertt.dev/{RING}", f"drain.alpha.sharding.timebertt.dev/{RING}"


async def shards(world: World, *names: str) -> tuple[Replica, ...]:
    started = tuple(world.start(name, controller_ring=RING, leader_elect=True) for name in names)
    await world.advance(5)
    return started


def label(world: World, labels: dict[str, str | None], name: str = "orders", kind: Resource = KMSKEYS) -> None:
    world.user("PATCH", kind.path(NAMESPACE, name), {"metadata": {"labels": labels}}, MERGE_PATCH)


def assign(world: World, shard: Replica, name: str = "orders", kind: Resource = KMSKEYS) -> None:
    label(world, {SHARD: shard.seat.work.name}, name, kind)


def drain(world: World, name: str = "orders") -> None:
    label(world, {DRAIN: "true"}, name)


def labels(world: World, name: str = "orders") -> Json:
    found: Json = (world.find(name) or {})["metadata"].get("labels", {})
    return found


def lease_of(world: World, shard: Replica) -> Json:
    (found,) = (lease for lease in world.etcd.all("leases") if lease["metadata"]["name"] == shard.seat.work.name)
    return found


def wrote(world: World, since: float, name: str = "") -> set[str]:
    """Which processes have written to AWS since then."""
    return {call.replica for call in world.traffic.executed("aws", since) if call.writes and name in call.name}


async def test_a_shard_works_on_what_it_was_given_and_on_nothing_else() -> None:
    async with World() as world:
        first, second = await shards(world, "a", "b")
        world.apply("orders")
        world.apply("sales")
        world.apply("nobodys")
        assign(world, first, "orders")
        assign(world, second, "sales")
        await world.ready("orders", "sales")
        await world.advance(60)
        assert len(world.kms.keys) == 2
        assert not world.status("nobodys").get("keyId")


async def test_the_lease_of_a_shard_bears_the_rings_label_and_its_holders_name() -> None:
    async with World() as world:
        (shard,) = await shards(world, "a")
        lease = lease_of(world, shard)
        assert lease["metadata"]["labels"] == {RING_LABEL: RING}
        assert lease["spec"]["holderIdentity"] == lease["metadata"]["name"]


async def test_a_drained_object_loses_both_labels_in_one_patch_and_gets_no_new_pass() -> None:
    async with World() as world:
        first, second = await shards(world, "a", "b")
        world.apply("orders", description="Orders")
        assign(world, first)
        await world.ready("orders")
        drained = world.time
        drain(world)
        await world.until(lambda: not labels(world))
        changes = [e.body["metadata"].get("labels", {}) for e in world.etcd.log if e.plural == "kmskeys" and e.at >= drained]
        assert [set(change) for change in changes] == [{SHARD, DRAIN}, set()]
        world.apply("orders", description="All orders")
        await world.advance(30)
        assert world.key("orders").description == "Orders"
        assign(world, second)
        await world.ready("orders")
        assert world.key("orders").description == "All orders"
        assert wrote(world, drained) == {"b"}


async def test_an_object_that_is_drained_while_its_key_is_made_is_given_back_with_its_key() -> None:
    async with World() as world:
        first, second = await shards(world, "a", "b")
        world.apply("orders", enableKeyRotation=True)

        def watch(call: Call, at: Point) -> float:
            if (call.name, at) == ("CreateKey", "before"):
                drain(world)
                return 2.0
            return 0.0

        world.traffic.watcher = watch
        assign(world, first)
        await world.until(lambda: not labels(world), within=60)
        assert world.status("orders")["keyId"] == world.kms.keys[0].key_id
        assign(world, second)
        await world.ready("orders")
        assert len(world.kms.keys) == 1


async def test_the_objects_of_a_dead_shard_are_finished_by_the_one_that_gets_them() -> None:
    """The sharder gives them away once it has taken the dead shard's Lease."""
    async with World() as world:
        first, second = await shards(world, "a", "b")
        world.apply("orders", enableKeyRotation=True)
        assign(world, first)

        def watch(call: Call, at: Point) -> float:
            if (call.name, at) == ("CreateKey", "after"):
                first.kill()
            return 0.0

        world.traffic.watcher = watch
        await world.advance(60)
        assign(world, second)
        await world.ready("orders", within=900)
        assert [key.key_id for key in world.kms.keys] == [world.status("orders")["keyId"]]


async def test_a_shard_whose_lease_the_sharder_has_taken_ends() -> None:
    async with World() as world:
        first, _ = await shards(world, "a", "b")
        lease = lease_of(world, first)
        path = f"/apis/coordination.k8s.io/v1/namespaces/{lease['metadata']['namespace']}/leases/{first.seat.work.name}"
        world.user("PUT", path, {**lease, "spec": {**lease["spec"], "holderIdentity": "shardlease-controller"}})
        assert await first.ended() == 1


async def test_a_shard_that_is_ended_in_order_gives_its_lease_back() -> None:
    async with World() as world:
        (first,) = await shards(world, "a")
        first.terminate()
        assert await first.ended() == 0
        assert lease_of(world, first)["spec"]["holderIdentity"] == ""


async def test_the_quotas_are_divided_by_the_shards_that_live() -> None:
    """CreateKey: 5 a second, half of them ours. Three shards make a key each 1.2 s, one alone each 0.4 s."""
    async with World() as world:
        first, *others = await shards(world, "a", "b", "c")
        await world.advance(20)
        names = [f"k{number}" for number in range(12)]
        for name in names:
            world.apply(name)
            assign(world, first, name)
        await world.ready(*names, within=120)
        shared = made_within(world)
        for other in others:
            other.kill()
        await world.advance(30)
        more = [f"m{number}" for number in range(12)]
        began = world.time
        for name in more:
            world.apply(name)
            assign(world, first, name)
        await world.ready(*more, within=120)
        assert made_within(world, began) < shared / 2


def made_within(world: World, since: float = 0.0) -> float:
    """Seconds from the second CreateKey to the last: the first takes what has gathered."""
    times = [call.at for call in world.traffic.executed("aws", since) if call.name == "CreateKey"]
    return times[-1] - times[1]


async def test_an_alias_object_is_drained_too() -> None:
    async with World() as world:
        first, _ = await shards(world, "a", "b")
        world.apply("orders")
        assign(world, first)
        await world.ready("orders")
        body = {
            "apiVersion": API_VERSION,
            "kind": "KMSAlias",
            "metadata": {"name": "name", "labels": {SHARD: first.seat.work.name}},
            "spec": {"aliasName": "alias/orders", "targetRef": {"name": "orders"}},
        }
        world.user("POST", KMSALIASES.path(NAMESPACE), body)
        await world.until(lambda: "alias/orders" in world.key("orders").aliases)
        label(world, {DRAIN: "true"}, "name", KMSALIASES)
        await world.advance(10)
        (alias,) = world.etcd.all("kmsaliases")
        assert not alias["metadata"].get("labels")
