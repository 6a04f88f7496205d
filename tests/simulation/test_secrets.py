"""Credentials are read, used, and nowhere to be seen: not in a log of any level, not in an event, not in a status."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog

from controller import logs
from tests.simulation import aws_wires
from tests.simulation.api_server import failure
from tests.simulation.api_transport import refused
from tests.simulation.faults import Fault
from tests.simulation.identities import Credentials
from tests.simulation.scenarios import FULL
from tests.simulation.world import CANARY, World

pytestmark = pytest.mark.virtual_time

NEXT = Credentials("AKIACANARYCANARY0002", "canary/secret+access+key/0000000000000002")
CANARIES = (CANARY.access_key_id, CANARY.secret_access_key, NEXT.access_key_id, NEXT.secret_access_key)


def _signature_refused(operation: str) -> Fault:
    """AWS quotes the key, and a proxy all that it was sent."""
    message = f"The request signature for {CANARY.access_key_id} with {CANARY.secret_access_key} does not match"
    return Fault(operation, lambda: aws_wires.client_error(operation, "SignatureDoesNotMatch", message, 403), times=3)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What production writes, at the level that tells most; afterwards logging is as it was."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        written = io.StringIO()
        logs.configure("debug", "json", written)
        yield written
        logging.captureWarnings(False)
    sys.excepthook, threading.excepthook = hooks
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.holds("I15")
async def test_no_credential_appears_anywhere(stream: io.StringIO) -> None:
    async with World() as world:
        world.start("a", leader_elect=True)
        world.apply("orders", **FULL)
        await world.ready("orders")
        for fault in (
            _signature_refused("DescribeKey"),
            _signature_refused("GetCallerIdentity"),
            aws_wires.garbage("DescribeKey", times=3),
            aws_wires.lost_answer("UpdateKeyDescription"),
            refused("GET secrets", failure(500, "InternalError", "down"), times=2),
        ):
            world.traffic.faults.on(fault)
            world.apply("orders", **FULL | {"description": str(world.time)})
            await world.advance(200)
        world.set_secret(NEXT)  # which AWS does not know
        await world.advance(200)
        world.set_secret(CANARY)
        await world.ready("orders")
        stored = [obj for plural in ("events", "kmskeys", "awsproviders", "leases") for obj in world.etcd.all(plural)]
    told = stream.getvalue() + json.dumps(stored)
    assert "reconcile_failed" in told
    assert [canary for canary in CANARIES if canary in told] == []
