"""The form of a flag: its text in --help, its environment variable, its parser; and the flags that several commands take."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from controller.selectors import parse_selector
from controller.settings import parse_address, parse_namespaces, parse_ref
from reconcilers import durations

Command = TypeVar("Command", bound=Callable[..., object])

DELETION_POLICIES = ("ScheduleKeyDeletion", "Delete", "Retain", "DisableKey", "ForceDelete")


class _Parsed(click.ParamType[object]):
    """A value with a parser of its own, whose ValueError is the refusal."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """The parsed value; click may pass one that is parsed already."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


ADDRESS = _Parsed("address", parse_address)
DURATION = _Parsed("duration", durations.parse)
NAMESPACES = _Parsed("namespaces", parse_namespaces)
SELECTOR = _Parsed("selector", parse_selector)
OBJECT = _Parsed("namespace/name", parse_ref)


def flag(names: str, text: str, *more_variables: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option of click's with its environment variable and its default in --help; the attributes are click's own."""
    name = names.removeprefix("--").partition("/")[0]
    variables = [f"INFRA_OPERATOR_{name.upper().replace('-', '_')}", *more_variables]
    return click.option(names, envvar=variables, show_envvar=True, help=text, **{"show_default": True, **attributes})


# What decides about keys beside their specs, for `run` and for the commands that foretell what it does.
CREATE_GRACE = flag(
    "--create-grace",
    "How long a key that may exist is looked for before another is created, by the clock of the process that looks: after a crash, from anew.",
    type=DURATION,
    default="5m",
)
DEFAULT_PROVIDER = flag(
    "--default-provider", "AWSProvider of the keys that name none and find none in their namespace.", type=OBJECT
)
DEFAULT_DELETION_POLICY = flag(
    "--default-deletion-policy",
    "What becomes of a key whose object is deleted, unless the object says.",
    type=click.Choice(DELETION_POLICIES),
    default="ScheduleKeyDeletion",
)
ALLOW_CUSTOM_ENDPOINTS = flag(
    "--allow-custom-endpoints", "Let an AWSProvider choose the endpoint to which its Secret's credentials are sent.", is_flag=True
)
AMBIENT_CREDENTIALS_NAMESPACES = flag(
    "--ambient-credentials-namespaces",
    "Namespaces, with commas between, whose AWSProviders may work with the pod's own AWS identity and the roles that it may assume; "
    "* for all.",
    type=NAMESPACES,
    default="*",
)
REFUSE_OPEN_POLICIES = flag(
    "--refuse-open-policies", "Refuse key policies that let in everybody, or another account.", is_flag=True
)
ALLOW_POLICY_LOCKOUT_BYPASS = flag(
    "--allow-policy-lockout-bypass", "Let a key's policy lock out those who could correct it.", is_flag=True
)
