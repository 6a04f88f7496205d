"""The transport of production: HTTP over connections that stay warm.

Rules:
1. A new TLS connection costs 4.8 ms, a kept one 0.65 ms: idle ones are kept for longer than the pauses between requests.
2. A 401 is answered with one more attempt, with credentials read anew: nothing was executed, so even a POST may be repeated.
3. The environment is not consulted for each request: aiohttp's trust_env reads netrc in a thread every time, 0.5 ms of CPU.
4. A certificate that is not trusted makes us read the CA file again, so that a rotated CA is trusted from the next attempt on.
   The old one stays trusted until the process ends.
5. Every attempt is counted, also one that fails or is given up, under the names and labels of client-go.

Timeouts are kept by Kube, which can bound any transport; here there are none.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlencode, urlsplit

import aiohttp
import structlog
from yarl import URL

from controller import metrics
from controller.access import Access, AccessError, find_access
from controller.kube import Kube, Request, Response, Stream

log = structlog.get_logger()

# Above the minute between two rounds of anything. kube-apiserver closes an idle connection after 90 s, and a request that crosses
# with that is lost.
KEEPALIVE_SECONDS = 75.0
# Watches hold one connection each and must never starve the workers, of which there are tens: far above both, yet a bound.
CONNECTION_LIMIT = 1000
# What client-go counts for an attempt without an answer.
NO_ANSWER = "<error>"


# By it the API server calls whoever changes a field of an object (managedFields).
AGENT = "infra-operator"


async def connect(agent: str = AGENT) -> Kube:
    """A connection to the cluster that the environment describes (controller/access.py). Raises AccessError."""
    return Kube(HttpTransport(await find_access(), agent))


class HttpTransport:
    """Requests over one pool of connections, bound to the running event loop. Raises AccessError for unusable files."""

    def __init__(self, access: Access, agent: str = AGENT) -> None:
        self._access = access
        self._host = urlsplit(access.server).netloc
        self._tls = _tls_context(access)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTION_LIMIT, ssl=self._tls, keepalive_timeout=KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json", "User-Agent": agent},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,
        )

    async def send(self, request: Request) -> Response:
        """Send, and read the answer to its end, whatever its status."""
        async with await self._exchange(request) as answer:
            return Response(answer.status, await answer.read(), answer.headers.get("Retry-After"))

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        """Send, and hand out the answer as soon as its status is known."""
        async with await self._exchange(request) as answer:
            yield Stream(answer.status, answer.content.iter_any(), answer.headers.get("Retry-After"))

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _exchange(self, request: Request) -> aiohttp.ClientResponse:
        authorization = await self._access.credentials.header()
        answer = await self._attempt(request, authorization)
        if answer.status != 401:
            return answer
        answer.release()
        self._access.credentials.refused(authorization)
        return await self._attempt(request, await self._access.credentials.header())

    async def _attempt(self, request: Request, authorization: str | None) -> aiohttp.ClientResponse:
        code, started = NO_ANSWER, asyncio.get_running_loop().time()
        try:
            answer = await self._request(request, authorization)
            code = str(answer.status)
            return answer
        except aiohttp.ClientSSLError:
            self._trust_again()
            raise
        finally:
            metrics.REST_CLIENT_REQUESTS.labels(code, request.method, self._host).inc()
            elapsed = asyncio.get_running_loop().time() - started
            metrics.REST_CLIENT_REQUEST_DURATION_SECONDS.labels(request.method, self._host).observe(elapsed)

    async def _request(self, request: Request, authorization: str | None) -> aiohttp.ClientResponse:
        headers = {"Content-Type": request.content_type} if request.body is not None else {}
        if authorization:
            headers["Authorization"] = authorization
        query = f"?{urlencode(request.query)}" if request.query else ""
        return await self._session.request(
            request.method,
            URL(f"{self._access.server}{request.path}{query}", encoded=True),
            data=request.body,
            headers=headers,
            proxy=self._access.proxy,
            server_hostname=self._access.server_name,
            allow_redirects=False,  # the API server has none for us, and the token is for nobody else
        )

    def _trust_again(self) -> None:
        if self._access.ca_file:
            try:
                self._tls.load_verify_locations(self._access.ca_file)
            except OSError as error:
                log.warning("ca_unreadable", file=self._access.ca_file, error=str(error))


def _tls_context(access: Access) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=access.ca_file)
        if access.cert_file:
            context.load_cert_chain(access.cert_file, access.key_file)
    except OSError as error:
        raise AccessError(f"cannot read {access.ca_file or access.cert_file}: {error}") from error
    # Strict since Python 3.13: it refuses CAs without an authority key identifier, such as those of EKS.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
