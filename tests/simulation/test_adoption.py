"""Keys that were there before their objects: who gets them, who does not, and what is left alone."""

from collections.abc import Callable

import pytest

from reconcilers.names import OWNER_TAG, UID_TAG
from tests.simulation.aws_wires import internal_error, lost_answer
from tests.simulation.faults import Fault
from tests.simulation.kms_model import late
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time


def given(world: World, alias: str | None = None, **parameters: object) -> str:
    """The id of a key that somebody else made."""
    key_id: str = world.outside("CreateKey", **parameters)["KeyMetadata"]["KeyId"]
    if alias is not None:
        world.outside("CreateAlias", AliasName=alias, TargetKeyId=key_id)
    return key_id


async def test_another_object_s_key_is_refused_until_that_object_has_let_it_go() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", deletionPolicy="Retain")
        await world.ready("orders")
        key_id = world.status("orders")["keyId"]
        world.apply("invoices", adopt={"keyId": key_id})
        await world.reason("invoices", "AdoptionRefused")
        assert "shop/orders" in world.condition("invoices")["message"]
        world.delete("orders")
        await world.gone("orders")
        await world.ready("invoices")
        assert [(key.key_id, key.tags[OWNER_TAG]) for key in world.kms.keys] == [(key_id, "shop/invoices")]


async def test_an_object_whose_owner_tags_were_removed_still_has_its_key() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders")
        await world.ready("orders")
        key = world.key("orders")
        world.kms.edit(key.arn, tags={})
        world.apply("invoices", adopt={"keyId": key.key_id})
        await world.reason("invoices", "AdoptionRefused")
        await world.advance(300)
        assert world.key("orders").tags == {}


async def test_of_two_objects_that_adopt_one_key_at_once_one_gets_it() -> None:
    async with World() as world:
        world.start("a")
        await world.advance(1)
        given(world, "alias/theirs", Description="theirs")
        names = [f"orders-{number}" for number in range(4)]
        for name in names:
            world.apply(name, adopt={"alias": "theirs"}, description=name)
        await world.advance(900)
        owners = [name for name in names if world.is_ready(name)]
        (key,) = world.kms.keys
        assert [(f"shop/{name}", name) for name in owners] == [(key.tags[OWNER_TAG], key.description)]


async def test_an_alias_that_is_moved_later_leads_to_no_second_key() -> None:
    async with World() as world:
        world.start("a")
        first = given(world, "alias/theirs")
        second = given(world)
        world.apply("orders", adopt={"alias": "theirs"})
        await world.ready("orders")
        world.outside("UpdateAlias", AliasName="alias/theirs", TargetKeyId=second)
        world.replicas["a"].kill()
        world.start("b")
        await world.advance(300)
        assert world.is_ready("orders")
        assert [key.key_id for key in world.kms.keys if UID_TAG in key.tags] == [first]


@pytest.mark.holds("I25")
async def test_an_observed_key_is_never_written_to_not_even_when_the_object_goes() -> None:
    async with World() as world:
        world.start("a")
        given(world, "alias/theirs", Description="theirs")
        world.apply("orders", adopt={"alias": "theirs"}, managementPolicy="Observe", description="mine", deletionPolicy="Delete")
        await world.ready("orders")
        assert world.status("orders")["keyState"] == "Enabled"
        world.delete("orders")
        await world.gone("orders")
        assert world.traffic.names("aws") == {}


@pytest.mark.parametrize("lost", [lost_answer, internal_error])
async def test_an_object_that_observes_from_the_middle_of_a_creation_says_what_is_so_and_has_one_key_later(
    lost: Callable[[str], Fault],
) -> None:
    async with World() as world:
        world.kms.lags["GetResources"] = world.kms.lags["ListKeys"] = late(50)
        world.start("a")
        world.traffic.faults.on(lost("CreateKey"))
        world.apply("orders", adopt={"alias": "theirs", "policy": "AdoptOrCreate"})
        await world.until(lambda: "creationAttempt" in world.status("orders"))
        world.patch("orders", {"spec": {"managementPolicy": "Observe"}})
        await world.reason("orders", "CreationUnknown")
        await world.reason("orders", "Available" if lost is lost_answer else "KeyNotFound")
        assert len(world.kms.made) == (lost is lost_answer)
        world.patch("orders", {"spec": {"managementPolicy": "Full"}})
        await world.ready("orders")
        assert [key.key_id for key in world.kms.made] == [world.status("orders")["keyId"]]
