import asyncio
import gc
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog
from aiobotocore.session import get_session
from aiohttp import web

from controller import logs
from controller.settings import LOG_FORMATS

CANARY = "canary-4f1d"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook
    with warnings.catch_warnings():
        yield
        logging.captureWarnings(False)
    sys.excepthook, threading.excepthook = hooks
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_that_begins_with_when_how_bad_and_what(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    structlog.get_logger().warning("watch_failed", resource="kmskeys", attempt=3)
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "resource", "attempt"]
    assert line["level"] == "warning"
    assert line["event"] == "watch_failed"
    assert line["attempt"] == 3
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() is not None
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["d", "i", "w", "e"]),
        ("info", ["i", "w", "e"]),
        ("warning", ["w", "e"]),
        ("error", ["e"]),
    ],
)
def test_what_is_below_the_level_is_not_written(level: str, expected: list[str], stream: io.StringIO) -> None:
    logs.configure(level, "json", stream)
    log = structlog.get_logger()
    log.debug("d")
    log.info("i")
    log.warning("w")
    log.error("e")
    assert [line["event"] for line in lines(stream)] == expected


def test_bound_context_is_part_of_each_line(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    with structlog.contextvars.bound_contextvars(namespace="team", name="key"):
        structlog.get_logger().info("reconciled")
        logging.getLogger("library").warning("odd")
    assert [(line["namespace"], line["name"]) for line in lines(stream)] == [("team", "key")] * 2


def test_a_library_gets_the_same_form_and_its_name(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    logging.getLogger("some.library").warning("it is %s", "odd")
    (line,) = lines(stream)
    assert (line["level"], line["event"], line["logger"]) == ("warning", "it is odd", "some.library")
    assert list(line)[:3] == ["timestamp", "level", "event"]


def test_a_warning_of_python_is_a_line(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    warnings.simplefilter("always")
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "DeprecationWarning: old" in line["event"]


def fail_with_a_local() -> None:
    password_of_a_frame = f"{CANARY}-local"
    raise ValueError(len(password_of_a_frame))


@pytest.mark.parametrize("form", LOG_FORMATS)
def test_a_traceback_shows_no_local_variable(form: str, stream: io.StringIO) -> None:
    logs.configure("info", form, stream)
    try:
        fail_with_a_local()
    except ValueError:
        structlog.get_logger().exception("reconcile_failed")
        logging.getLogger("library").exception("failed")
    written = stream.getvalue()
    assert written.count("Traceback (most recent call last)") == 2
    assert written.count("in fail_with_a_local") == 2
    assert f"{CANARY}-local" not in written


def test_the_console_is_coloured_only_on_a_terminal(stream: io.StringIO) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    for target in (stream, terminal):
        logs.configure("info", "console", target)
        structlog.get_logger().info("started", workers=10)
    assert "started" in stream.getvalue()
    assert "workers=10" in stream.getvalue()
    assert "\x1b[" not in stream.getvalue()
    assert "\x1b[" in terminal.getvalue()


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("password", CANARY, logs.MASK),
        ("aws_secret_access_key", CANARY, logs.MASK),
        ("SecretAccessKey", CANARY, logs.MASK),
        ("session_token", CANARY, logs.MASK),
        ("SessionToken", CANARY, logs.MASK),
        ("Authorization", CANARY, logs.MASK),
        ("externalID", CANARY, logs.MASK),
        ("private_key", CANARY, logs.MASK),
        ("headers", {"authorization": CANARY, "accept": "json"}, {"authorization": logs.MASK, "accept": "json"}),
        ("answers", [{"SessionToken": CANARY}], [{"SessionToken": logs.MASK}]),
        ("error", f"refused: {JWT}!", f"refused: {logs.MASK}!"),
        ("error", [f"refused: {JWT}"], [f"refused: {logs.MASK}"]),
        ("secret_name", "team/aws", "team/aws"),
        ("token_age", 3, 3),
        ("key_id", "1234abcd", "1234abcd"),
        ("password", None, None),
    ],
)
def test_what_looks_like_a_secret_is_masked(key: str, value: object, written: object, stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    structlog.get_logger().info("checked", **{key: value})
    (line,) = lines(stream)
    assert line[key] == written


async def test_an_error_that_nobody_awaited_is_a_line(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)

    async def forgotten() -> None:
        raise ValueError("lost")

    task = asyncio.create_task(forgotten())
    await asyncio.wait([task])
    del task
    gc.collect()
    (line,) = lines(stream)
    assert line["logger"] == "asyncio"
    assert line["level"] == "error"
    assert "ValueError: lost" in line["exception"]


def test_what_ends_the_process_is_a_line(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    error = ValueError("the end")
    sys.excepthook(ValueError, error, None)
    (line,) = lines(stream)
    assert line["event"] == "uncaught_exception"
    assert "ValueError: the end" in line["exception"]


def test_what_ends_a_thread_is_a_line_with_its_name(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    thread = threading.Thread(target=fail_with_a_local, name="lease")
    thread.start()
    thread.join()
    (line,) = lines(stream)
    assert (line["event"], line["thread"]) == ("uncaught_exception", "lease")
    assert "ValueError" in line["exception"]


@pytest.fixture
def chatty_libraries() -> Iterator[None]:
    """Libraries that were told to say everything, which is what a level on the root logger alone does not prevent."""
    loggers = [logging.getLogger(name) for name in ("botocore", "aiobotocore", "aiohttp", "kubernetes_asyncio", "asyncio")]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield
    for logger in loggers:
        logger.setLevel(logging.NOTSET)


ASSUME_ROLE_ANSWER = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>AKIA</AccessKeyId><SecretAccessKey>{CANARY}-answered-secret</SecretAccessKey>
<SessionToken>{CANARY}-answered-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""


async def assume_a_role_with_canaries() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=ASSUME_ROLE_ANSWER, content_type="text/xml")

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    try:
        async with get_session().create_client(
            "sts",
            region_name="us-east-1",
            endpoint_url=f"http://{host}:{port}",
            aws_access_key_id="AKIA",
            aws_secret_access_key=f"{CANARY}-secret",
            aws_session_token=f"{CANARY}-token",
        ) as client:
            await client.assume_role(
                RoleArn="arn:aws:iam::111122223333:role/keys", RoleSessionName="test", ExternalId=f"{CANARY}-external-id"
            )
    finally:
        await runner.cleanup()


@pytest.mark.usefixtures("chatty_libraries")
@pytest.mark.parametrize("form", LOG_FORMATS)
async def test_no_library_can_tell_a_secret_at_debug(form: str, stream: io.StringIO) -> None:
    logs.configure("debug", form, stream)
    own = io.StringIO()
    everything = logging.StreamHandler(own)
    logging.getLogger().addHandler(everything)
    await assume_a_role_with_canaries()
    logging.getLogger("botocore").warning("heard")
    assert CANARY in own.getvalue(), "botocore's debug output has changed: this test proves nothing any more"
    assert CANARY not in stream.getvalue()
    assert "heard" in stream.getvalue()
