"""What the ARN of a key tells: arn:PARTITION:kms:REGION:ACCOUNT:key/ID. A multi-Region key has the same id everywhere, so the region counts."""


def region_of(arn: str) -> str:
    """Where the key is."""
    return arn.split(":", 5)[3]


def id_of(arn: str) -> str:
    """The key's id, also of what is one already."""
    return arn.rpartition("/")[2]


def in_region(arn: str, region: str) -> str:
    """The ARN of the same multi-Region key in that region."""
    parts = arn.split(":", 5)
    return ":".join((*parts[:3], region, *parts[4:]))
