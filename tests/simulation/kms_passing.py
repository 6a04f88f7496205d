"""What becomes of a key by itself: each step is a change with the time at which it came about.

A new replica is Creating for CREATING, and both keys are Updating for UPDATING when the primary is moved. A primary whose deletion is
scheduled waits for its replicas to be gone, and then its window. A key is Unavailable while its store is not connected.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from tests.simulation.kms_imports import without_material
from tests.simulation.kms_keys import Key
from tests.simulation.kms_rotations import next_automatic, rotated

CREATING = timedelta(seconds=3)  # of a replica: AWS says "a few seconds"
UPDATING = timedelta(seconds=5)  # of an old and a new primary: "a few more seconds"

Change = tuple[datetime, Key]


def is_gone(key: Key, now: datetime) -> bool:
    """Whether its window is over."""
    return key.deletion_date is not None and key.deletion_date <= now


def next_change(
    key: Key, since: datetime, now: datetime, stores: Mapping[str, bool], has_replicas: Callable[[Key], bool]
) -> Change | None:
    """What has happened to a key that is as it is since then; None: nothing has."""
    if key.state == "Creating" and key.is_replica and now - key.created >= CREATING:
        return now, replace(key, state="Enabled")
    if key.updating and now - key.updating[0] >= UPDATING:
        return now, replace(key, state=key.updating[1], updating=None)
    if key.state == "PendingReplicaDeletion" and key.window and not has_replicas(key):
        return now, replace(key, state="PendingDeletion", deletion_date=now + timedelta(days=key.window))
    if key.valid_to is not None and key.valid_to <= now:
        return now, without_material(key)
    if key.rotation_days is not None and key.state == "Enabled":
        return _rotation(key, since, now)
    return _store(key, now, stores)


def _rotation(key: Key, since: datetime, now: datetime) -> Change | None:
    date = next_automatic(key)
    if date is None or date > now:
        return None
    moment = max(date, since)  # it was disabled until then
    return moment, rotated(key, moment)


def _store(key: Key, now: datetime, stores: Mapping[str, bool]) -> Change | None:
    if key.store is None:
        return None
    is_there = stores.get(key.store, False)
    if is_there and key.state == "Unavailable" and key.on_reconnect is not None:
        return now, replace(key, state=key.on_reconnect, on_reconnect=None)
    if not is_there and key.state in ("Enabled", "Disabled"):
        return now, replace(key, state="Unavailable", on_reconnect=key.state)
    return None
