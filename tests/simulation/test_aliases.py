"""Aliases through the whole controller: drift, conflicts, coming back, and reads that are late."""

import pytest

from tests.simulation.etcd import Json
from tests.simulation.kms_model import late
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

NAMED: Json = {"aliases": ["orders", "alias/sales"]}
BOTH = frozenset({"alias/orders", "alias/sales"})
ALIAS_WRITES = {"CreateAlias", "UpdateAlias", "DeleteAlias"}


async def _made(world: World, name: str = "orders", **spec: object) -> str:
    """The ARN of the key of a new object that is ready."""
    if "a" not in world.replicas:
        world.start("a")
    world.apply(name, **spec)
    await world.ready(name)
    return world.key(name).arn


def _alias_writes(world: World, since: float) -> dict[str, int]:
    return {name: count for name, count in world.traffic.names("aws", since).items() if name in ALIAS_WRITES}


async def test_a_new_key_gets_its_aliases_and_the_status_names_them() -> None:
    async with World() as world:
        await _made(world, **NAMED)
        assert world.key("orders").aliases == BOTH
        assert world.status("orders")["aliases"] == sorted(BOTH)


async def test_a_key_without_aliases_costs_no_call_about_them() -> None:
    async with World() as world:
        await _made(world)
        await world.advance(300)
        assert "ListAliases" not in {call.name for call in world.traffic.calls}


@pytest.mark.holds("F65")
async def test_an_alias_deleted_outside_is_made_again_with_one_write_and_a_warning() -> None:
    async with World() as world:
        await _made(world, **NAMED)
        began = world.time
        world.outside("DeleteAlias", AliasName="alias/orders")
        await world.advance(130)
        assert world.key("orders").aliases == BOTH
        assert world.traffic.names("aws", began) == {"CreateAlias": 1}
        assert [event["type"] for event in world.events if event["reason"] == "DriftCorrected"] == ["Warning"]


@pytest.mark.holds("F66")
async def test_an_alias_moved_outside_is_a_conflict_until_it_is_free() -> None:
    async with World() as world:
        await _made(world, **NAMED)
        other = str(world.outside("CreateKey")["KeyMetadata"]["Arn"])
        world.outside("UpdateAlias", AliasName="alias/orders", TargetKeyId=other)
        began = world.time
        await world.reason("orders", "AliasConflict")
        await world.advance(600)
        assert other in world.condition("orders")["message"]
        assert world.status("orders")["aliases"] == ["alias/sales"]
        assert world.traffic.names("aws", began) == {}
        world.outside("DeleteAlias", AliasName="alias/orders")
        await world.ready("orders")
        assert world.key("orders").aliases == BOTH


@pytest.mark.holds("F66")
async def test_two_objects_that_want_one_alias_do_not_fight_and_the_later_one_waits() -> None:
    async with World() as world:
        first = await _made(world, **NAMED)
        world.apply("invoices", aliases=["orders", "bills"], description="x", enabled=False)
        await world.reason("invoices", "AliasConflict")
        await world.advance(600)
        began = world.time
        assert first in world.condition("invoices")["message"]
        assert (world.key("invoices").aliases, world.key("invoices").state) == (frozenset({"alias/bills"}), "Disabled")
        assert (world.key("orders").aliases, world.is_ready("orders")) == (BOTH, True)
        await world.advance(3600)
        assert world.traffic.names("aws", began) == {}
        world.apply("orders", aliases=["sales"])
        await world.ready("orders", "invoices")
        assert world.key("invoices").aliases == {"alias/orders", "alias/bills"}


async def test_the_loser_that_goes_leaves_the_alias_to_its_owner() -> None:
    async with World() as world:
        await _made(world, **NAMED)
        world.apply("invoices", **NAMED)
        await world.reason("invoices", "AliasConflict")
        world.delete("invoices")
        await world.gone("invoices")
        assert world.key("orders").aliases == BOTH


async def test_an_alias_of_somebody_else_on_the_key_is_left_alone() -> None:
    async with World() as world:
        arn = await _made(world, **NAMED)
        world.outside("CreateAlias", AliasName="alias/theirs", TargetKeyId=arn)
        world.apply("orders", aliases=[])
        await world.ready("orders")
        await world.advance(130)
        assert world.key("orders").aliases == {"alias/theirs"}
        world.delete("orders")
        await world.gone("orders")
        assert [key.aliases for key in world.kms.keys] == [{"alias/theirs"}]


@pytest.mark.parametrize("policy", ["ScheduleKeyDeletion", "Retain", "DisableKey"])
async def test_an_object_made_again_gets_its_key_back_with_its_aliases(policy: str) -> None:
    async with World() as world:
        arn = await _made(world, **NAMED, deletionPolicy=policy)
        world.delete("orders")
        await world.gone("orders")
        assert world.kms.keys[0].aliases == (set() if policy == "ScheduleKeyDeletion" else BOTH)
        assert await _made(world, **NAMED, deletionPolicy=policy) == arn
        assert world.key("orders").aliases == BOTH
        assert world.status("orders")["aliases"] == sorted(BOTH)


async def test_the_aliases_of_a_deleted_key_are_free_for_another() -> None:
    async with World() as world:
        await _made(world, **NAMED)
        world.delete("orders")
        await world.gone("orders")
        await _made(world, "invoices", **NAMED)
        assert world.key("invoices").aliases == BOTH


@pytest.mark.parametrize("seconds", [20.0, 290.0])
async def test_late_reads_cost_no_second_alias_and_end_well(seconds: float) -> None:
    async with World() as world:
        await _made(world)
        for operation in ("DescribeKey", "ListAliases"):
            world.kms.lags[operation] = late(seconds)
        await world.advance(seconds)
        began = world.time
        world.apply("orders", **NAMED)
        await world.advance(2 * seconds + 130)
        assert world.is_ready("orders")
        assert world.key("orders").aliases == BOTH
        assert _alias_writes(world, began) == {"CreateAlias": 2}
        world.apply("orders")
        await world.advance(2 * seconds + 130)
        assert world.key("orders").aliases == set()
        assert world.is_ready("orders")


async def test_aliases_that_may_not_be_listed_are_left_as_they_are() -> None:
    async with World() as world:
        await _made(world, **NAMED)
        world.kms.denied.add("ListAliases")
        world.apply("orders", aliases=["new"])
        await world.reason("orders", "AccessDenied")
        began = world.time
        await world.advance(600)
        assert _alias_writes(world, began) == {}
        world.kms.denied.clear()
        await world.ready("orders")
        assert world.key("orders").aliases == {"alias/new"}
