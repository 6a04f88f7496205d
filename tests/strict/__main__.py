"""The strict AWS as a process, behind a socket that its parent opened.

    python -m tests.strict FD [--quotas] [--page-size N]

Requests that arrive before it is up wait in the socket's backlog. With --quotas, or STRICT_QUOTAS=1, KMS's request quotas hold, in each account
and region. Lists come in pages of 10, so that whoever forgets the second one is found out. Both can be switched while it runs (switches.py).
"""

import argparse
import os
import socket
from datetime import UTC, datetime

from aiohttp import web

from tests.simulation.kms_model import Kms
from tests.simulation.kms_quotas import request_quotas
from tests.strict.server import StrictAws


def main() -> None:
    """Serves until it is killed."""
    parser = argparse.ArgumentParser(description="A strict model of KMS, STS and the tagging API.")
    parser.add_argument("fd", type=int, help="a listening socket")
    with_quotas = os.environ.get("STRICT_QUOTAS") == "1"
    parser.add_argument("--quotas", action="store_true", default=with_quotas, help="refuse what exceeds KMS's request quotas")
    parser.add_argument("--page-size", type=int, default=10, help="the longest page of a list")
    options = parser.parse_args()
    kms = Kms(lambda: datetime.now(UTC))
    kms.quotas = request_quotas(on=options.quotas)
    kms.page_size = options.page_size
    with socket.socket(fileno=options.fd) as listening:
        web.run_app(StrictAws(kms).application(), sock=listening, access_log=None, print=None)


if __name__ == "__main__":
    main()
