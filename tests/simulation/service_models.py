"""AWS's published service models as a judge of requests and answers: names, types, lengths, patterns, enums.

Rules:
1. What the SDK refuses before it sends (a missing or misspelt parameter, a wrong type) is raised as the SDK raises it.
2. What only the server checks (maximum lengths, patterns, enums) is refused as its front door does.
3. Our own answers are held to the same models, so that the code under test cannot come to rely on a slip of ours.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ParamValidationError
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.simulation.kms_errors import constraint

Parameters = Mapping[str, Any]
_Finding = tuple[object, str, str]  # value, where, which rule it breaks


def check_request(service: str, operation: str, parameters: Parameters) -> None:
    """Raises ParamValidationError where the SDK would not send, and RefusedError where the front door says no."""
    shape = _operation(service, operation).input_shape
    if shape is None:
        return
    _check(parameters, shape)
    for value, where, rule in _broken(parameters, shape, ""):
        raise constraint(value, where, rule)


def input_shape(service: str, operation: str) -> Any:
    """botocore's shape of the parameters; None where there are none. Raises OperationNotFoundError."""
    return _operation(service, operation).input_shape


def operation_names(service: str) -> tuple[str, ...]:
    """Every operation that the service has."""
    return tuple(_service(service).operation_names)


def check_answer(service: str, operation: str, answer: Parameters) -> None:
    """Raises ParamValidationError for an answer that AWS could not give."""
    shape = _operation(service, operation).output_shape
    if shape is not None:
        _check(answer, shape)
    elif answer:
        raise ParamValidationError(report=f"{operation} answers nothing")


def _check(parameters: Parameters, shape: Any) -> None:
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())


@functools.cache
def _operation(service: str, operation: str) -> Any:
    return _service(service).operation_model(operation)


@functools.cache
def _service(service: str) -> Any:
    return ServiceModel(create_loader().load_service_model(service, "service-2"), service)


def _broken(value: Any, shape: Any, where: str) -> Iterator[_Finding]:
    match shape.type_name:
        case "structure":
            for name, inner in value.items():
                yield from _broken(inner, shape.members[name], f"{where}.{name}".lstrip("."))
        case "list":
            if len(value) > shape.metadata.get("max", len(value)):
                yield value, where, f"Member must have length less than or equal to {shape.metadata['max']}"
            for number, inner in enumerate(value, start=1):
                yield from _broken(inner, shape.member, f"{where}.{number}.member")
        case "string":
            yield from _broken_text(value, shape, where)
        case "integer":
            yield from _broken_number(value, shape, where)


def _broken_text(value: str, shape: Any, where: str) -> Iterator[_Finding]:
    rules = shape.metadata
    if len(value) > rules.get("max", len(value)):
        yield value, where, f"Member must have length less than or equal to {rules['max']}"
    if shape.enum and value not in shape.enum:
        yield value, where, f"Member must satisfy enum value set: {shape.enum}"
    if "pattern" in rules and not _pattern(rules["pattern"]).fullmatch(value):
        yield value, where, f"Member must satisfy regular expression pattern: {rules['pattern']}"


def _broken_number(value: int, shape: Any, where: str) -> Iterator[_Finding]:
    if value > shape.metadata.get("max", value):
        yield value, where, f"Member must have value less than or equal to {shape.metadata['max']}"


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    """The models write Java's classes; Python's re knows only one of them."""
    return re.compile(text.replace(r"\p{L}\p{Z}\p{N}", r"\w\s"))
