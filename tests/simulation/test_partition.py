"""Two processes that divide the objects by labels: what leaves one of them is not gone, and nothing is done twice."""

import pytest
from prometheus_client import REGISTRY
from structlog.typing import EventDict

from controller.key_objects import KMSKEYS
from controller.kmsaliases import KMSALIASES
from controller.kmsgrants import KMSGRANTS
from controller.kube import MERGE_PATCH
from controller.objects import Ref, Resource
from controller.provider_objects import AWSPROVIDERS
from controller.selectors import parse_selector
from reconcilers.names import API_VERSION, AWSPROVIDER_FINALIZER
from tests.simulation.calls import Call
from tests.simulation.dependents import Thing
from tests.simulation.etcd import Json
from tests.simulation.lines import Point
from tests.simulation.replicas import Replica
from tests.simulation.world import NAMESPACE, World

pytestmark = pytest.mark.virtual_time

MAIN = Ref(NAMESPACE, "main")


def start(world: World, shard: str) -> Replica:
    """The process for the objects with this label."""
    return world.start(shard, watch_selector=parse_selector(f"shard={shard}"), leader_elect=True)


async def two(world: World) -> tuple[Replica, Replica]:
    """For a and for b; a keeps what is not divided."""
    first = start(world, "a")
    await world.advance(5)
    second = start(world, "b")
    await world.advance(5)
    return first, second


def declare(world: World, shard: str | None, name: str = "orders", kind: Resource = KMSKEYS, **spec: object) -> None:
    metadata = {"name": name, "labels": {"shard": shard} if shard else {}}
    world.user("POST", kind.path(NAMESPACE), {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": metadata, "spec": spec})


def hand(world: World, shard: str | None, name: str = "orders", kind: Resource = KMSKEYS) -> None:
    """Gives the object to another process, or to none."""
    world.user("PATCH", kind.path(NAMESPACE, name), {"metadata": {"labels": {"shard": shard}}}, MERGE_PATCH)


def by(world: World, replica: str, since: float, name: str = "*") -> list[str]:
    """The writes of a replica since then, leases left out."""
    calls = [*world.traffic.executed("aws", since), *world.traffic.executed("kube", since)]
    return [call.name for call in calls if call.replica == replica and "leases" not in call.name and name in {"*", call.name}]


def orphans() -> float:
    return REGISTRY.get_sample_value("orphan_keys") or 0.0


def provider(world: World) -> Json:
    found = world.etcd.get("awsproviders", MAIN)
    assert found is not None
    return found


async def test_each_process_works_on_its_own_objects() -> None:
    async with World() as world:
        await two(world)
        declare(world, "a", "one")
        declare(world, "b", "two")
        declare(world, None, "nobodys")
        await world.ready("one", "two")
        await world.advance(120)
        assert [by(world, shard, 0, "CreateKey") for shard in ("a", "b")] == [["CreateKey"], ["CreateKey"]]
        assert "status" not in (world.find("nobodys") or {}) or not world.status("nobodys").get("keyId")


async def test_a_key_that_is_handed_over_is_no_orphan_and_the_other_process_goes_on_with_it(logs: list[EventDict]) -> None:
    async with World() as world:
        await two(world)
        declare(world, "a", description="Orders")
        await world.ready("orders")
        before, handed = orphans(), world.time
        hand(world, "b")
        await world.advance(5)
        world.apply("orders", description="All orders")
        await world.ready("orders")
        await world.advance(120)
        assert orphans() == before
        assert [line for line in logs if line["event"] == "orphan_key"] == []
        assert world.key("orders").description == "All orders"
        assert len(world.kms.keys) == 1
        assert [name for name in by(world, "a", handed) if "kmskeys" in name or "Key" in name] == []


async def test_a_key_whose_object_goes_away_unprotected_is_an_orphan_all_the_same() -> None:
    async with World() as world:
        await two(world)
        declare(world, "a")
        await world.ready("orders")
        before = orphans()
        world.etcd.delete("kmskeys", Ref(NAMESPACE, "orders"))
        await world.advance(10)
        assert orphans() == before + 1


async def test_a_key_whose_object_was_made_again_while_another_process_had_it_is_an_orphan() -> None:
    """It left and was deleted before the first process could look."""
    async with World() as world:
        first, _ = await two(world)
        declare(world, "a")
        await world.ready("orders")
        before = orphans()
        first.freeze()
        world.etcd.delete("kmskeys", Ref(NAMESPACE, "orders"))
        declare(world, None)
        first.thaw()
        await world.advance(10)
        assert orphans() == before + 1


@pytest.mark.parametrize("point", ["before", "after"])
async def test_an_object_that_is_handed_over_while_its_key_is_made_has_one_key(point: Point) -> None:
    async with World() as world:
        await two(world)
        declare(world, "a")

        def watch(call: Call, at: Point) -> float:
            if (call.name, at) == ("CreateKey", point) and call.replica == "a":
                hand(world, "b")
                return 3.0  # the watch tells it before the answer comes
            return 0.0

        world.traffic.watcher = watch
        await world.ready("orders")
        await world.advance(300)
        assert len(world.kms.keys) == 1
        assert world.is_ready("orders")
        assert world.status("orders")["keyId"] == world.kms.keys[0].key_id


async def test_the_answer_of_a_creation_that_cannot_be_stored_outlives_the_handing_over() -> None:
    """The patch of the id fails, and meanwhile the object is another's: that one finds the key by its tags."""
    async with World() as world:
        await two(world)
        declare(world, "a")
        handed = False

        def watch(call: Call, at: Point) -> float:
            nonlocal handed
            if call.name == "CreateKey" and at == "after" and not handed:
                handed = True
                world.replicas["a"].line.cut = True
                hand(world, "b")
            return 0.0

        world.traffic.watcher = watch
        await world.ready("orders", within=1200)
        assert [key.key_id for key in world.kms.keys] == [world.status("orders")["keyId"]]


async def test_a_pass_does_not_go_on_with_an_object_that_has_left() -> None:
    async with World() as world:
        await two(world)
        declare(world, "a", enableKeyRotation=True, description="Orders")
        await world.ready("orders")
        world.apply("orders", enableKeyRotation=False, description="All orders", tags={"team": "shop"})
        handed_at = 0.0

        def watch(call: Call, at: Point) -> float:
            nonlocal handed_at
            if call.replica == "a" and call.target == "aws" and call.writes and at == "before" and not handed_at:
                handed_at = world.time
                hand(world, "b")
                return 2.0
            return 0.0

        world.traffic.watcher = watch
        await world.ready("orders")
        await world.advance(60)
        writes = [call for call in world.traffic.executed("aws", handed_at) if call.replica == "a"]
        assert len(writes) == 1  # the one that was on its way
        assert [name for name in by(world, "a", handed_at) if "kmskeys" in name] == []


async def test_a_late_watch_cannot_write_over_the_status_of_an_object_that_has_left() -> None:
    async with World() as world:
        first, _ = await two(world)
        declare(world, "a", description="Orders")
        await world.ready("orders")
        first.transport.delay = 60.0
        hand(world, "b")
        handed = world.time
        await world.advance(1)
        world.outside("UpdateKeyDescription", KeyId=world.key("orders").key_id, Description="by hand")
        await world.advance(59)  # its resync comes in between
        assert [name for name in by(world, "a", handed) if "kmskeys" in name] == []


async def test_a_deleted_object_is_undone_by_the_process_that_has_it_now() -> None:
    async with World() as world:
        await two(world)
        declare(world, "a")
        await world.ready("orders")
        handed = world.time
        hand(world, "b")
        world.delete("orders")
        await world.gone("orders")
        await world.advance(30)
        assert [key.state for key in world.kms.keys] == ["PendingDeletion"]
        assert (by(world, "a", handed, "ScheduleKeyDeletion"), len(by(world, "b", handed, "ScheduleKeyDeletion"))) == ([], 1)


async def test_one_of_them_writes_the_providers_and_counts_the_keys_of_all() -> None:
    async with World() as world:
        await two(world)
        declare(world, "a", "one")
        declare(world, "b", "two")
        await world.ready("one", "two")
        await world.until(lambda: provider(world).get("status", {}).get("keysInUse") == 2)
        await world.advance(300)
        assert [name for name in by(world, "b", 0) if name == "PATCH awsproviders/status"] == []
        settled = world.time
        await world.advance(300)
        assert [name for shard in "ab" for name in by(world, shard, settled)] == []


async def test_when_the_keeper_goes_another_one_keeps() -> None:
    async with World() as world:
        first, _ = await two(world)
        await world.until(lambda: "status" in provider(world))
        first.terminate()
        await first.ended()
        declare(world, "b")
        await world.ready("orders")
        await world.until(lambda: provider(world)["status"].get("keysInUse") == 1)


@pytest.mark.parametrize("keeper_s_last", [True, False])
async def test_a_deleted_provider_stays_until_no_process_has_a_key_of_it(keeper_s_last: bool) -> None:
    async with World() as world:
        await two(world)
        declare(world, "a", "one")
        declare(world, "b", "two")
        await world.ready("one", "two")
        assert AWSPROVIDER_FINALIZER in provider(world)["metadata"]["finalizers"]
        world.user("DELETE", AWSPROVIDERS.path(*MAIN))
        names = ["two", "one"] if keeper_s_last else ["one", "two"]
        world.delete(names[0])
        await world.gone(names[0])
        await world.advance(120)
        assert world.etcd.get("awsproviders", MAIN) is not None
        world.delete(names[1])
        await world.gone(names[1])
        await world.until(lambda: world.etcd.get("awsproviders", MAIN) is None, within=90)


async def test_a_key_that_comes_while_its_provider_is_deleted_gets_no_key_or_keeps_its_provider() -> None:
    """The second process has not heard of the deletion yet."""
    async with World() as world:
        _, second = await two(world)
        declare(world, "a", "one")
        await world.ready("one")
        second.transport.delay = 20.0
        world.delete("one")
        await world.gone("one")
        declare(world, "b", "two")
        await world.advance(19.9)
        world.user("DELETE", AWSPROVIDERS.path(*MAIN))
        await world.advance(300)
        made = [key for key in world.kms.keys if key.state == "Enabled"]
        assert (world.etcd.get("awsproviders", MAIN) is not None) is bool(made)


async def test_a_dependent_finds_its_key_at_another_process() -> None:
    async with World() as world:
        await two(world)
        alias, grant = Thing(world, KMSALIASES, "by-name"), Thing(world, KMSGRANTS, "by-id")
        declare(world, "a", "by-name", KMSALIASES, aliasName="alias/by-name", targetRef={"name": "orders"})
        declare(world, "b")
        await world.ready("orders")
        principal = {"granteePrincipal": "arn:aws:iam::123456789012:role/app", "operations": ["Decrypt"]}
        declare(world, "a", "by-id", KMSGRANTS, targetKeyId=world.status("orders")["keyId"], **principal)
        await world.until(lambda: alias.is_ready() and grant.is_ready())


async def test_a_key_of_another_process_s_object_is_not_used_without_its_consent() -> None:
    """An object that only observes a key has put no tags on it that would tell whose it is."""
    async with World() as world:
        await two(world)
        made = world.outside("CreateKey")["KeyMetadata"]["KeyId"]
        world.user("POST", "/api/v1/namespaces", {"metadata": {"name": "mail"}})
        declare(world, "b", managementPolicy="Observe", adopt={"keyId": made})
        await world.until(lambda: world.status("orders").get("keyId") == made)
        body = {"apiVersion": API_VERSION, "kind": "KMSAlias", "metadata": {"name": "x", "labels": {"shard": "a"}}}
        spec = {"aliasName": "alias/x", "targetKeyId": made, "providerRef": {"name": "main", "namespace": NAMESPACE}}
        world.patch_provider({"allowedNamespaces": {"names": ["mail"]}})
        world.user("POST", KMSALIASES.path("mail"), {**body, "spec": spec})
        thing = Thing(world, KMSALIASES, "x", "mail")
        await world.until(lambda: thing.condition().get("reason") == "TargetNotAllowed")
        await world.advance(300)
        assert world.traffic.names("aws")["CreateAlias"] == 0


async def test_an_alias_that_an_object_of_another_process_names_is_a_conflict() -> None:
    async with World() as world:
        await two(world)
        declare(world, "a", "one", aliases=["alias/shared"])
        declare(world, "b", "two")
        await world.ready("one", "two")
        declare(world, "b", "late", KMSALIASES, aliasName="alias/shared", targetRef={"name": "one"})
        late = Thing(world, KMSALIASES, "late")
        await world.until(lambda: late.condition().get("reason") == "AliasConflict")


async def test_a_key_leaves_an_alias_to_the_kmsalias_of_another_process() -> None:
    async with World() as world:
        await two(world)
        declare(world, "a")
        await world.ready("orders")
        declare(world, "b", "name", KMSALIASES, aliasName="alias/shared", targetRef={"name": "orders"})
        await world.until(Thing(world, KMSALIASES, "name").is_ready)
        world.apply("orders", aliases=["alias/shared"])
        await world.reason("orders", "AliasConflict")


async def test_a_key_that_an_object_of_another_process_has_is_not_taken_over() -> None:
    async with World() as world:
        await two(world)
        declare(world, "a", "one")
        await world.ready("one")
        declare(world, "b", "two", adopt={"keyId": world.status("one")["keyId"]})
        await world.until(lambda: world.condition("two").get("status") == "False")
        await world.advance(120)
        assert world.status("two").get("keyId") is None
        assert world.is_ready("one")


async def test_two_selectors_have_two_leases_and_one_leader_each() -> None:
    async with World() as world:
        await two(world)
        world.start("a2", watch_selector=parse_selector("shard==a"), leader_elect=True)
        await world.advance(10)
        leases = {lease["metadata"]["name"]: lease["spec"]["holderIdentity"] for lease in world.etcd.all("leases")}
        assert sorted(leases.values()) == ["a", "a", "b"]
        declare(world, "a")
        world.replicas["a"].kill()
        await world.ready("orders")
        assert by(world, "a2", 0, "CreateKey") == ["CreateKey"]
