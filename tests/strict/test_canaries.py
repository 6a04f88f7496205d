"""The eight kinds of credential on the real wires, at the level of logging that tells most, with each kind of fault on: none is told.

What the operator as a whole tells is looked at on a real API server (tests/cluster/test_secrets_stay_secret.py); this is about what is raised,
whether or not anybody logs it.
"""

import asyncio
import html
import io
import json
import logging
import sys
import threading
import traceback
import warnings
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import structlog
from aiohttp import web

from aws.channels import Terms
from aws.clients import Clients
from aws.credentials import AccessRequest, StaticCredentials
from aws.errors import AWSError
from aws.sessions import TOKEN_FILE
from aws.wires import AwsWires
from controller import logs
from controller.access import Access, Credentials
from controller.connection import HttpTransport
from controller.kube import Kube, KubeError
from tests.simulation.kms_model import Kms
from tests.strict.callers import Session
from tests.strict.canaries import ACCESS_KEY, EXTERNAL_ID, OURS, SECRET, TOKEN, WEB_IDENTITY, found
from tests.strict.http_faults import KINDS, Fault
from tests.strict.server import StrictAws

BEARER = "canary0bearer0token"
ROLE = "arn:aws:iam::123456789012:role/keys"
FOR_EVER = -1
WAIT_SECONDS = 2.0
LATE_SECONDS = 0.1


@pytest.fixture(scope="module")
def wires() -> AwsWires:
    opened = AwsWires()
    asyncio.run(opened.warm())
    return opened


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What production writes at DEBUG; afterwards logging is as it was."""
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


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[tuple[StrictAws, str]]:
    """The strict AWS and its URL. It knows the canaries as a session, and a pod's token file has another."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    token = tmp_path / "token"
    token.write_text(WEB_IDENTITY)
    monkeypatch.setenv(TOKEN_FILE, str(token))
    strict = StrictAws(Kms(lambda: datetime.now(UTC)))
    ends = datetime.now(UTC) + timedelta(hours=1)
    strict.callers.lend(Session(ACCESS_KEY, SECRET, TOKEN, "arn:aws:sts::123456789012:assumed-role/me/x", "123456789012", ends))
    runner = web.AppRunner(strict.application(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield strict, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _use(url: str, wires: AwsWires) -> list[str]:
    """Every kind of credential is used once; returns what was raised, with its traceback."""
    raised = []
    clients = Clients(Terms(wires.open, lambda _: True, lambda *_: None, lambda *_: None, WAIT_SECONDS), 1.0)
    static = AccessRequest("ns/static", "us-east-1", endpoint=url, static=StaticCredentials(ACCESS_KEY, SECRET, TOKEN))
    chained = replace(static, provider="ns/chained", assume_role_arn=ROLE, external_id=EXTERNAL_ID)
    pod = AccessRequest("ns/pod", "us-east-1", endpoint=url, role_arn=ROLE)
    for request in (static, chained, pod):
        try:
            connection = await clients.connect(request)
            await connection.call("kms", "ListKeys", {})
            await connection.call("kms", "CreateKey", {"Description": "x"})
        except AWSError as error:
            raised += [str(error), "".join(traceback.format_exception(error))]
    await clients.close()
    return raised + await _use_kubernetes(url)


async def _use_kubernetes(url: str) -> list[str]:
    async def read() -> str:
        return f"Bearer {BEARER}"

    kube = Kube(HttpTransport(Access(url, Credentials(read))))
    try:
        await kube.get("/api")
    except KubeError as error:
        return [str(error), "".join(traceback.format_exception(error))]
    finally:
        await kube.close()
    return []


def _found(told: str, strict: StrictAws) -> list[str]:
    return found(told, [*OURS, BEARER, *(one for session in strict.callers.sessions for one in session.canaries)])


DRESSES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "cut": lambda canary: canary[: len(canary) * 2 // 3],
    "JSON": json.dumps,
    "JSON in JSON's other way": lambda canary: json.dumps(canary).replace("/", "\\/"),
    "a URL's path": quote,
    "a form": lambda canary: urlencode({"a": canary}),
    "XML": html.escape,
    "Python": repr,
    "base64 of it alone": lambda canary: b64encode(canary.encode()).decode(),
    "base64 of a header": lambda canary: b64encode(f"user:{canary}!".encode()).decode(),
    "base64 for URLs": lambda canary: urlsafe_b64encode(f"u:{canary}".encode()).decode(),
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("canary", OURS)
def test_a_canary_is_found_in_any_dress(dress: str, canary: str) -> None:
    told = f"before {DRESSES[dress](canary)} after"
    assert found(told, OURS) == [canary]


@pytest.mark.holds("I15")
async def test_when_nothing_goes_wrong_no_credential_is_told(
    aws: tuple[StrictAws, str], stream: io.StringIO, wires: AwsWires
) -> None:
    strict, url = aws
    raised = await _use(url, wires)
    outcomes = [(call["operation"], call["outcome"]) for call in strict.calls]
    assert outcomes.count(("CreateKey", "OK")) == 3, raised  # all of them work
    assert {"AssumeRole", "AssumeRoleWithWebIdentity"} <= {operation for operation, _ in outcomes}
    assert "aws_connected" in stream.getvalue()
    assert _found(stream.getvalue() + "".join(raised), strict) == []


@pytest.mark.holds("I15")
@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_whatever_goes_wrong_no_credential_is_told(
    kind: str, aws: tuple[StrictAws, str], stream: io.StringIO, wires: AwsWires
) -> None:
    strict, url = aws
    for operation in ("CreateKey",) if kind.startswith("hung") else ("CreateKey", "ListKeys", "AssumeRole*", "GetCallerIdentity"):
        strict.faults.on = [Fault(kind, operation, FOR_EVER, seconds=LATE_SECONDS if kind == "late_answer" else 0)]
        raised = await _use(url, wires)
        assert _found(stream.getvalue() + "".join(raised), strict) == []


@pytest.mark.holds("I15")
@pytest.mark.parametrize(
    "code", ["SignatureDoesNotMatch", "InvalidClientTokenId", "AccessDenied", "IncompleteSignatureException"]
)
async def test_a_refusal_that_quotes_the_request_is_told_without_it(
    code: str, aws: tuple[StrictAws, str], stream: io.StringIO, wires: AwsWires
) -> None:
    strict, url = aws
    words = f"The request signature for {ACCESS_KEY} with the token does not match"
    for operation in ("AssumeRole*", "GetCallerIdentity", "CreateKey"):
        strict.faults.on = [Fault("error_before", operation, FOR_EVER, code=code, message=words, status=403)]
        raised = await _use(url, wires)
        assert raised
        assert _found(stream.getvalue() + "".join(raised), strict) == []
