"""Where the API server is and how to say who we are: from the pod's service account, or from a kubeconfig.

Rules:
1. KUBECONFIG wins; without it a pod uses its service account, anybody else ~/.kube/config.
2. In a pod three files are read directly. Importing any part of kubernetes_asyncio loads 74 MB in 1.5 s of CPU, so only a
   kubeconfig, with its contexts, plugins and identity providers, is left to it. No other module imports it.
3. Credentials are read again each minute, measured by the monotonic clock: a wall clock set back must not keep a token beyond its
   life. A 401 makes the next request read them at once.
4. An unreadable file, which a rotation may cause for a moment, keeps the last good credentials. Surrounding blanks are cut off.
5. A pod talks to its API server directly. Outside, the kubeconfig's proxy-url wins over HTTPS_PROXY and NO_PROXY.

Not promised: a client certificate that a kubeconfig names is not read again.
"""

import asyncio
import importlib
import math
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import structlog
import yaml
from aiohttp import ClientError

log = structlog.get_logger()

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# client-go's. The kubelet rewrites a token at 80 % of its life, which is never under 10 minutes.
REFRESH_SECONDS = 60.0
# A plugin that fails is not started again for each request.
RETRY_SECONDS = 5.0
# `aws eks get-token` takes 1 s; one that asks somebody to log in has no place in a controller.
PLUGIN_TIMEOUT_SECONDS = 30.0


class AccessError(OSError):
    """There is no API server to be found, or nothing to show it. An OSError: requests fail with it as with the network."""


class Credentials:
    """The Authorization header, from a function that reads it and raises AccessError."""

    def __init__(self, read: Callable[[], Awaitable[str | None]]) -> None:
        self._read = read
        self._header: str | None = None
        self._known = False
        self._due = -math.inf
        self._reading = asyncio.Lock()

    async def header(self) -> str | None:
        """The header's value; None where a client certificate does the work. Raises AccessError if it was never readable."""
        async with self._reading:
            if asyncio.get_running_loop().time() >= self._due:
                await self._refresh()
        return self._header

    def refused(self, header: str | None) -> None:
        """This value earned a 401: read again before the next request, unless that has been done since."""
        if header == self._header:
            self._due = -math.inf

    async def _refresh(self) -> None:
        now = asyncio.get_running_loop().time()
        try:
            self._header = await self._read()
            self._known = True
            self._due = now + REFRESH_SECONDS
        except AccessError as error:
            if not self._known:
                raise
            self._due = now + RETRY_SECONDS
            log.warning("credentials_unreadable", error=str(error))


@dataclass(frozen=True, slots=True)
class Access:
    """All that is needed to connect. `server` is a URL without a final slash, files are paths."""

    server: str
    credentials: Credentials
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = None


async def find_access() -> Access:
    """The way in that the environment describes. Raises AccessError, whose message says what to set."""
    if os.environ.get("KUBECONFIG"):
        return await _from_kubeconfig(os.environ["KUBECONFIG"])
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return _from_service_account()
    return await _from_kubeconfig(str(Path.home() / ".kube" / "config"))


def _from_service_account() -> Access:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    bracketed = f"[{host}]" if ":" in host else host

    async def read() -> str:
        return _read_token(SERVICE_ACCOUNT / "token")

    return Access(f"https://{bracketed}:{port}", Credentials(read), ca_file=str(SERVICE_ACCOUNT / "ca.crt"))


def _read_token(file: Path) -> str:
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AccessError(f"cannot read the service account's token: {error}") from error
    if not token:
        raise AccessError(f"the service account's token is empty: {file}")
    return f"Bearer {token}"


async def _from_kubeconfig(paths: str) -> Access:
    async def read() -> str | None:
        return _header(await _load(paths))

    found = await _load(paths)
    return Access(
        server=found.host,
        credentials=Credentials(read),
        ca_file=found.ssl_ca_cert,
        cert_file=found.cert_file,
        key_file=found.key_file,
        verify=found.verify_ssl,
        server_name=found.tls_server_name,
        proxy=found.proxy or _proxy_of_environment(found.host),
    )


async def _load(paths: str) -> Any:
    """The library's Configuration. It runs the plugin and renews tokens; its own wall-clock bookkeeping is not used."""
    _check_existence(paths)
    client = await asyncio.to_thread(importlib.import_module, "kubernetes_asyncio.client")
    config = await asyncio.to_thread(importlib.import_module, "kubernetes_asyncio.config")
    configuration = client.Configuration()
    try:
        async with asyncio.timeout(PLUGIN_TIMEOUT_SECONDS):
            await config.load_kube_config(paths, client_configuration=configuration)
    # TypeError: what the library makes of an empty file, or of a context without a user.
    except (config.ConfigException, ClientError, OSError, TypeError, ValueError, yaml.YAMLError) as error:
        raise AccessError(f"cannot use the kubeconfig {paths}: {type(error).__name__} {error}") from error
    return configuration


def _check_existence(paths: str) -> None:
    if not any(Path(path).expanduser().exists() for path in paths.split(os.pathsep)):
        raise AccessError(f"no kubeconfig at {paths}, and this is no pod: set KUBECONFIG")


def _header(configuration: Any) -> str | None:
    header = configuration.api_key.get("BearerToken")
    return str(header).strip() if header else None


def _proxy_of_environment(server: str) -> str | None:
    url = urlsplit(server)
    return None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)
