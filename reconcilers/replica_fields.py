"""A replica as users write it: a multi-Region key's further self in another region, with a policy, tags and aliases of its own.

What is unset is as it is for the key itself. Rotation, spec and usage are the key's alone: KMS shares them among all regions.
"""

from typing import Annotated, Any

from pydantic import Field

from reconcilers.fields import MAX_TAGS, OWN_TAGS, Model, TagValue, cel, tags_field, text
from reconcilers.key_fields import Alias, Description, aliases_field, policy_text

MAX_REPLICAS = 16  # ours: AWS has twice as many regions, and nobody's data lives in all of them

Region = Annotated[
    str, text(r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$", "write a region, such as eu-west-1", min_length=1, max_length=32)
]
# KMS's documented quota of 32 KB; what the service would take at most (131,072) would not fit sixteen times into one object.
ReplicaPolicy = Annotated[str, policy_text(32768)]


class ReplicaSpec(Model):
    """The key in another region. What is unset is as it is for the key itself."""

    region: Annotated[Region, Field(description="Where the replica is; not the provider's own region.")]
    description: Annotated[Description | None, Field(description="Unset: the key's.")] = None
    key_policy: Annotated[ReplicaPolicy | None, Field(description="Unset: the key's.")] = None
    tags: Annotated[
        dict[str, TagValue] | None,
        tags_field("In place of the key's tags; the provider's defaultTags are added. Unset: the key's.", MAX_TAGS - OWN_TAGS),
    ] = None
    aliases: Annotated[
        tuple[Alias, ...] | None, aliases_field("Names that lead to the replica in its region. Unset: the key's.")
    ] = None
    enabled: Annotated[bool | None, Field(description="Unset: as the key.")] = None
    pending_window_in_days: Annotated[int | None, Field(ge=7, le=30, description="Unset: the key's.")] = None


def replicas_field(description: str) -> Any:
    """A list of replicas, at most one for each region."""
    return Field(
        strict=False,
        max_length=MAX_REPLICAS,
        description=description,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["region"]},
    )


REPLICA_RULES = (
    cel(
        "!has(self.replicas) || size(self.replicas) == 0 || (has(self.multiRegion) && self.multiRegion)",
        "only a multi-Region key has replicas: write multiRegion: true, or remove replicas",
        ".replicas",
    ),
)
