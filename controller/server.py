"""What scrapers and probes see: /metrics on one address, /healthz and /readyz on another.

Rules:
1. A check is a function that returns None, or what is wrong in words. It looks at what is known already: it must not wait.
2. A probe answers 200 and "ok", or 500 and a line for each check that fails; with ?verbose a line for every check. A failure is
   logged too, because the kubelet shows the status alone.
3. A request is bounded from its first byte to the last one of its answer: a scraper that stops reading is cut off.
4. The loop monitor measures how late the event loop wakes a timer. A loop that hangs answers no probe at all, so its check is
   for the loop that runs now and then: it fails when the last tick is old.

Who may read metrics stands in metrics_access.py; probes answer everybody who may connect.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Never

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client.aiohttp import make_aiohttp_handler

from controller import metrics
from controller.settings import Address

Check = Callable[[], str | None]

# Prometheus and the kubelet give up after 10 s at the latest, unless told otherwise.
REQUEST_SECONDS = 10.0
# Nobody needs the answers of a process that ends: enough for one that is being written.
SHUTDOWN_SECONDS = 1.0
TICK_SECONDS = 1.0
# More than twice the longest stall that was measured under load (5.9 s, one C call that kept the interpreter's lock).
HUNG_SECONDS = 15.0

log = structlog.get_logger()


class Listener:
    """Routes served on an address, or nothing when there is no address. guards: who may ask; tls: in clear without it."""

    def __init__(
        self,
        address: Address | None,
        routes: Sequence[web.RouteDef],
        request_seconds: float = REQUEST_SECONDS,
        guards: Sequence[Middleware] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._address = address
        self._tls = tls
        app = web.Application(middlewares=[_bounded(request_seconds), *guards])
        app.add_routes(routes)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)

    @property
    def port(self) -> int | None:
        """The port in use, also where the address left the choice open (with a host: else each IP family chooses one); or None."""
        return self._runner.addresses[0][1] if self._runner.addresses else None

    async def start(self) -> None:
        """Listen. Raises OSError, whose message names the address, when it is taken or not ours."""
        if self._address is None:
            return
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address.host or None, self._address.port, ssl_context=self._tls).start()

    async def stop(self) -> None:
        """Close the address and all connections; a Listener that never started may be stopped too."""
        await self._runner.cleanup()


def metrics_routes() -> list[web.RouteDef]:
    """/metrics: the default registry, compressed where the scraper asks for it."""
    return [web.get("/metrics", make_aiohttp_handler())]


def health_routes(live: Mapping[str, Check], ready: Mapping[str, Check]) -> list[web.RouteDef]:
    """/healthz and /readyz, each with its checks by name."""
    return [web.get("/healthz", _probe("healthz", live)), web.get("/readyz", _probe("readyz", ready))]


class LoopMonitor:
    """Measures the lag of the running event loop, in which it is made and run."""

    def __init__(self) -> None:
        self.last_tick = asyncio.get_running_loop().time()

    async def run(self) -> Never:
        """Tick until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self.last_tick = loop.time()
            metrics.EVENT_LOOP_LAG_SECONDS.observe(max(0.0, self.last_tick - due))

    def check(self) -> str | None:
        """A Check, for /healthz."""
        silent = asyncio.get_running_loop().time() - self.last_tick
        return None if silent < HUNG_SECONDS else f"the event loop has not ticked for {silent:.0f} s"


def _probe(probe: str, checks: Mapping[str, Check]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        findings = {name: check() for name, check in checks.items()}
        failed = {name: problem for name, problem in findings.items() if problem is not None}
        for name, problem in failed.items():
            log.warning("probe_failed", probe=probe, check=name, problem=problem)
        listed = findings if "verbose" in request.query else failed
        return web.Response(text=_report(probe, listed, passed=not failed), status=500 if failed else 200)

    return answer


def _report(probe: str, findings: Mapping[str, str | None], *, passed: bool) -> str:
    """The form of Kubernetes' own components, except that it gives the reason."""
    if not findings:
        return "ok\n"
    lines = [f"[+]{name} ok" if problem is None else f"[-]{name} failed: {problem}" for name, problem in findings.items()]
    return "\n".join([*lines, f"{probe} check {'passed' if passed else 'failed'}\n"])


def _bounded(seconds: float) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(seconds):
                response = await handler(request)
                # Sent here, because what the server sends after the handlers has no bound.
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            log.warning("http_request_cut_off", path=request.path, seconds=seconds)
            if request.transport is not None:
                request.transport.abort()  # close() would wait for the reader that does not read
            return web.Response(status=504)  # which nobody gets: it ends the handling
        return response

    return middleware
