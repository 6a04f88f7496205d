"""Field types that a key and its replicas share: the words in which a policy, a description and an alias are written."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from reconcilers.fields import NO_CONTROLS, cel, text

# KMS: "tab, line feed, carriage return, and the printable ASCII and Latin-1 characters"; at least one of them not white space.
POLICY_TEXT = r"^[\t\n\r ]*[\x21-\x{FF}][\t\n\r\x20-\x{FF}]*$"

MAX_ALIASES = 50  # KMS resource quota: aliases of one key
AWS_ALIASES = "alias/aws/"  # AWS's own; to describe one that is not in use makes a key

Description = Annotated[
    str, text(NO_CONTROLS, "a description takes no control characters but tab and line break", max_length=8192)
]


def policy_text(most: int) -> Any:
    """A policy of at most so many characters."""
    message = "write a key policy, a JSON object; KMS takes ASCII and Latin-1 characters only"
    return text(POLICY_TEXT, message, min_length=2, max_length=most)


PolicyText = Annotated[str, policy_text(131072)]


def _nobody_elses(alias: str) -> str:
    """Also where the server's rules are an older version's: what follows from a slip here could not be undone."""
    if f"alias/{alias.removeprefix('alias/')}".startswith(AWS_ALIASES):
        raise ValueError(f"aliases that start with {AWS_ALIASES} belong to AWS: choose another name")
    return alias


_ALIAS = r"^[a-zA-Z0-9/_-]+$"
Alias = Annotated[
    str,
    Field(
        pattern=_ALIAS,
        max_length=256,
        json_schema_extra={
            "x-kubernetes-validations": [
                cel(f"self.matches('{_ALIAS}')", "an alias takes letters, digits, /, _ and - only"),
                cel(
                    "self != 'alias/' && (self.startsWith('alias/') || size(self) <= 250)",
                    "an alias has 1 to 256 characters, with alias/ in front of its name",
                ),
                cel(
                    f"!self.startsWith('{AWS_ALIASES}') && !self.startsWith('{AWS_ALIASES.removeprefix('alias/')}')",
                    f"aliases that start with {AWS_ALIASES} belong to AWS: choose another name",
                ),
            ]
        },
    ),
    AfterValidator(_nobody_elses),
]


def aliases_field(description: str) -> Any:
    """A list of aliases, in which none is twice."""
    once = cel(
        "self.all(a, a.startsWith('alias/') || !(('alias/' + a) in self))",
        "an alias is in the list twice, with and without alias/: write it once",
    )
    return Field(
        strict=False,
        max_length=MAX_ALIASES,
        description=description,
        json_schema_extra={"x-kubernetes-list-type": "set", "x-kubernetes-validations": [once]},
    )
