"""A test's own words with a strict AWS that runs in another process."""

import json
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 30.0


def ask(aws: str, method: str, path: str, body: object = None) -> Any:
    """A request to its own side, such as "POST", "faults"; aws: its URL. Raises OSError; HTTPError's text says what to write instead."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{aws}/_strict/{path}", data, method=method)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None
