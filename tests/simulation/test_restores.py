"""Objects that come back from backups, whole or in part, and statuses that somebody edited: each ends with its one key."""

import pytest

from controller.key_objects import KMSKEYS
from reconcilers.names import KEY_ID_ANNOTATION, KMSKEY_FINALIZER, RECREATE_ANNOTATION, UID_TAG
from tests.simulation.etcd import Json
from tests.simulation.kms_model import late
from tests.simulation.world import NAMESPACE, World

pytestmark = pytest.mark.virtual_time

HINT_SECONDS = 70.0  # by the first resync the annotation is there


async def settled(world: World) -> Json:
    """The object orders, once it has its key and the annotation."""
    world.start("a")
    world.apply("orders")
    await world.ready("orders")
    await world.advance(HINT_SECONDS)
    found = world.find("orders")
    assert found is not None
    return found


def lose(world: World) -> None:
    """The cluster's objects are gone, and nobody was asked."""
    world.replicas["a"].kill()
    world.patch("orders", {"metadata": {"finalizers": None}})
    world.delete("orders")


def restore(world: World, backup: Json, *, status: bool, annotations: bool = True) -> Json:
    metadata = {"name": "orders", "annotations": backup["metadata"]["annotations"] if annotations else {}}
    made = world.user("POST", KMSKEYS.path(NAMESPACE), {**backup, "metadata": metadata, "status": {}})
    if status:
        world.patch("orders", {"status": backup["status"]}, "status")
    return made


async def test_the_annotation_costs_one_request_and_wakes_nobody() -> None:
    async with World() as world:
        found = await settled(world)
        assert found["metadata"]["annotations"][KEY_ID_ANNOTATION] == world.kms.keys[0].key_id
        began = world.time
        await world.advance(50)
        assert world.traffic.names("aws", began, writes=False)["DescribeKey"] <= 1
        assert not world.traffic.executed("kube", began)


async def test_an_annotation_of_the_user_s_beside_it_stays() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders")
        world.patch("orders", {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}})
        await world.ready("orders")
        await world.advance(HINT_SECONDS)
        found = world.find("orders")
        assert found is not None
        assert set(found["metadata"]["annotations"]) == {"kubectl.kubernetes.io/last-applied-configuration", KEY_ID_ANNOTATION}


@pytest.mark.holds("F53")
@pytest.mark.parametrize("status", [True, False], ids=["with its old status", "without a status"])
@pytest.mark.parametrize("annotations", [True, False], ids=["with annotations", "without annotations"])
async def test_a_restored_object_has_its_key_again(*, status: bool, annotations: bool) -> None:
    async with World() as world:
        backup = await settled(world)
        lose(world)
        new = restore(world, backup, status=status, annotations=annotations)
        world.start("b")
        await world.advance(30)
        assert world.is_ready("orders")
        assert [(key.key_id, key.tags[UID_TAG]) for key in world.kms.keys] == [(backup["status"]["keyId"], new["metadata"]["uid"])]


async def test_the_annotation_finds_the_key_that_neither_index_nor_list_show() -> None:
    async with World() as world:
        backup = await settled(world)
        lose(world)
        world.kms.lags = {"GetResources": late(10_000), "ListKeys": late(10_000)}
        restore(world, backup, status=False)
        world.start("b")
        await world.ready("orders")
        assert len(world.kms.made) == 1


@pytest.mark.holds("F53")
async def test_an_annotation_that_names_another_object_s_key_gets_a_key_of_one_s_own() -> None:
    async with World() as world:
        backup = await settled(world)
        copied = {**backup, "metadata": {"name": "copy", "annotations": backup["metadata"]["annotations"]}, "status": {}}
        world.user("POST", KMSKEYS.path(NAMESPACE), copied)
        await world.ready("copy")
        assert world.key("copy").key_id != backup["status"]["keyId"]
        assert world.is_ready("orders")


@pytest.mark.holds("F54")
async def test_a_cleared_status_is_a_reason_to_search_and_not_to_create() -> None:
    async with World() as world:
        found = await settled(world)
        world.replicas["a"].kill()
        world.patch("orders", {"status": None}, "status")
        world.patch("orders", {"metadata": {"annotations": None}})
        world.start("b")
        await world.ready("orders")
        assert (world.status("orders")["keyId"], len(world.kms.made)) == (found["status"]["keyId"], 1)


@pytest.mark.holds("F54", "I11")
async def test_a_wrong_id_in_the_status_makes_no_second_key_not_even_with_the_user_s_word() -> None:
    async with World() as world:
        found = await settled(world)
        await world.advance(400)
        wrong = "00000000-0000-4000-8000-000000000000"
        world.patch("orders", {"status": {"keyId": wrong, "keyArn": None}}, "status")
        await world.reason("orders", "KeyLost")
        world.patch("orders", {"metadata": {"annotations": {RECREATE_ANNOTATION: wrong}}})
        await world.ready("orders")
        assert (world.status("orders")["keyId"], len(world.kms.made)) == (found["status"]["keyId"], 1)


@pytest.mark.holds("F59")
async def test_a_lost_key_is_replaced_by_name_and_the_word_is_good_for_one_key() -> None:
    async with World() as world:
        await settled(world)
        first = world.key("orders")
        await world.advance(400)
        world.kms.destroy(first.arn)
        await world.reason("orders", "KeyLost")
        await world.advance(3600)
        assert len(world.kms.made) == 1
        world.patch("orders", {"metadata": {"annotations": {RECREATE_ANNOTATION: first.key_id}}})
        await world.until(lambda: world.status("orders")["keyId"] != first.key_id)
        await world.ready("orders")
        second = world.key("orders")
        await world.advance(400)
        world.kms.destroy(second.arn)
        await world.reason("orders", "KeyLost")
        await world.advance(3600)
        assert len(world.kms.made) == 2


async def test_a_finalizer_of_ours_on_an_object_without_anything_else_is_no_reason_to_create_twice() -> None:
    async with World() as world:
        backup = await settled(world)
        lose(world)
        metadata = {"name": "orders", "finalizers": [KMSKEY_FINALIZER]}
        world.user("POST", KMSKEYS.path(NAMESPACE), {**backup, "metadata": metadata, "status": {}})
        world.start("b")
        await world.ready("orders")
        assert len(world.kms.made) == 1
