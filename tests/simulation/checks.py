"""How an invariant is checked: by its number in the list of promises in docs/reliability.md. How often is counted in CHECKED."""

from collections import Counter

CHECKED: Counter[str] = Counter()


class BrokenError(AssertionError):
    """An invariant does not hold."""


def hold(number: str, so: bool, otherwise: str) -> None:
    """Raises BrokenError where it is not so."""
    CHECKED[number] += 1
    if not so:
        raise BrokenError(f"{number}: {otherwise}")
