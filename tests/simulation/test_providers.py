"""What a provider says for its keys, and what becomes of keys whose provider changes, fails or goes."""

from datetime import timedelta

import pytest

from controller.kube import MERGE_PATCH
from controller.objects import Ref
from controller.provider_objects import AWSPROVIDERS
from reconcilers.names import AWSPROVIDER_FINALIZER
from tests.simulation.etcd import Json
from tests.simulation.identities import OTHER_ACCOUNT_ID, Credentials
from tests.simulation.scenarios import FULL
from tests.simulation.world import CANARY, NAMESPACE, World

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


def held(world: World) -> bool:
    found = provider(world)
    return found is not None and AWSPROVIDER_FINALIZER in found["metadata"].get("finalizers", ())


def in_use(world: World) -> int | None:
    found = provider(world)
    assert found is not None
    number: int | None = found.get("status", {}).get("keysInUse")
    return number


def delete_provider(world: World) -> None:
    world.user("DELETE", AWSPROVIDERS.path(*MAIN))


async def test_a_provider_is_held_before_its_first_key_is_made_and_let_go_after_the_last() -> None:
    async with World() as world:
        world.start("a")
        await world.advance(100)
        assert not held(world)
        world.apply("orders")
        await world.until(lambda: bool(world.kms.made), step=0.001)
        assert held(world)
        await world.until(lambda: in_use(world) == 1)
        world.delete("orders")
        await world.until(lambda: in_use(world) == 0 and not held(world))


async def test_many_keys_are_few_writes_to_their_provider() -> None:
    async with World() as world:
        world.start("a")
        names = [f"orders-{number}" for number in range(30)]
        for name in names:
            world.apply(name)
        await world.ready(*names)
        await world.until(lambda: in_use(world) == 30)
        writes = [call for call in world.traffic.executed("kube") if "awsproviders" in call.name]
        assert 0 < len(writes) <= 10, writes


async def test_counting_users_asks_nothing_of_aws() -> None:
    """The credentials are tried twice a minute, however often the users change."""
    async with World() as world:
        world.start("a")
        await world.advance(10)
        began = world.time
        for number in range(10):
            world.apply(f"orders-{number}")
            await world.advance(12)
            assert in_use(world) == number + 1
        tried = [call for call in world.traffic.calls if call.name == "GetCallerIdentity" and call.at > began]
        assert len(tried) <= 4


async def test_a_provider_that_is_deleted_with_its_keys_goes_after_them() -> None:
    async with World() as world:
        await with_key(world, {})
        delete_provider(world)
        take_secret_away(world)  # as with the whole namespace
        await world.advance(100)
        assert held(world)
        world.delete("orders")
        await world.gone("orders")
        assert [key.state for key in world.kms.keys] == ["PendingDeletion"]
        await world.until(lambda: provider(world) is None, within=10)


async def test_a_provider_that_goes_makes_no_new_keys_and_keeps_those_it_has() -> None:
    async with World() as world:
        await with_key(world, {})
        delete_provider(world)
        world.apply("late")
        await world.reason("late", "ProviderNotReady")
        world.apply("orders", **FULL | {"description": "New"})
        await world.ready("orders")
        assert len(world.kms.made) == 1
        ready = next(one for one in (provider(world) or {})["status"]["conditions"] if one["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "Deleting")
        world.delete("orders")
        await world.until(lambda: provider(world) is None)


async def test_objects_without_a_key_do_not_hold_a_provider_back() -> None:
    async with World() as world:
        world.set_secret(OTHERS)  # which AWS does not know
        world.start("a")
        world.apply("orders")
        await world.reason("orders", "ProviderNotReady")
        delete_provider(world)
        await world.until(lambda: provider(world) is None, within=10)


@pytest.mark.parametrize(("policy", "goes"), [("Retain", True), ("Delete", False)])
async def test_keys_whose_secret_was_deleted_before_their_provider(policy: str, goes: bool) -> None:
    async with World() as world:
        await with_key(world, {}, deletionPolicy=policy)
        take_secret_away(world)
        await world.reason("orders", "ProviderNotReady")
        delete_provider(world)
        world.delete("orders")
        if goes:
            await world.until(lambda: provider(world) is None)
        else:
            await world.reason("orders", "DeletionBlocked")
            assert "There is no Secret aws-credentials" in world.condition("orders")["message"]
            world.set_secret(CANARY)
            await world.until(lambda: provider(world) is None)
        assert [key.state for key in world.kms.keys] == ["Enabled" if goes else "PendingDeletion"]


async def test_a_finalizer_that_somebody_took_off_comes_back() -> None:
    async with World() as world:
        await with_key(world, {})
        world.user("PATCH", AWSPROVIDERS.path(*MAIN), {"metadata": {"finalizers": None}}, MERGE_PATCH)
        await world.until(lambda: held(world), within=60)


async def test_a_newline_in_a_secret_is_warned_of_once() -> None:
    async with World() as world:
        world.set_secret(Credentials(CANARY.access_key_id, f"{CANARY.secret_access_key}\n"))
        world.start("a")
        world.apply("orders")
        await world.ready("orders")
        await world.advance(900)
        (told,) = [event for event in world.events if event["reason"] == "CredentialsTrimmed"]
        assert told["note"].startswith("There are blanks or newlines around AWS_SECRET_ACCESS_KEY of the Secret aws-credentials.")
        assert "series" not in told
