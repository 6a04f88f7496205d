"""Which existing key an object takes over, as users write it."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from reconcilers.fields import Model, cel, text

KEY_ARN = r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]{1,128}$"


class AdoptionPolicy(StrEnum):
    """What happens when there is no such key."""

    ADOPT = "Adopt"
    ADOPT_OR_CREATE = "AdoptOrCreate"


class ManagementPolicy(StrEnum):
    """What the operator may do with the key."""

    FULL = "Full"
    OBSERVE = "Observe"


class Adoption(Model):
    """An existing key, by exactly one of its names."""

    key_id: Annotated[
        Annotated[str, text(r"^[a-zA-Z0-9-]{1,128}$", "write the id of a key, such as 1234abcd-12ab-34cd-56ef-1234567890ab", max_length=128)]
        | None,
        Field(description="The key's id."),
    ] = None
    arn: Annotated[
        Annotated[
            str,
            text(KEY_ARN, "write the ARN of a key, such as arn:aws:kms:us-east-1:123456789012:key/1234abcd-...", max_length=256),
        ]
        | None,
        Field(description="The key's ARN, in the provider's account and region."),
    ] = None
    alias: Annotated[
        Annotated[str, text(r"^[a-zA-Z0-9/_-]+$", "an alias takes letters, digits, /, _ and - only", min_length=1, max_length=256)] | None,
        Field(description="An alias that leads to the key, with or without alias/ in front. It is followed once."),
    ] = None
    policy: Annotated[
        AdoptionPolicy | None,
        Field(
            strict=False,
            description="Adopt: wait for the key if there is none. AdoptOrCreate: make one if there is none. Unset: Adopt.",
        ),
    ] = None

    cel: ClassVar = (
        cel(
            "(has(self.keyId) ? 1 : 0) + (has(self.arn) ? 1 : 0) + (has(self.alias) ? 1 : 0) == 1",
            "name the key once: write keyId, arn or alias",
        ),
    )

    @property
    def or_create(self) -> bool:
        """Whether a key is made where there is none."""
        return self.policy is AdoptionPolicy.ADOPT_OR_CREATE

    @property
    def alias_name(self) -> str | None:
        """The alias with alias/ in front."""
        return None if self.alias is None else f"alias/{self.alias.removeprefix('alias/')}"

    @property
    def told(self) -> str:
        """The name of the key, in words."""
        return self.key_id or self.arn or self.alias_name or ""
