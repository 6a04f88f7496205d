"""What one pass over a KMSKey tells its user in events: each thing that it did, and each problem that is new.

Rules:
1. A change that the user asked for is one event. All that the pass has set right of what others changed is one event more.
2. The pass that makes a key tells everything it did with it in the event KeyCreated, at its end: making the key, then what CreateKey cannot
   do itself, and that it is ready. An event costs the API server half as much as a write to the object.
3. A problem is told when it is reported, whatever else the pass has to tell.
"""

from controller.events import EventRecorder, EventType, Regarding
from reconcilers.actions import Action, CreateKey
from reconcilers.drift import drift_news
from reconcilers.key_status import KMSKeyStatus
from reconcilers.news import News, news
from reconcilers.policy_findings import policy_news
from reconcilers.reasons import Reason


class KeyNotes:
    """The notes of one pass about one object."""

    def __init__(self, events: EventRecorder, regarding: Regarding) -> None:
        self._events = events
        self._regarding = regarding
        self._corrected: list[str] = []  # in words
        self._key: str | None = None  # that this pass has made, and what was done with it, in words
        self._made: list[str] = []
        self._ready = ""

    def did(self, action: Action, name: str, *, serious: bool) -> None:
        """An action that was carried out. name: of the key that it was done to."""
        if isinstance(action, CreateKey):
            self._key, self._made = name, [action.told]
        elif name == self._key:
            self._made.append(action.told)
        else:
            self._record("Warning" if serious else "Normal", action.reason, type(action).__name__, f"{name}: {action.told}.")

    def corrected(self, action: Action) -> None:
        """An action that has undone what somebody else did."""
        self._corrected.append(action.told)

    def reported(self, before: KMSKeyStatus, after: KMSKeyStatus, *, only_reports: bool) -> None:
        """A new status. only_reports: drift is told, not corrected."""
        drifted = drift_news(before.drift, after.drift) if only_reports else None
        for told in filter(None, (drifted, policy_news(before.policy, after.policy), news(before.conditions, after.conditions))):
            self._report(told)

    def close(self, key_id: str | None) -> None:
        """The end of the pass."""
        if self._key is not None:
            note = f"{self._key}: {', '.join(self._made)}.{self._ready}"
            self._record("Normal", Reason.KEY_CREATED, "CreateKey", note)
        if self._corrected:
            note = f"{key_id} was changed outside the operator; corrected: {', '.join(self._corrected)}."
            self._record("Warning", Reason.DRIFT_CORRECTED, "Reconcile", note)

    def _report(self, told: News) -> None:
        if self._key is not None and told.type == "Normal":
            self._ready = f" {told.message}"
        else:
            self._record(told.type, told.reason, "Reconcile", told.message)

    def _record(self, event_type: EventType, reason: str, action: str, note: str) -> None:
        self._events.record(self._regarding, event_type, reason, action, note)
