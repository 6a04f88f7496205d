"""Durations as Go writes them: "90s", "5m", "1h30m", "300ms". Specs and flags use them, because every Kubernetes user knows them.

Rules:
1. A number needs its unit; only "0" may stand alone. Units: ns, us (or µs), ms, s, m, h. Fractions are allowed: "1.5h".
2. No sign: nothing here lasts less than no time.
3. What is finer than a microsecond is cut off, because a timedelta ends there.
4. parse(format(duration)) is the same duration again.
"""

import re
from datetime import timedelta
from decimal import Decimal

_MICROSECONDS = {
    "h": Decimal(3_600_000_000),
    "m": Decimal(60_000_000),
    "s": Decimal(1_000_000),
    "ms": Decimal(1_000),
    "us": Decimal(1),
    "\u00b5s": Decimal(1),  # the micro sign
    "\u03bcs": Decimal(1),  # the Greek letter, which looks the same
    "ns": Decimal("0.001"),
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
# A longer text is no duration that a person wrote; the bound also keeps the error message readable.
_MAX_LENGTH = 64
# Go counts nanoseconds in 64 bits, so that its durations, and the API's, end at 292 years.
_MAX_MICROSECONDS = 2**63 // 1000


def parse(text: str) -> timedelta:
    """The duration that the text names. Raises ValueError, with a message for the text's author."""
    if text == "0":
        return timedelta()
    if len(text) > _MAX_LENGTH or not _WHOLE.fullmatch(text):
        raise ValueError(f"'{text[:_MAX_LENGTH]}' is not a duration: write 5m, 90s or 1h30m")
    microseconds = sum(Decimal(number) * _MICROSECONDS[unit] for number, unit in _PART.findall(text))
    if microseconds > _MAX_MICROSECONDS:
        raise ValueError(f"'{text}' is too long: a duration ends at 292 years")
    return timedelta(microseconds=int(microseconds))


def format(duration: timedelta) -> str:  # noqa: A001 - read as durations.format, beside durations.parse
    """The shortest text in h, m, s, or ms and us below a second: "1h30m", "90.5s" is "1m30.5s". Raises ValueError below zero."""
    if duration < timedelta():
        raise ValueError("a duration is not negative")
    microseconds = duration // timedelta(microseconds=1)
    if 0 < microseconds < 1_000_000:
        return f"{microseconds / 1000:g}ms" if microseconds >= 1000 else f"{microseconds}us"
    minutes, microseconds = divmod(microseconds, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{Decimal(microseconds) / 1_000_000:f}"
    parts = ((str(hours), "h"), (str(minutes), "m"), (seconds, "s"))
    return "".join(number + unit for number, unit in parts if number != "0") or "0s"
