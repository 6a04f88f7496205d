"""What KMS takes for tags: form, the reserved prefix, no key twice, and how many a key may have in all."""

from collections.abc import Mapping, Sequence

from tests.simulation.kms_errors import limit_exceeded, tag_error

MAX_TAGS = 50
_OUTSIDE_LETTERS = frozenset(" _.:/=+-@")


def read_tags(listed: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The tags of a request. Raises RefusedError."""
    tags = {tag["TagKey"]: tag["TagValue"] for tag in listed}
    if len(tags) != len(listed):
        raise tag_error("A tag key occurs more than once")
    for text in [*tags, *tags.values()]:
        _check_text(text)
    check_keys(list(tags))
    return tags


def check_keys(keys: Sequence[str]) -> None:
    """Raises RefusedError for keys that are AWS's own."""
    if any(key.lower().startswith("aws:") for key in keys):
        raise tag_error("aws: prefixed tag key names are not allowed for external use.")


def check_number(tags: Mapping[str, str]) -> None:
    """Raises RefusedError for more tags than a key can have."""
    if len(tags) > MAX_TAGS:
        raise limit_exceeded(f"Too many tags: {len(tags)} of {MAX_TAGS}")


def written_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """As ListResourceTags tells them, in an order that is KMS's own."""
    return [{"TagKey": key, "TagValue": value} for key, value in sorted(tags.items(), reverse=True)]


def _check_text(text: str) -> None:
    if not all(letter.isalnum() or letter in _OUTSIDE_LETTERS for letter in text):
        raise tag_error("A tag holds characters that are not allowed")
