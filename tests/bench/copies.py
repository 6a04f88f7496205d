"""One key that the operator has made, as often as wanted: copies that differ in what must differ, and are as long as it is.

To make a full account's worth of keys takes KMS's five a second more than five hours, and a real API server some ten minutes; what is measured
begins after that. So both sides serve copies of one key and of its object, status included, as the operator itself has left them.
"""

from typing import NamedTuple


class Names(NamedTuple):
    """What tells a key and its object from all others."""

    name: str
    uid: str
    key_id: str


def copy_names(number: int) -> Names:
    """Those of a copy."""
    return Names(f"key-{number:06}", f"00000000-0000-4000-9000-{number:012}", f"00000000-0000-4000-8000-{number:012}")


def copied(text: str, original: Names, number: int) -> str:
    """The text about the original, about a copy."""
    for old, new in zip(original, copy_names(number), strict=True):
        text = text.replace(old, new)
    return text
