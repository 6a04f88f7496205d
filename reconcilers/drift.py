"""Drift: what somebody changed in AWS behind our back, told apart from what is wanted otherwise than before; and what is not to be set right.

Rules:
1. A value that was once seen on the key as it is wanted now has been reached, and the status remembers that by a hash (`reached`). A
   difference from a value that was reached is drift. Any other difference is a change of what is wanted, by the spec, by the provider's
   default tags or by the operator, and is carried out whatever the object says about drift.
2. Drift is set right, unless driftPolicy is Report, which tells it and writes nothing, or ignoreDrift names the field, which leaves it to
   others without a word. What is not set right is `held`.
3. Both look at one field: a change of another does not touch what is held. Tags are one field each, aliases and grants one for all.
4. The owner tags are ours: they were reached when the key became this object's, and nobody can ask for them to be ignored.
5. While a key is pending deletion no other field can be judged. A key that is left pending or disabled is not Ready, for nobody can use it.

Not promised: that a late read is not told as drift for a while after the operator was restarted; echoes.py keeps that away otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reconcilers.actions import (
    Action,
    CancelKeyDeletion,
    CreateAlias,
    CreateGrant,
    DeleteAlias,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    PutKeyPolicy,
    RevokeGrant,
    TagResource,
    UpdateKeyDescription,
)
from reconcilers.conditions import Finding, Progress, Verdict
from reconcilers.fields import DriftPolicy
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import DriftedField, KMSKeyStatus
from reconcilers.names import OWNER_TAGS
from reconcilers.news import News
from reconcilers.parts import DELETION_STATE, Part
from reconcilers.reasons import Reason
from reconcilers.reports import available

_FIELD_OF: dict[type[Action], str] = {
    CancelKeyDeletion: DELETION_STATE,
    EnableKey: "enabled",
    DisableKey: "enabled",
    UpdateKeyDescription: "description",
    PutKeyPolicy: "policy",
    EnableKeyRotation: "rotation",
    DisableKeyRotation: "rotation",
    CreateAlias: "aliases",
    DeleteAlias: "aliases",
    CreateGrant: "grants",
    RevokeGrant: "grants",
}
_ALWAYS_REACHED = frozenset(f"tags.{tag}" for tag in OWNER_TAGS)


@dataclass(frozen=True, slots=True)
class Drift:
    """What has drifted: `corrected` is to be set right, `reported` only told, `ignored` neither."""

    corrected: tuple[Part, ...] = ()
    reported: tuple[Part, ...] = ()
    ignored: tuple[Part, ...] = ()

    @property
    def held(self) -> frozenset[str]:
        """The fields that stay as they are."""
        return frozenset(part.field for part in (*self.reported, *self.ignored))

    def without_held(self, due: Iterable[Action]) -> tuple[Action, ...]:
        """The actions without those that would set right what is held."""
        return tuple(left for action in due for left in _left_of(action, self.held))

    def corrections(self, due: Iterable[Action]) -> tuple[Action, ...]:
        """Those of the actions that set drift right."""
        drifted = {part.field for part in self.corrected}
        return tuple(action for action in due if drifted & _fields(action))

    def entries(self, before: Iterable[DriftedField], now: datetime) -> tuple[DriftedField, ...]:
        """As the status shows it. The same drift again keeps the time at which it was first seen."""
        since = {(old.field, old.actual): old.detected_at for old in before}
        return tuple(
            DriftedField(
                field=part.field,
                expected=part.expected,
                actual=part.actual,
                detected_at=since.get((part.field, part.actual), now),
            )
            for part in (*self.corrected, *self.reported)
        )

    def on(self, settled: Verdict) -> Verdict:
        """The verdict on a key of which nothing else is left to do, once what is held is told."""
        ready = self._state or settled.ready
        progress = settled.progress if ready.holds else Progress.STALLED
        if not self.reported or not (settled.synced and settled.synced.holds):  # what waits is told first
            return Verdict(ready, settled.synced, progress)
        fields = ", ".join(part.field for part in self.reported)
        message = (
            f"Changed outside the operator, and left so because spec.driftPolicy is Report: {fields}; see status.drift. Put it back in AWS, "
            "write it into the spec as it is now, or set driftPolicy: Correct."
        )
        usable = Finding(True, ready.reason, "The key can be used; Synced tells what is not as declared.") if ready == _AS_DECLARED else ready
        return Verdict(usable, Finding(False, Reason.DRIFT_DETECTED, message), progress)

    @property
    def _state(self) -> Finding | None:
        """Ready, where the key's state is another than the declared one and stays so."""
        actual = next((part.actual for part in (*self.reported, *self.ignored) if part.field == "enabled"), None)
        return {"true": _ENABLED, "false": _DISABLED}[actual] if actual else None


_AS_DECLARED = available(enabled=True).ready
_ENABLED = Finding(True, Reason.AVAILABLE, "The key was enabled outside the operator, and is left so: it can be used.")
_DISABLED = Finding(
    False,
    Reason.KEY_DISABLED,
    "The key was disabled outside the operator, and spec.driftPolicy or spec.ignoreDrift leaves it so: nobody can use it, decryption "
    "included. Enable it in AWS.",
)


def find_drift(spec: KMSKeySpec, status: KMSKeyStatus, found: Iterable[Part]) -> Drift:
    """What of the key differs from what was reached. found: all its fields."""
    drifted = [part for part in found if not part.agrees and _was_reached(part, status)]
    ignored = tuple(part for part in drifted if _is_ignored(part.field, spec.ignore_drift or ()))
    left = tuple(part for part in drifted if part not in ignored)
    return Drift((), left, ignored) if spec.drift_policy is DriftPolicy.REPORT else Drift(left, (), ignored)


def reached(before: KMSKeyStatus, wishes: Mapping[str, str], found: Iterable[Part]) -> dict[str, str]:
    """What the status remembers from now on: what is as it is wanted, and what was so before and is still wanted in the same way."""
    still = {field: old for field, old in before.reached.items() if wishes.get(field) == old}
    now = {part.field: part.digest for part in found if part.agrees and part.field not in _ALWAYS_REACHED}
    return dict(sorted({**still, **now}.items()))


def drift_news(before: Iterable[DriftedField], after: Iterable[DriftedField]) -> News | None:
    """The event for drift that is only told, when it is new."""
    new = [entry for entry in after if entry not in tuple(before)]
    if not new:
        return None
    told = "; ".join(f"{entry.field} is {entry.actual} and shall be {entry.expected}" for entry in new)
    return News("Warning", Reason.DRIFT_DETECTED, f"Changed outside the operator, and left so: {told}."[:1000])


def _was_reached(part: Part, status: KMSKeyStatus) -> bool:
    return part.field in _ALWAYS_REACHED or status.reached.get(part.field) == part.digest


def _is_ignored(field: str, names: Iterable[str]) -> bool:
    return field not in _ALWAYS_REACHED and any(name in (field, field.partition(".")[0]) for name in names)


def _fields(action: Action) -> set[str]:
    """What the action would set right."""
    if isinstance(action, TagResource):
        return {f"tags.{tag}" for tag in action.tags}
    return {_FIELD_OF[type(action)]} if type(action) in _FIELD_OF else set()


def _left_of(action: Action, held: frozenset[str]) -> tuple[Action, ...]:
    if not isinstance(action, TagResource):
        return () if _fields(action) & held else (action,)
    tags = {tag: value for tag, value in action.tags.items() if f"tags.{tag}" not in held}
    return (replace(action, tags=tags),) if tags else ()
