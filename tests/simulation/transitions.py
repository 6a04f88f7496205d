"""I18, of the conditions that a process has written: lastTransitionTime changes with a condition's status and with nothing else.

A report carries no precondition but the uid, so that no change of labels can hold it up; what it says is therefore right or wrong against the
version that the process decided from, and not against the one that it has overwritten. Both are the same unless another process has written
meanwhile, or its own watch is late. With a test of the resourceVersion in each report the stored version alone would tell.

The time is the one that the process's own wall clock has shown during the pass.
"""

from collections.abc import Iterable
from datetime import datetime

from tests.simulation.calls import Call
from tests.simulation.checks import hold
from tests.simulation.etcd import Entry, Json
from tests.simulation.world import World

WITH_CONDITIONS = frozenset({"kmskeys", "kmsaliases", "kmsgrants", "awsproviders"})


def look_at_transitions(world: World, entry: Entry, call: Call) -> None:
    """At what a process has written by this call. Raises BrokenError."""
    written = _conditions(entry.body)
    if entry.plural not in WITH_CONDITIONS or written == _conditions(entry.before):
        return
    assert call.began is not None, f"{call} was made outside of a pass"
    uid = entry.body["metadata"]["uid"]
    bases = world.server.served.between(call.replica, uid, call.began, call.sent)
    found = [_conditions(world.etcd.at(revision).body) for revision in bases]
    times = list(world.replicas[call.replica].clock.between(call.began, call.sent))
    so = any(all(_follows(before, one, times) for one in written) for before in found)
    hold("I18", so, f"{call} told {written}, and may have decided from {found}, and its clock has shown {times}")


def _follows(before: Iterable[Json], one: Json, times: Iterable[tuple[datetime, datetime]]) -> bool:
    """Whether the condition has the time that is due to it after these conditions."""
    time = one["lastTransitionTime"]
    was = next((old for old in before if old["type"] == one["type"]), None)
    if was is not None and was["status"] == one["status"]:
        return bool(was["lastTransitionTime"] == time)
    return any(first <= datetime.fromisoformat(time) <= last for first, last in times)


def _conditions(body: Json | None) -> list[Json]:
    return list((body or {}).get("status", {}).get("conditions", ()))
