"""One GET and its HTTP status: what "ready" means for every server here.

No proxy of the environment is asked, since all of them listen on 127.0.0.1.
"""

import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 5.0


def status(url: str, ca: Path | None = None, token: str = "") -> int | None:
    """The status of GET url; None when there is no answer (yet), which includes a `ca` file that is not there yet."""
    target = urlsplit(url)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection = _connection(target.hostname or "", target.port, ca)
        try:
            connection.request("GET", target.path, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return None


def _connection(host: str, port: int | None, ca: Path | None) -> http.client.HTTPConnection:
    if ca is None:
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context(cafile=ca))
