"""The informer in good times, on a clock that jumps. Its bad times are in test_informer_faults.py."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from controller.informer import TURN, Informer
from controller.kube import Kube
from controller.objects import KubeObject, Ref
from controller.store import Store
from tests.controller.scripted import THINGS, ApiServer, silence
from tests.controller.watcher import Watcher, relists, server_with

pytestmark = pytest.mark.virtual_time


# ---- listing and following


async def test_a_list_of_several_pages_is_announced_and_the_store_synced() -> None:
    watcher = Watcher(server_with(*(f"t{n}" for n in range(1200))))
    assert not watcher.is_synced()
    async with watcher.running():
        assert watcher.is_synced()
        assert watcher.is_connected()
        assert watcher.mirrors_the_server()
        assert len(watcher.told) == 1200
        assert [request.query["limit"] for _, request in watcher.server.lists] == ["500"] * 3


async def test_lists_ask_for_no_version_so_that_they_never_go_back_in_time() -> None:
    watcher = Watcher(server_with("a"))
    async with watcher.running():
        assert all("resourceVersion" not in request.query for _, request in watcher.server.lists)


async def test_changes_reach_the_store_before_they_are_announced() -> None:
    server = server_with("a")
    seen: list[str | None] = []
    store = Store()

    def hear(_old: KubeObject | None, new: KubeObject | None) -> None:
        assert new is not None
        known = store.get(new.ref)
        seen.append(known.resource_version if known else None)

    watcher = Watcher(server, store=store)
    watcher.informer = Informer(Kube(server), THINGS, store, hear)
    async with watcher.running():
        server.put("a")
        await asyncio.sleep(1)
    assert seen == ["101", "102"]


async def test_additions_changes_deletions_and_recreations_are_followed() -> None:
    server = server_with("a", "b")
    watcher = Watcher(server)
    async with watcher.running():
        watcher.told.clear()
        server.put("c")
        server.put("a")
        server.delete("b")
        server.put("b", uid="another b")
        await asyncio.sleep(1)
        assert watcher.told == [("added", "uid of c"), ("changed", "uid of a"), ("deleted", "uid of b"), ("added", "another b")]
        assert watcher.mirrors_the_server()


async def test_the_loop_gets_its_turns_during_a_big_list() -> None:
    watcher = Watcher(server_with(*(f"t{n}" for n in range(5000))))
    task = asyncio.create_task(watcher.informer.run())
    turns = 0
    while len(watcher.told) < 5000:
        turns += 1
        await asyncio.sleep(0)
    task.cancel()
    assert turns >= 5000 // TURN


async def test_an_unreadable_item_does_not_hide_the_others() -> None:
    server = server_with("a", "b")
    server.objects[Ref("default", "a")]["metadata"] = {"name": "a", "namespace": "default", "labels": {"n": 1}}
    watcher = Watcher(server)
    async with watcher.running():
        assert [seen.name for seen in watcher.store] == ["b"]


async def test_a_listener_that_raises_loses_nothing_else() -> None:
    server = server_with("a", "b")
    watcher = Watcher(server)
    heard: list[str] = []

    def hear(_old: KubeObject | None, new: KubeObject | None) -> None:
        assert new is not None
        heard.append(new.name)
        raise RuntimeError("a bug")

    watcher.informer = Informer(Kube(server), THINGS, watcher.store, hear)
    async with watcher.running():
        server.put("c")
        await asyncio.sleep(1)
    assert heard == ["a", "b", "c"]


async def test_two_namespaces_feed_one_store_and_leave_each_other_alone() -> None:
    server, store = ApiServer(), Store()
    server.put("a", namespace="left")
    server.put("b", namespace="right")
    left, right = Watcher(server, "left", store), Watcher(server, "right", store)
    async with left.running():
        assert not left.is_synced()
        async with right.running():
            assert left.is_synced()
            assert {seen.name for seen in store} == {"a", "b"}
            server.cut()
            server.delete("a", namespace="left")
            server.put("c", namespace="right")
            server.compact()
            await asyncio.sleep(5)
            assert {seen.name for seen in store} == {"b", "c"}


# ---- resuming


@pytest.mark.holds("F13")
async def test_a_watch_that_ends_in_time_is_resumed_without_a_list() -> None:
    watcher = Watcher(server_with("a"))
    async with watcher.running():
        await asyncio.sleep(3600)
        watcher.server.put("b")
        await asyncio.sleep(1)
        assert watcher.mirrors_the_server()
    assert len(watcher.server.lists) == 1
    assert all(180 <= int(request.query["timeoutSeconds"]) <= 230 for _, request in watcher.server.watches)


async def test_what_happens_between_two_watches_is_not_lost() -> None:
    server = server_with("a", "b")
    watcher = Watcher(server)
    async with watcher.running():
        server.cut()
        server.delete("a")
        server.put("c")
        await asyncio.sleep(5)
        assert watcher.mirrors_the_server()
        assert ("deleted", "uid of a") in watcher.told
    assert len(server.lists) == 1


@pytest.mark.holds("F17")
async def test_connections_reset_each_minute_cost_no_lists_and_no_growing_pauses() -> None:
    watcher = Watcher(server_with("a"))
    async with watcher.running():
        for minute in range(60):
            await asyncio.sleep(55)
            watcher.server.cut()
            await asyncio.sleep(5)
            watcher.server.put(f"t{minute}")
            await asyncio.sleep(0.1)
            assert watcher.mirrors_the_server()
    assert len(watcher.server.lists) == 1


async def test_the_next_watch_starts_from_the_last_bookmark() -> None:
    watcher = Watcher(server_with("a"))
    async with watcher.running():
        watcher.server.version = 5000  # things of other kinds happened
        await asyncio.sleep(240)
        assert watcher.server.watches[-1][1].query["resourceVersion"] == "5000"


async def test_bookmarks_are_not_needed() -> None:
    watcher = Watcher(server_with("a"))
    watcher.server.bookmarks = False
    async with watcher.running():
        await asyncio.sleep(1800)
        watcher.server.put("b")
        await asyncio.sleep(5)
        assert watcher.mirrors_the_server()


@pytest.mark.holds("F16")
async def test_a_half_open_connection_is_noticed() -> None:
    watcher = Watcher(server_with("a"))
    watcher.server.watch_answers.append(silence())
    async with watcher.running():
        watcher.server.put("b")
        await asyncio.sleep(90)
        assert watcher.mirrors_the_server()
    assert len(watcher.server.lists) == 1


async def test_two_silent_watches_cause_a_list_because_the_version_may_be_from_the_future() -> None:
    watcher = Watcher(server_with("a", "b", "c"))
    async with watcher.running():
        watcher.server.watch_answers.extend([silence(), silence()])
        watcher.server.cut()
        watcher.server.restore(102)
        with relists("silent") as count:
            await asyncio.sleep(200)
            assert count() == 1
        assert watcher.mirrors_the_server()
        assert watcher.told[-1] == ("deleted", "uid of c")


async def test_a_watch_that_never_ends_is_ended() -> None:
    async def babble() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(10)
            yield b"\n"

    watcher = Watcher(server_with("a"))
    watcher.server.watch_answers.append(babble())
    async with watcher.running():
        watcher.server.put("b")
        await asyncio.sleep(250)
        assert watcher.mirrors_the_server()
