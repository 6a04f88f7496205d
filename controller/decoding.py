"""Between the models of reconcilers/ and the bytes of the API server."""

from typing import Any, TypeVar

import msgspec
import structlog
from pydantic import ValidationError

from controller.objects import KubeObject
from reconcilers.fields import Model

M = TypeVar("M", bound=Model)

log = structlog.get_logger()


def plain(model: Model) -> dict[str, Any]:
    """As the API server holds it: no nulls, nothing that is at its default."""
    dumped: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return dumped


def read_status(obj: KubeObject, model: type[M]) -> M:
    """Without the fields that cannot be read, which another version may have written: they must not stop the object for good."""
    try:
        return model.model_validate_json(obj.status)
    except ValidationError as error:
        log.warning("status_not_understood", error=tell(error))
        unreadable = {found["loc"][0] for found in error.errors()}
        fields = msgspec.json.decode(obj.status, type=dict[str, Any])
        return model.model_validate_json(msgspec.json.encode({name: v for name, v in fields.items() if name not in unreadable}))


def tell(error: ValidationError) -> str:
    """Which fields are wrong and how, without their values, which may be secret."""
    return "; ".join(
        f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors(include_input=False, include_url=False)
    )
