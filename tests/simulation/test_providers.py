"""What a provider says for its keys, and what becomes of keys whose provider changes, fails or goes."""

from datetime import timedelta

import pytest

from controller.objects import Ref
from tests.simulation.etcd import Json
from tests.simulation.identities import OTHER_ACCOUNT_ID, Credentials
from tests.simulation.scenarios import FULL
from tests.simulation.world import NAMESPACE, World

pytestmark = pytest.mark.virtual_time

MAIN = Ref(NAMESPACE, "main")
OTHERS = Credentials("AKIAOTHERACCOUNT0001", "secret", OTHER_ACCOUNT_ID)


def provider(world: World) -> Json | None:
    return world.etcd.get("awsproviders", MAIN)


def take_provider_away(world: World) -> None:
    """As somebody does who removes the finalizer by hand."""
    world.etcd.delete("awsproviders", MAIN)


def take_secret_away(world: World) -> None:
    world.etcd.delete("secrets", Ref(NAMESPACE, "aws-credentials"))


async def with_key(world: World, provider_spec: Json, **spec: object) -> None:
    world.patch_provider(provider_spec)
    world.start("a")
    world.apply("orders", **FULL | spec)
    await world.ready("orders")


async def test_keys_without_a_deletion_policy_have_their_providers() -> None:
    async with World() as world:
        await with_key(world, {"defaultDeletionPolicy": "Retain"})
        assert world.status("orders")["effectiveDeletionPolicy"] == "Retain"
        world.patch_provider({"defaultDeletionPolicy": "DisableKey"})
        await world.until(lambda: world.status("orders")["effectiveDeletionPolicy"] == "DisableKey")
        world.delete("orders")
        await world.gone("orders")
        assert [key.state for key in world.kms.keys] == ["Disabled"]


async def test_a_default_of_a_provider_that_cannot_be_reached_counts() -> None:
    async with World() as world:
        await with_key(world, {"defaultDeletionPolicy": "Retain"})
        take_secret_away(world)
        await world.reason("orders", "ProviderNotReady")
        world.delete("orders")
        await world.gone("orders")
        assert [key.state for key in world.kms.keys] == ["Enabled"]


async def test_no_key_is_deleted_because_a_provider_that_said_retain_has_gone() -> None:
    async with World() as world:
        await with_key(world, {"defaultDeletionPolicy": "Retain"})
        take_provider_away(world)
        await world.reason("orders", "ProviderNotResolved")
        assert world.status("orders")["effectiveDeletionPolicy"] == "Retain"
        world.delete("orders")
        await world.gone("orders")
        assert [key.state for key in world.kms.keys] == ["Enabled"]


async def test_keys_are_looked_at_as_often_as_their_provider_says() -> None:
    async with World() as world:
        world.patch_provider({"resyncInterval": "30s"})
        world.start("a", resync_interval=timedelta(hours=1))
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.outside("DisableKey", KeyId=world.key("orders").key_id)
        await world.until(lambda: world.key("orders").state == "Enabled", within=40)


async def test_a_provider_that_leads_to_another_account_stops_its_keys() -> None:
    """Nothing pins the account but the keys themselves."""
    async with World() as world:
        await with_key(world, {})
        world.aws.identities.add(OTHERS)
        world.set_secret(OTHERS)
        await world.reason("orders", "ImmutableFieldConflict")
        changed = world.time
        world.apply("orders", **FULL | {"description": "New"})
        await world.advance(600)
        assert not world.traffic.executed("aws", changed)
        world.delete("orders")
        await world.reason("orders", "DeletionBlocked")
        assert [key.state for key in world.kms.keys] == ["Enabled"]


async def test_a_changed_region_stops_its_keys() -> None:
    async with World() as world:
        await with_key(world, {})
        world.patch_provider({"region": "eu-west-1"})
        await world.reason("orders", "ImmutableFieldConflict")
        assert len(world.kms.keys) == 1
