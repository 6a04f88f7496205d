"""What a plan tells its reader: for each object the actions in order, or why there are none; as a table or as JSON.

The exit code is part of the report: 0 nothing would change, 2 something would, 1 an object is refused or could not be judged. The worst counts.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from controller.objects import Ref
from controller.tables import table

ERROR, CHANGES, NO_CHANGES = 1, 2, 0


class Verdict(StrEnum):
    """What would become of an object."""

    CHANGE = "change"
    UNCHANGED = "unchanged"
    WAITS = "waits"  # nothing is to be done now, and something is not as declared yet
    REFUSED = "refused"  # as it is written, it cannot be carried out
    UNKNOWN = "unknown"  # AWS could not be asked


@dataclass(frozen=True, slots=True)
class Step:
    """One action. key: the key's id, if the action is about one."""

    action: str
    told: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One object. reason and message: why there are no steps, or what will still be amiss after them."""

    kind: str
    ref: Ref
    verdict: Verdict
    steps: tuple[Step, ...] = ()
    reason: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole plan. has_cluster: whether the objects were compared with those of a cluster; notes: what the reader must know beside it."""

    outcomes: tuple[Outcome, ...]
    has_cluster: bool
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """The process's."""
        verdicts = {outcome.verdict for outcome in self.outcomes}
        if verdicts & {Verdict.REFUSED, Verdict.UNKNOWN}:
            return ERROR
        return CHANGES if Verdict.CHANGE in verdicts else NO_CHANGES

    def as_table(self) -> str:
        """For people."""
        rows = [row for outcome in self.outcomes for row in _rows(outcome)]
        notes = [f"Note: {note}" for note in self.notes]
        return "\n".join([table(["object", "action", "key", "what"], rows), "", self._summary(), *notes])

    def as_json(self) -> str:
        """For programs."""
        objects = [_plain(outcome) for outcome in self.outcomes]
        return json.dumps({"cluster": self.has_cluster, "objects": objects, "notes": list(self.notes)}, indent=2)

    def _summary(self) -> str:
        counts = [(sum(outcome.verdict is verdict for outcome in self.outcomes), verdict) for verdict in Verdict]
        told = ", ".join(f"{count} {verdict}" for count, verdict in counts if count)
        return f"Plan: {told}. Nothing was written."


def _rows(outcome: Outcome) -> list[tuple[object, ...]]:
    name = f"{outcome.kind.lower()}/{outcome.ref}"
    rows: list[tuple[object, ...]] = [(name, step.action, step.key, step.told) for step in outcome.steps]
    if outcome.reason is not None:
        told = f"{outcome.reason}: {outcome.message}"
        rows.append((name, "(then)" if rows else f"({outcome.verdict})", None, told))
    return rows


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": outcome.kind,
        "namespace": outcome.ref.namespace,
        "name": outcome.ref.name,
        "verdict": str(outcome.verdict),
        "actions": [{"action": step.action, "key": step.key, "told": step.told} for step in outcome.steps],
        "reason": outcome.reason,
        "message": outcome.message,
    }
