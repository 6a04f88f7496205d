"""Telling a late read from a change behind our back: both show a value that we have just overwritten.

Rules:
1. A value that shows again right after we replaced it is taken for an echo: KMS has hosts that do not know of the write yet. A value that is
   neither the old nor the new one is somebody's change, and is repaired at once.
2. Once the new value has been seen, the echo is over: the old value is a change like any other from then on.
3. An echo is believed for PATIENCE after the write, and twice as long after each repetition of the same write: reads that are late for five
   minutes cost five writes instead of one for each look; a change back to the old value waits for half a minute, and not for five. Where
   drift is only told, nothing is lost by waiting for as long as KMS may be late.
4. A replica has echoes of its own, by the same rules.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from reconcilers.states import ObservedKey

PATIENCE = timedelta(seconds=30)
FIELDS = ("state", "description", "tags", "policy", "rotation", "aliases", "grants")


@dataclass(frozen=True, slots=True)
class Echo:
    """What the last writes replaced, by field, and by what; since when, and for how long it may show again."""

    old: dict[str, Any]
    new: dict[str, Any]
    since: datetime
    patience: timedelta


Echoes = Mapping[str, Echo]  # by the ARN of the key or its replica


def written_everywhere(last: Echoes, before: ObservedKey, after: ObservedKey, now: datetime) -> Echoes:
    """The echoes to expect when writes turned the key and its replicas into these."""
    old = {one.arn: one for one in _everywhere(before)}
    made = {one.arn: written(last.get(one.arn), old[one.arn], one, now) for one in _everywhere(after) if one.arn in old}
    return {arn: echo for arn, echo in made.items() if echo is not None}


def listen_everywhere(echoes: Echoes, seen: ObservedKey, now: datetime, at_least: timedelta = timedelta()) -> tuple[ObservedKey, Echoes]:
    """listen(), for the key and its replicas. What cannot be seen now keeps its echo."""
    heard = {one.arn: listen(echoes.get(one.arn), one, now, at_least) for one in _everywhere(seen)}
    replicas = {region: heard[there.arn][0] if isinstance(there, ObservedKey) else there for region, there in seen.replicas.items()}
    unheard = {arn: echo for arn, echo in echoes.items() if arn not in heard}
    return replace(heard[seen.arn][0], replicas=replicas), unheard | {arn: echo for arn, (_, echo) in heard.items() if echo is not None}


def _everywhere(seen: ObservedKey) -> Iterator[ObservedKey]:
    yield seen
    yield from (there for there in seen.replicas.values() if isinstance(there, ObservedKey))


def written(last: Echo | None, before: ObservedKey, after: ObservedKey, now: datetime) -> Echo | None:
    """The echo to expect when writes turned one into the other; None when nothing was written."""
    old = {field: getattr(before, field) for field in FIELDS if getattr(before, field) != getattr(after, field)}
    if not old:
        return last
    new = {field: getattr(after, field) for field in old}
    if last is None:
        return Echo(old, new, now, PATIENCE)
    again = any(last.old.get(field) == value for field, value in old.items())
    return Echo(last.old | old, last.new | new, now, last.patience * 2 if again else PATIENCE)


def listen(
    echo: Echo | None, seen: ObservedKey, now: datetime, at_least: timedelta = timedelta()
) -> tuple[ObservedKey, Echo | None]:
    """The key without what is only an echo, and the echo that is still to be expected. at_least: for how long any echo is believed."""
    if echo is None:
        return seen, None
    late = {field: echo.new[field] for field, old in echo.old.items() if getattr(seen, field) == old}
    if not late:
        return seen, None
    return (replace(seen, **late), echo) if now - echo.since < max(echo.patience, at_least) else (seen, echo)
