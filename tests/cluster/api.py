"""The API server as a user with one kept connection, for tables and measurements: every start of kubectl costs a tenth of a second of CPU.

What users see and type is tested with kubectl.
"""

import http.client
import json
import ssl
import time
from typing import Any

from tests.cluster.apiserver import ApiServer

TIMEOUT_SECONDS = 30.0
# kube-apiserver closes a connection that has been idle for 90 s.
IDLE_SECONDS = 60.0
# For some seconds after a CRD was installed: 429, "storage is (re)initializing".
PATIENCE_SECONDS = 10.0
BREAK_SECONDS = 0.2


class RefusedError(Exception):
    """The API server said no; the message has its words."""


class Api:
    """The API server, as its administrator."""

    def __init__(self, server: ApiServer) -> None:
        host, _, port = server.url.removeprefix("https://").partition(":")
        context = ssl.create_default_context(cafile=server.ca)
        self._connection = http.client.HTTPSConnection(host, int(port), timeout=TIMEOUT_SECONDS, context=context)
        self._token = server.admin_token
        self._used = 0.0

    def get(self, path: str) -> Any:
        """What is there. Raises RefusedError and OSError."""
        return self._send("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        """Creates an object, and returns it as it is stored. Raises RefusedError and OSError."""
        return self._send("POST", path, json.dumps(body))

    def put(self, path: str, body: Any) -> Any:
        """Replaces an object, and returns it as it is stored. Raises RefusedError and OSError."""
        return self._send("PUT", path, json.dumps(body))

    def merge(self, path: str, patch: Any) -> Any:
        """Merges into an object, and returns it as it is stored. Raises RefusedError and OSError."""
        return self._send("PATCH", path, json.dumps(patch), "application/merge-patch+json")

    def patch(self, path: str, operations: Any) -> Any:
        """A JSON patch; returns the object as it is stored. Raises RefusedError and OSError."""
        return self._send("PATCH", path, json.dumps(operations), "application/json-patch+json")

    def delete(self, path: str) -> None:
        """Asks for an object's end. Raises RefusedError and OSError."""
        self._send("DELETE", path, None)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def _send(self, method: str, path: str, body: str | None, content_type: str = "application/json") -> Any:
        started = time.monotonic()
        code, text = self._once(method, path, body, content_type)
        while code == 429 and time.monotonic() - started < PATIENCE_SECONDS:
            time.sleep(BREAK_SECONDS)
            code, text = self._once(method, path, body, content_type)
        if code >= 300:
            raise RefusedError(f"{method} {path}: {code} {_words(text)}")
        return json.loads(text)

    def _once(self, method: str, path: str, body: str | None, content_type: str) -> tuple[int, bytes]:
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()  # the next request opens it again
        self._used = time.monotonic()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def _words(answer: bytes) -> str:
    """A Status's message; any other answer as it is."""
    try:
        return str(json.loads(answer)["message"])
    except (KeyError, TypeError, ValueError):
        return answer.decode(errors="replace")
