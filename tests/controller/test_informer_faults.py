"""The informer in bad times: lost versions, garbage, disorder, servers in trouble."""

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.informer import STALL_SECONDS
from controller.kube import Request, Response
from controller.objects import Ref
from controller.position import RETRY_AFTER_LIMIT_SECONDS
from tests.controller.scripted import ApiServer, chunks_of, event, failure, status, thing, version_of
from tests.controller.watcher import Watcher, relists, server_with
from tests.virtual_time import run_virtual

pytestmark = pytest.mark.virtual_time


# ---- listing again


async def test_a_list_after_a_gap_announces_exactly_what_changed() -> None:
    names = [f"t{n}" for n in range(200)]
    server = server_with(*names)
    watcher = Watcher(server)
    async with watcher.running():
        watcher.told.clear()
        server.cut()
        for name in names[:50]:
            server.delete(name)
        for name in names[50:70]:
            server.delete(name)
            server.put(name, uid=f"new {name}")
        for n in range(200, 250):
            server.put(f"t{n}")
        server.put("t199")
        server.compact()
        with relists("expired") as count:
            await asyncio.sleep(5)
            assert count() == 1
        assert watcher.mirrors_the_server()
    assert sum(what == "deleted" for what, _ in watcher.told) == 70
    assert sum(what == "added" for what, _ in watcher.told) == 70
    assert [uid for what, uid in watcher.told if what == "changed"] == ["uid of t199"]
    recreated = [what for what, uid in watcher.told if uid in {"uid of t60", "new t60"}]
    assert recreated == ["deleted", "added"]


@pytest.mark.holds("F15")
@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (failure(410, "Gone"), "expired"),
        (failure(504, "Timeout", causes=[{"reason": "ResourceVersionTooLarge"}]), "too_large_version"),
    ],
)
async def test_a_version_that_the_server_refuses_is_dropped_and_the_list_comes_at_once(refusal: Response, reason: str) -> None:
    watcher = Watcher(server_with("a"))
    async with watcher.running():
        watcher.server.put("b")
        await asyncio.sleep(60)
        watcher.server.watch_answers.append(refusal)
        watcher.server.cut()
        with relists(reason) as count:
            await asyncio.sleep(1)
            assert count() == 1
        assert len(watcher.server.lists) == 2


async def test_a_server_that_refuses_every_version_is_not_listed_in_a_hot_loop() -> None:
    watcher = Watcher(server_with("a"))
    watcher.server.watch_answers.extend(chunks_of(event("ERROR", status(410, "Expired"))) for _ in range(1000))
    async with watcher.running():
        await asyncio.sleep(600)
    assert len(watcher.server.lists) <= 30


@pytest.mark.holds("F15")
async def test_a_list_whose_continue_token_expires_starts_over() -> None:
    class Compacting(ApiServer):
        async def send(self, request: Request) -> Response:
            if "continue" in request.query and len(self.lists) < 4:
                self.compact()
            return await super().send(request)

    server = Compacting()
    for n in range(700):
        server.put(f"t{n}")
    watcher = Watcher(server)
    async with watcher.running():
        await asyncio.sleep(5)
        assert watcher.mirrors_the_server()
    assert ["continue" in request.query for _, request in server.lists] == [False, True, False, True, False, True]


GARBAGE = {
    "no JSON": b"<html>\n",
    "a cut line": event("MODIFIED", thing("a", 900, "u"))[:40] + b"\n",
    "null": event("MODIFIED", None),
    "an object without a version": event("MODIFIED", {"metadata": {"name": "a", "uid": "u"}}),
    "a bookmark without a version": event("BOOKMARK", {"metadata": {}}),
    "an unknown type": event("EXPLODED", thing("a", 900, "u")),
    "an object of another shape": event("ADDED", thing("a", 900, "u") | {"metadata": []}),
    "not UTF-8": b'{"type":"ADDED","object":{"metadata":{"name":"\xff","uid":"u","resourceVersion":"900"}}}\n',
    "deeper than any stack": b'{"type":"ADDED","object":' + b"[" * 100_000 + b"\n",
    "longer than 8 MiB": b" " * 9_000_000 + b"\n",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_in_the_stream_costs_a_list_and_no_event(garbage: bytes) -> None:
    watcher = Watcher(server_with("a"))
    watcher.server.watch_answers.append(chunks_of(garbage, event("ADDED", thing("ghost", 901, "ghost"))))
    with relists("garbage") as count:
        async with watcher.running():
            await asyncio.sleep(5)
            watcher.server.put("b")
            await asyncio.sleep(1)
            assert watcher.mirrors_the_server()
        assert count() == 1


async def test_an_error_event_that_says_nothing_is_survived() -> None:
    watcher = Watcher(server_with("a"))
    watcher.server.watch_answers.append(chunks_of(event("ERROR", {})))
    async with watcher.running():
        watcher.server.put("b")
        await asyncio.sleep(5)
        assert watcher.mirrors_the_server()


async def test_a_line_that_the_connection_cut_comes_again_with_the_next_watch() -> None:
    server = server_with("a")
    watcher = Watcher(server)
    server.put("b")
    server.watch_answers.append(chunks_of(server._history[-1][1][:50]))
    async with watcher.running():
        await asyncio.sleep(5)
        assert watcher.mirrors_the_server()
    assert len(server.lists) == 1


# ---- repetitions and disorder


@pytest.mark.holds("F23")
@pytest.mark.parametrize(
    "lines",
    [
        [event("ADDED", thing("a", 101, "uid of a"))],
        [event("ADDED", thing("a", 102, "uid of a"))],
        [event("MODIFIED", thing("b", 102, "uid of b"))],
        [event("MODIFIED", thing("a", 102, "uid of a")), event("MODIFIED", thing("a", 101, "uid of a"))],
        [event("DELETED", thing("a", 102, "uid of a")), event("DELETED", thing("a", 102, "uid of a"))],
        [event("DELETED", thing("a", 102, "uid of a")), event("MODIFIED", thing("a", 101, "uid of a"))],
        [event("ADDED", thing("b", 102, "new b")), event("DELETED", thing("b", 101, "old b"))],
        [event("DELETED", thing("nobody", 102, "n"))],
    ],
)
async def test_repeated_and_disordered_events_end_in_the_right_state(lines: list[bytes]) -> None:
    server = server_with("a")
    watcher = Watcher(server)
    server.watch_answers.append(chunks_of(*lines))
    for line in lines:
        _happen(server, line)
    server._snapshots.clear()
    listed = thing("a", 101, "uid of a")
    first = Response(200, json.dumps({"metadata": {"resourceVersion": "101"}, "items": [listed]}).encode())
    server.list_answers.append(first)
    async with watcher.running():
        await asyncio.sleep(5)
        assert watcher.mirrors_the_server()
    for uid in {uid for _, uid in watcher.told}:
        assert [what for what, told in watcher.told if told == uid].count("added") == 1


def _happen(server: ApiServer, line: bytes) -> None:
    """The world in which an event is true, unless something newer is known."""
    happened = json.loads(line)
    seen = happened["object"]
    if version_of(seen) <= server.version:
        return
    server.version = version_of(seen)
    ref = Ref("default", seen["metadata"]["name"])
    if happened["type"] == "DELETED":
        server.objects.pop(ref, None)
    else:
        server.objects[ref] = seen


async def test_a_bookmark_never_leads_back() -> None:
    watcher = Watcher(server_with("a", "b"))
    watcher.server.watch_answers.append(chunks_of(event("BOOKMARK", {"metadata": {"resourceVersion": "7"}})))
    async with watcher.running():
        await asyncio.sleep(5)
        assert watcher.server.watches[-1][1].query["resourceVersion"] == "102"


# ---- a server in trouble


@pytest.mark.parametrize(
    "line", [b"", b"\n", event("BOOKMARK", {"metadata": {"resourceVersion": "101"}})], ids=["nothing", "a blank", "a bookmark"]
)
async def test_watches_that_end_at_once_are_no_hot_loop(line: bytes) -> None:
    watcher = Watcher(server_with("a"))
    watcher.server.watch_answers.extend(chunks_of(line) for _ in range(10_000))
    async with watcher.running():
        await asyncio.sleep(60)
    assert len(watcher.server.watches) <= 122
    assert len(watcher.server.lists) == 1


@pytest.mark.holds("F13")
@pytest.mark.parametrize("answer", [ConnectionRefusedError("refused"), failure(503, "ServiceUnavailable"), failure(500, "Oops")])
async def test_ten_minutes_without_a_server_are_survived_with_patience_and_without_a_list(answer: Response | Exception) -> None:
    watcher = Watcher(server_with("a"))
    async with watcher.running():
        before = len(watcher.server.requests)
        watcher.server.down = answer
        watcher.server.cut()
        await asyncio.sleep(600)
        assert not watcher.is_connected()
        assert len(watcher.server.requests) - before <= 32
        watcher.server.down = None
        watcher.server.put("b")
        await asyncio.sleep(31)
        assert watcher.mirrors_the_server()
        assert watcher.is_connected()
    assert len(watcher.server.lists) == 1


@pytest.mark.holds("F20")
@pytest.mark.parametrize(("seconds", "earliest"), [("7", 7.0), ("86400", RETRY_AFTER_LIMIT_SECONDS)])
async def test_retry_after_is_honoured_up_to_a_limit(seconds: str, earliest: float) -> None:
    watcher = Watcher(server_with("a"))
    watcher.server.watch_answers.append(failure(429, "TooManyRequests", retry_after=seconds))
    async with watcher.running():
        await asyncio.sleep(100)
    (refused, _), (served, _) = watcher.server.watches[:2]
    assert earliest <= served - refused < earliest + 1
    assert len(watcher.server.lists) == 1


@pytest.mark.holds("F56")
async def test_a_kind_that_vanishes_deletes_nothing_and_is_found_again() -> None:
    watcher = Watcher(server_with("a"))
    async with watcher.running():
        watcher.server.down = failure(404, "NotFound")
        watcher.server.cut()
        await asyncio.sleep(300)
        assert not watcher.is_connected()
        assert len(watcher.store) == 1
        watcher.server.down = None
        await asyncio.sleep(31)
        assert watcher.is_connected()
    assert watcher.told == [("added", "uid of a")]


async def test_progress_is_seen_even_when_every_request_hangs() -> None:
    class Mute(ApiServer):
        async def send(self, _request: object) -> Response:
            await asyncio.Event().wait()
            raise AssertionError

    watcher = Watcher(Mute())
    oldest = 0.0
    async with watcher.running():
        for _ in range(1000):
            await asyncio.sleep(1)
            oldest = max(oldest, asyncio.get_running_loop().time() - watcher.informer.last_progress)
    assert not watcher.is_synced()
    assert 0 < oldest <= STALL_SECONDS


async def test_progress_of_an_idle_watch_is_seen() -> None:
    watcher = Watcher(server_with("a"))
    async with watcher.running():
        for _ in range(100):
            await asyncio.sleep(7)
            assert asyncio.get_running_loop().time() - watcher.informer.last_progress <= STALL_SECONDS


async def test_a_garbled_list_is_asked_for_again() -> None:
    watcher = Watcher(server_with("a"))
    watcher.server.list_answers.extend([Response(200, b""), Response(200, b"<html>"), Response(200, b'{"items": []}')])
    async with watcher.running():
        await asyncio.sleep(10)
        assert watcher.mirrors_the_server()


# ---- all at once


def _cut_at(line: bytes, places: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(place % len(line) for place in places), len(line)]
    return (line[start:end] for start, end in pairwise(edges))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    cuts=st.lists(st.integers(0, 10_000), max_size=6),
    garbage=st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from([g for g in GARBAGE.values() if len(g) < 1000]) | st.binary()), max_size=8
    ),
    changes=st.lists(st.sampled_from(["a", "b", "c", "-a", "-b", "cut", "compact"]), max_size=20),
)
def test_the_next_good_event_is_seen_after_any_garbage(cuts: list[int], garbage: list[tuple[int, bytes]], changes: list[str]) -> None:
    async def live() -> None:
        server = server_with("a")
        junk = dict(garbage)
        sent = 0

        def rechunk(line: bytes) -> Iterator[bytes]:
            nonlocal sent
            sent += 1
            yield from _cut_at(junk.pop(sent, b"") + line, cuts)

        server.rechunk = rechunk
        watcher = Watcher(server)
        async with watcher.running():
            for change in changes:
                _do(server, change)
                await asyncio.sleep(0.3)
            await asyncio.sleep(120)
            server.put("last")
            await asyncio.sleep(120)
            assert watcher.mirrors_the_server()

    run_virtual(live())


def _do(server: ApiServer, change: str) -> None:
    if change in {"cut", "compact"}:
        getattr(server, change)()
    elif not change.startswith("-"):
        server.put(change)
    elif Ref("default", change[1:]) in server.objects:
        server.delete(change[1:])
