"""Whose a key is already, as the cluster tells it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from controller.key_holders import holder
from controller.kube import Kube, Request, Response
from controller.objects import KubeObject
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, UID_TAG
from tests.reconcilers.builders import CLUSTER, KEY_ID, UID, key, stray

INVOICES = {CLUSTER_TAG: CLUSTER, OWNER_TAG: "shop/invoices", UID_TAG: "invoices"}


class Server:
    """Answers every read with the object of that uid, or with an error."""

    def __init__(self, uid: str | None = None, status: int = 404) -> None:
        self._answer = Response(status, b"{}") if uid is None else Response(200, json.dumps(_object(uid)).encode())
        self.asked: list[str] = []

    async def send(self, request: Request) -> Response:
        self.asked.append(request.path)
        return self._answer

    def stream(self, request: Request) -> Any:
        raise NotImplementedError(request.path)

    async def close(self) -> None:
        """Nothing is open."""


def _object(uid: str) -> Mapping[str, Any]:
    return {"metadata": {"name": "invoices", "namespace": "shop", "uid": uid, "resourceVersion": "1"}}


def stored(uid: str, status: str = "{}", spec: str = "{}") -> KubeObject:
    return KubeObject("shop", uid, uid, "1", 1, None, (), {}, {}, spec.encode(), status.encode())


async def holds(server: Server, tags: Mapping[str, str] | None = None, *objects: KubeObject) -> str | None:
    return await holder(Kube(server), objects, key(), stray(tags=tags), CLUSTER)


async def test_a_key_without_owner_tags_that_no_status_names_is_nobody_s() -> None:
    server = Server()
    assert await holds(server, None, stored("a", '{"keyId":"another"}')) is None
    assert server.asked == []


async def test_an_object_that_remembers_the_key_has_it_and_one_that_observes_it_has_not() -> None:
    remembers = f'{{"keyId":"{KEY_ID}"}}'
    assert await holds(Server(), None, stored("a", remembers)) == "KMSKey shop/a"
    assert await holds(Server(), None, stored("a", remembers, '{"managementPolicy":"Observe"}')) is None
    assert await holds(Server(), None, stored("a", f'{{"keyId":"b","message":"not {KEY_ID}"}}')) is None
    assert await holds(Server(), None, stored(UID, remembers)) is None


async def test_an_object_that_the_tags_name_has_it_as_long_as_it_lives() -> None:
    assert await holds(Server(), INVOICES, stored("invoices")) == "KMSKey shop/invoices"
    assert await holds(Server("invoices"), INVOICES) == "KMSKey shop/invoices"
    assert await holds(Server("a later one"), INVOICES) is None
    assert await holds(Server(), INVOICES) is None
    assert await holds(Server(), {**INVOICES, OWNER_TAG: "nonsense"}) is None


async def test_where_we_may_not_look_the_object_may_live() -> None:
    assert await holds(Server(status=403), INVOICES) == "KMSKey shop/invoices"


@pytest.mark.parametrize("tags", [{**INVOICES, CLUSTER_TAG: "another"}, {UID_TAG: "invoices"}])
async def test_tags_of_another_cluster_say_nothing_about_this_one(tags: Mapping[str, str]) -> None:
    assert await holds(Server("invoices"), tags) is None
