"""Spec and status of a KMSAlias as users write and read them."""

from typing import Annotated

from pydantic import Field

from reconcilers.key_fields import Alias
from reconcilers.target_fields import DependentSpec, DependentStatus

MAX_PLACES = 8  # further back nobody looks for an alias of ours


class KMSAliasSpec(DependentSpec):
    """A name, and the key that it leads to."""

    alias_name: Annotated[Alias, Field(description="With or without alias/ in front. Fixed.")]


class KMSAliasStatus(DependentStatus):
    """Where the alias leads, and where the operator has made it lead."""

    alias_arn: str | None = None
    placed_on: Annotated[
        tuple[str, ...],
        Field(
            strict=False,
            max_length=MAX_PLACES,
            description="ARNs of the keys on which this object has put the alias, the newest last: it moves and deletes it nowhere else.",
        ),
    ] = ()
