"""AWS's JSON 1.1 protocol from the server's side: bodies to parameters, answers to bodies, as the service models say.

Dates travel as seconds since 1970, blobs as base64. An error has its code in `__type`.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.simulation.kms_errors import RefusedError
from tests.simulation.service_models import input_shape

CONTENT_TYPE = "application/x-amz-json-1.1"


def read_parameters(service: str, operation: str, body: bytes) -> dict[str, Any]:
    """The parameters of a request. Raises RefusedError for what is no JSON object."""
    try:
        told = json.loads(body or b"{}")
    except ValueError:
        raise RefusedError("SerializationException", "The request is not valid JSON") from None
    if not isinstance(told, dict):
        raise RefusedError("SerializationException", "The request is not a JSON object")
    read: dict[str, Any] = _read(told, input_shape(service, operation))
    return read


def write_answer(answer: Mapping[str, Any]) -> bytes:
    """The body of a success; empty where AWS's is."""
    return json.dumps(answer, default=_written).encode() if answer else b""


def write_error(error: RefusedError) -> bytes:
    return json.dumps({"__type": error.code, "message": error.message}).encode()


def _written(value: object) -> object:
    match value:
        case datetime():
            return value.timestamp()
        case bytes():
            return base64.b64encode(value).decode()
        case Mapping():
            return dict(value)
        case _:
            raise TypeError(f"{value!r} has no form in JSON")


def _read(value: Any, shape: Any) -> Any:
    """Unknown members stay, so that the model of the service can refuse them."""
    match shape.type_name if shape is not None else "":
        case "structure" if isinstance(value, dict):
            return {name: _read(inner, shape.members.get(name)) for name, inner in value.items()}
        case "list" if isinstance(value, list):
            return [_read(inner, shape.member) for inner in value]
        case "timestamp" if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        case "blob" if isinstance(value, str):
            return base64.b64decode(value)
        case _:
            return value
