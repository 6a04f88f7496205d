"""The operations that can be asked for, by the names that botocore's models give them: a misspelt one must not be waited for in vain."""

import functools
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator

from tests.simulation.service_models import operation_names

SERVICES = ("kms", "sts", "resourcegroupstaggingapi")


def named(pattern: str) -> list[str]:
    """The operations that a pattern as of shells fits, one at least. Raises ValueError, which says what could have been meant."""
    found = [name for name in _every() if fnmatchcase(name, pattern)]
    if not found:
        meant = ", ".join(get_close_matches(pattern, _every(), 2)) or "CreateKey, Describe* or *"
        raise ValueError(f"no operation of KMS, STS and the tagging API is called {pattern}: write one, such as {meant}")
    return found


@functools.cache
def _every() -> tuple[str, ...]:
    return tuple(name for service in SERVICES for name in operation_names(service))


def _checked(pattern: str) -> str:
    named(pattern)
    return pattern


Pattern = Annotated[str, AfterValidator(_checked)]
