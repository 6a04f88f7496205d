"""What an operator's HTTP listeners say."""

import contextlib
import http.client
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 5.0


def page(url: str) -> tuple[int, str]:
    """Status and body of GET url. Raises OSError."""
    target = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(target.netloc, timeout=TIMEOUT_SECONDS)) as connection:
        connection.request("GET", f"{target.path}?{target.query}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
