import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest
import structlog
from aiohttp import web
from prometheus_client import REGISTRY

from controller import server
from controller.server import Check, Listener, LoopMonitor
from controller.settings import Address
from tests.virtual_time import VirtualTimeLoop

ANY_PORT = Address("127.0.0.1", 0)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@asynccontextmanager
async def serving(
    routes: list[web.RouteDef], address: Address | None = ANY_PORT, request_seconds: float = server.REQUEST_SECONDS
) -> AsyncIterator[Listener]:
    listener = Listener(address, routes, request_seconds)
    try:
        await listener.start()
        yield listener
    finally:
        await listener.stop()


async def answer_of(session: aiohttp.ClientSession, routes: list[web.RouteDef], path: str) -> tuple[int, str]:
    async with serving(routes) as listener, session.get(f"http://127.0.0.1:{listener.port}{path}") as response:
        return response.status, await response.text()


def fine() -> str | None:
    return None


def silent() -> str | None:
    return "no news for 400 s"


@pytest.mark.parametrize(
    ("path", "live", "ready", "status", "text"),
    [
        ("/healthz", {}, {}, 200, "ok\n"),
        ("/healthz", {"loop": fine}, {"sync": silent}, 200, "ok\n"),
        ("/readyz", {"loop": silent}, {"sync": fine}, 200, "ok\n"),
        ("/healthz?verbose", {"loop": fine, "watch": fine}, {}, 200, "[+]loop ok\n[+]watch ok\nhealthz check passed\n"),
        ("/healthz", {"loop": fine, "watch": silent}, {}, 500, f"[-]watch failed: {silent()}\nhealthz check failed\n"),
        ("/readyz", {}, {"a": silent, "b": silent}, 500, f"[-]a failed: {silent()}\n[-]b failed: {silent()}\nreadyz check failed\n"),
        ("/readyz?verbose", {}, {"a": fine, "b": silent}, 500, f"[+]a ok\n[-]b failed: {silent()}\nreadyz check failed\n"),
        ("/metrics", {}, {}, 404, "404: Not Found"),
    ],
)
async def test_a_probe_says_what_its_checks_found(
    path: str, live: Mapping[str, Check], ready: Mapping[str, Check], status: int, text: str, session: aiohttp.ClientSession
) -> None:
    assert await answer_of(session, server.health_routes(live, ready), path) == (status, text)


async def test_a_failing_check_is_in_the_log(session: aiohttp.ClientSession) -> None:
    with structlog.testing.capture_logs() as lines:
        await answer_of(session, server.health_routes({"watch": silent, "loop": fine}, {}), "/healthz")
    (line,) = lines
    assert (line["event"], line["probe"], line["check"], line["problem"]) == ("probe_failed", "healthz", "watch", silent())


async def test_a_check_that_breaks_is_a_failure(session: aiohttp.ClientSession) -> None:
    def broken() -> str | None:
        raise ZeroDivisionError

    status, _ = await answer_of(session, server.health_routes({"broken": broken}, {}), "/healthz")
    assert status == 500


async def test_metrics_are_those_of_the_default_registry(session: aiohttp.ClientSession) -> None:
    status, text = await answer_of(session, server.metrics_routes(), "/metrics")
    assert status == 200
    assert "\nevent_loop_lag_seconds_count " in text
    assert "\nprocess_resident_memory_bytes " in text
    assert "\npython_gc_collections_total{" in text


async def test_metrics_are_compressed_for_those_who_can_read_it(session: aiohttp.ClientSession) -> None:
    async with serving(server.metrics_routes()) as listener:
        answer = await session.get(f"http://127.0.0.1:{listener.port}/metrics", headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "python_info" in await answer.text()


async def test_without_an_address_nothing_listens() -> None:
    async with serving(server.metrics_routes(), address=None) as listener:
        assert listener.port is None


async def test_no_host_means_all_interfaces(session: aiohttp.ClientSession) -> None:
    async with serving([]) as earlier:
        assert earlier.port is not None
        free = Address("", earlier.port)
    async with serving(server.health_routes({}, {}), free) as listener:
        assert (await session.get(f"http://127.0.0.1:{listener.port}/healthz")).status == 200


async def test_a_taken_address_is_named_in_the_error() -> None:
    async with serving([]) as first:
        assert first.port is not None
        with pytest.raises(OSError, match=f"127.0.0.1.*{first.port}.*address already in use"):
            async with serving([], Address("127.0.0.1", first.port)):
                pass


async def test_after_stop_nobody_is_served(session: aiohttp.ClientSession) -> None:
    async with serving(server.health_routes({}, {})) as listener:
        port = listener.port
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get(f"http://127.0.0.1:{port}/healthz")
    assert listener.port is None


@pytest.mark.holds("F70")
async def test_a_handler_that_hangs_is_cut_off(session: aiohttp.ClientSession) -> None:
    async def hang(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with serving([web.post("/", hang)], request_seconds=0.05) as listener:
        with structlog.testing.capture_logs() as lines, pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(f"http://127.0.0.1:{listener.port}/")  # a GET would be tried twice
    assert [line["event"] for line in lines] == ["http_request_cut_off"]


@pytest.mark.holds("F70")
async def test_a_scraper_that_stops_reading_is_cut_off() -> None:
    sending_ended = asyncio.Event()

    class Watched(web.Response):
        async def write_eof(self, data: bytes = b"") -> None:
            try:
                await super().write_eof(data)
            finally:
                sending_ended.set()

    async def answer(_request: web.Request) -> web.Response:
        return Watched(body=bytes(2**26))  # more than the buffers of both sockets hold

    async with serving([web.get("/", answer)], request_seconds=0.5) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(sending_ended.wait(), 10)
        received = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
    assert len(received) < 2**26


def ticks() -> float:
    return REGISTRY.get_sample_value("event_loop_lag_seconds_count") or 0.0


def ticks_up_to(lag: str) -> float:
    return REGISTRY.get_sample_value("event_loop_lag_seconds_bucket", {"le": lag}) or 0.0


@pytest.fixture
async def monitor() -> AsyncIterator[LoopMonitor]:
    monitor = LoopMonitor()
    running = asyncio.create_task(monitor.run())
    yield monitor
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.virtual_time
async def test_the_monitor_ticks_each_second(monitor: LoopMonitor) -> None:
    before, in_time = ticks(), ticks_up_to("0.001")
    await asyncio.sleep(10.5)
    assert ticks() - before == 10
    assert ticks_up_to("0.001") - in_time == 10
    assert monitor.last_tick == 10.0
    assert monitor.check() is None


@pytest.mark.virtual_time
async def test_the_monitor_measures_how_late_the_loop_is(monitor: LoopMonitor) -> None:
    await asyncio.sleep(1.5)
    before, in_time = ticks(), ticks_up_to("2.5")
    pause(5.0)
    await asyncio.sleep(0.1)
    assert ticks() - before == 1
    assert ticks_up_to("2.5") == in_time
    assert monitor.last_tick == 6.5


@pytest.mark.virtual_time
async def test_a_loop_that_hung_fails_the_check_until_it_ticks_again(monitor: LoopMonitor) -> None:
    await asyncio.sleep(1.5)
    pause(20.0)
    assert monitor.check() == "the event loop has not ticked for 20 s"
    await asyncio.sleep(1.0)
    assert monitor.check() is None


def pause(seconds: float) -> None:
    """The process stands still while the clock goes on."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.pause(seconds)
