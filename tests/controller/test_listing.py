import pytest

from controller.key_objects import KMSKEYS
from controller.kube import Kube, Unavailable
from controller.listing import list_objects
from tests.controller.clouds import SmallCluster, kubernetes


async def test_all_pages_are_read() -> None:
    cluster = SmallCluster(*(kubernetes("KMSKey", name, {}) for name in "abc"), kubernetes("KMSKey", "d", {}, namespace="other"))
    assert [obj.name for obj in await list_objects(Kube(cluster), KMSKEYS.path())] == ["a", "b", "c", "d"]
    assert [obj.name for obj in await list_objects(Kube(cluster), KMSKEYS.path("other"))] == ["d"]


async def test_an_empty_list_is_a_list() -> None:
    assert await list_objects(Kube(SmallCluster()), KMSKEYS.path()) == []


async def test_a_server_that_is_down_is_an_error() -> None:
    cluster = SmallCluster()
    cluster.down = True
    with pytest.raises(Unavailable):
        await list_objects(Kube(cluster), KMSKEYS.path())
