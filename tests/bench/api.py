"""The API server as a user with one kept connection: a kubectl for each object would take the CPU away from what is measured."""

import http.client
import json
import ssl
import time
from typing import Any

from tests.cluster.apiserver import ApiServer

TIMEOUT_SECONDS = 30.0
# kube-apiserver closes a connection that has been idle for 90 s.
IDLE_SECONDS = 60.0


class RefusedError(Exception):
    """The API server said no; the message has its words."""


class Api:
    """The API server, as its administrator."""

    def __init__(self, server: ApiServer) -> None:
        host, _, port = server.url.removeprefix("https://").partition(":")
        context = ssl.create_default_context(cafile=server.ca)
        self._connection = http.client.HTTPSConnection(host, int(port), timeout=TIMEOUT_SECONDS, context=context)
        self._headers = {"Authorization": f"Bearer {server.admin_token}", "Content-Type": "application/json"}
        self._used = 0.0

    def get(self, path: str) -> Any:
        """What is there. Raises RefusedError and OSError."""
        return self._send("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> None:
        """Creates an object. Raises RefusedError and OSError."""
        self._send("POST", path, json.dumps(body))

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def _send(self, method: str, path: str, body: str | None) -> Any:
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()  # the next request opens it again
        self._used = time.monotonic()
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RefusedError(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text)
