"""STS's protocol from the server's side: forms in, XML out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from tests.simulation.kms_errors import RefusedError

CONTENT_TYPE = "text/xml"
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_NUMBERS = frozenset({"DurationSeconds"})


def operation(body: bytes) -> str:
    """Which operation a form asks for; empty where it asks for none."""
    return _form(body).get("Action", "")


def read_parameters(body: bytes) -> dict[str, Any]:
    """Those that are no lists."""
    plain = {name: value for name, value in _form(body).items() if name not in ("Action", "Version") and "." not in name}
    return {name: int(value) if name in _NUMBERS else value for name, value in plain.items()}


def _form(body: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace"), keep_blank_values=True).items()}


def write_answer(operation: str, answer: Mapping[str, Any], request_id: str) -> bytes:
    result = f"<{operation}Result>{_members(answer)}</{operation}Result>"
    about = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    return f'<{operation}Response xmlns="{_NAMESPACE}">{result}{about}</{operation}Response>'.encode()


def write_error(error: RefusedError, request_id: str) -> bytes:
    words = f"<Type>Sender</Type><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    return (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error>{words}</Error><RequestId>{request_id}</RequestId></ErrorResponse>'.encode()
    )


def _members(answer: Mapping[str, Any]) -> str:
    return "".join(f"<{name}>{_written(value)}</{name}>" for name, value in answer.items())


def _written(value: Any) -> str:
    match value:
        case Mapping():
            return _members(value)
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return escape(str(value))
