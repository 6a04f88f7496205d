"""What a full account is made of, as the operator's own two sides read it over the wire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web

from aws import kms
from controller.access import Access, Credentials
from controller.connection import HttpTransport
from controller.key_objects import KMSKEYS
from controller.kube import Kube, NotFound
from controller.listing import PAGE_SIZE, list_objects
from reconcilers.actions import EnableKeyRotation
from reconcilers.names import OWNER_TAG, UID_TAG
from reconcilers.states import Asked, ObservedKey
from tests.bench.copies import Names, copied, copy_names
from tests.bench.many_api import ManyApi
from tests.bench.test_fast_kms import CREATE, TAGS, connection_to, served

COUNT = 2 * PAGE_SIZE + 10
PATH = KMSKEYS.path("bench")
BODY = {"metadata": {"name": "key-000000"}, "spec": {"description": "Orders"}}
STATUS = {"status": {"keyId": "11111111-1111-4111-8111-111111111111", "keyArn": "arn:key/11111111-1111-4111-8111-111111111111"}}


async def nobody() -> None:
    return None


@asynccontextmanager
async def filled() -> AsyncIterator[tuple[Kube, str]]:
    """An API server with copies of one object, and its URL."""
    runner = web.AppRunner(ManyApi().application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    url = f"http://{host}:{port}"
    kube = Kube(HttpTransport(Access(url, Credentials(nobody))))
    try:
        await kube.post(PATH, BODY)
        await kube.merge_patch(f"{PATH}/key-000000/status", STATUS)
        async with aiohttp.ClientSession() as session:
            await session.post(f"{url}/copies?count={COUNT}")
        yield kube, url
    finally:
        await kube.close()
        await runner.cleanup()


def test_a_copy_differs_in_its_names_and_in_nothing_else() -> None:
    names = Names("key-000000", "uid-of-the-first", "id-of-the-first")
    text = "key-000000 uid-of-the-first id-of-the-first the rest"
    assert copied(text, names, 7) == " ".join([*copy_names(7), "the rest"])


async def test_all_copies_are_listed_by_pages_and_each_is_an_object_of_its_own() -> None:
    async with filled() as (kube, _):
        listed = await list_objects(kube, PATH)
    assert [obj.name for obj in listed] == [copy_names(number).name for number in range(COUNT)]
    assert [obj.uid for obj in listed] == [copy_names(number).uid for number in range(COUNT)]
    ids = [msgspec.json.decode(obj.status)["keyId"] for obj in listed]
    assert ids == [copy_names(number).key_id for number in range(COUNT)]
    assert {obj.spec for obj in listed} == {listed[0].spec}


async def test_a_write_to_a_copy_is_counted() -> None:
    async with filled() as (kube, url):
        name = copy_names(7).name
        await kube.get(f"{PATH}/{name}")
        await kube.merge_patch(f"{PATH}/{name}/status", {"status": {"ready": True}})
        async with aiohttp.ClientSession() as session, session.get(f"{url}/copies") as answer:
            assert await answer.json() == {"writes": 1}


async def test_what_is_no_key_is_where_the_model_has_it() -> None:
    async with filled() as (kube, _):
        with pytest.raises(NotFound):
            await kube.get("/api/v1/namespaces/kube-system")
        await kube.post("/api/v1/namespaces", {"metadata": {"name": "kube-system"}})
        assert await kube.get("/api/v1/namespaces/kube-system")


async def test_a_copied_key_is_the_copied_object_s() -> None:
    async with served(quotas=False) as url, connection_to(url) as connection:
        made = await kms.create_key(connection, CREATE)
        await kms.apply(connection, EnableKeyRotation(key=made.arn, period_in_days=180))
        async with aiohttp.ClientSession() as session:
            await session.post(f"{url}/copies?count=3")
        original = await kms.observe_key(connection, made.arn, Asked(policy=True))
        found = await kms.observe_key(connection, copy_names(2).key_id, Asked(policy=True))
    assert isinstance(original, ObservedKey)
    assert isinstance(found, ObservedKey)
    assert found.arn == original.arn.replace(original.key_id, copy_names(2).key_id)
    assert found.tags == {**TAGS, OWNER_TAG: f"team/{copy_names(2).name}", UID_TAG: copy_names(2).uid}
    assert (found.policy, found.rotation, found.description) == (original.policy, original.rotation, original.description)
