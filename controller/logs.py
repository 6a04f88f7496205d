"""Logs: one line per event on one stream, ours and the libraries' alike, and no secret in any of them.

    {"timestamp": "2026-01-31T12:00:00.123456Z", "level": "warning", "event": "watch_failed", "resource": "kmskeys", ...}

Rules:
1. Modules call structlog.get_logger(); an event has a name and key-value pairs. Context variables that are bound are merged in.
2. What libraries log through the standard library, Python's warnings, asyncio's complaints about tasks whose error nobody read,
   and an exception that ends the process or a thread take the same way and get the same form.
3. At any level of ours, libraries are heard from WARNING on. Their DEBUG prints credentials, tokens and bodies of Secrets.
   The handler holds this bound too, because a library can set the level of its own logger.
4. Tracebacks are Python's plain ones: they show no local variables.
5. As a last resort, values under keys that name a secret, and whatever looks like a signed token, are masked.

It does not promise that a secret in the middle of a message is recognised: whoever logs must not put it there.
"""

import logging
import re
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import TextIO

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "***"

# Only the ends of names count, so that token_age and secret_name stay readable.
_SECRET_KEY = re.compile(
    r"(password|(secret|access|private)_?key|token|authorization|credentials?|external_?id)$", re.IGNORECASE
)
# A JSON web token: two base64url objects, each of which begins with {" and so with eyJ, and a signature.
_SIGNED_TOKEN = re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+")

log = structlog.get_logger()


def configure(level: str, form: str, stream: TextIO) -> None:
    """Send every log of the process to the stream, from this level on; form is "json" or "console"."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    processors = _processors()
    renderer = _renderer(form, stream)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setLevel(max(threshold, logging.WARNING))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *processors],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=handler.level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask what must not be read: by the name of its key, or because it is a signed token."""
    return {key: _masked(key, value) for key, value in event.items()}


def _processors() -> list[Processor]:
    """What makes of a call and its arguments the pairs of a line, in the order of their reading."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
        _headline_first,
    ]


def _renderer(form: str, stream: TextIO) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer()
    return ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain_traceback)


def _headline_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Whoever reads raw JSON finds when, how bad and what at the start of the line."""
    return {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "event": event.pop("event"), **event}


def _masked(key: object, value: object) -> object:
    if isinstance(key, str) and _SECRET_KEY.search(key) and value:
        return MASK
    match value:
        case str():
            return _SIGNED_TOKEN.sub(MASK, value)
        case Mapping():
            return {inner: _masked(inner, inner_value) for inner, inner_value in value.items()}
        case list() | tuple():
            return [_masked("", element) for element in value]
        case _:
            return value


def _log_uncaught(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    log.error("uncaught_exception", exc_info=error)


def _log_uncaught_in_thread(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread else "unknown"
    log.error("uncaught_exception", thread=name, exc_info=failure.exc_value)
