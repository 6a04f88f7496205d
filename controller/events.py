"""Events (events.k8s.io/v1): what `kubectl describe` shows at the end, written on the side.

Rules:
1. record() neither waits nor fails: it is a note to users, and no reconciliation depends on it. What does not fit the queue, and
   what the API refuses, is counted in kubernetes_events_dropped_total.
2. One task writes, one event at a time, at its own pace, so that a storm of events leaves the API server to more important work.
3. The same note (uid, type, reason, text) within an hour of the last one is the same Event: it becomes a series, whose count and
   time are patched at most once a minute. How often it was seen in between comes with the next patch. A write that failed is
   tried again in the same way: when there is news, a minute later.
4. An Event that expired meanwhile is written anew.
5. A failure is logged once, and again only after a write has succeeded: an outage or a missing permission is one problem, not
   a thousand. A namespace that is being deleted refuses Events, and one that is gone is not even logged.

It does not promise that an event arrives, nor that a count is exact: what is queued when the process ends is lost.
"""

import asyncio
import math
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Never

import structlog

from controller import metrics
from controller.kube import Kube, KubeError, NotFound
from controller.objects import Resource

EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
REPORTING_CONTROLLER = "infra-operator"

# At the pace below a full queue is written within a minute: older news would mislead.
QUEUE_LIMIT = 1000
# Some two kilobytes each; more kinds of trouble within one hour are not told apart by anybody.
KNOWN_LIMIT = 2000
# 20 writes a second are a fifth of what an API server on two cores was measured to take.
PACE_SECONDS = 0.05
# A server in distress may ask for more patience than a queue of events is worth.
MAX_PAUSE_SECONDS = 60.0
# The API server keeps an Event for an hour after its last write, unless told otherwise.
SERIES_SECONDS = 3600.0
REWRITE_SECONDS = 60.0
# The API's limits, which count bytes.
NOTE_LIMIT = 1024
WORD_LIMIT = 128
NAME_LIMIT = 253
SUFFIX_BYTES = 8

EventType = Literal["Normal", "Warning"]

log = structlog.get_logger()


class Regarding(NamedTuple):
    """The object that an event is about; a cluster-scoped one has the namespace ""."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


class _Key(NamedTuple):
    uid: str
    event_type: str
    reason: str
    note: str


@dataclass(slots=True)
class _Series:
    """One Event object to be, or that is: without a name it has not been written yet."""

    regarding: Regarding
    key: _Key
    action: str
    first_seen: str
    last_seen: str
    seen_at: float
    count: int = 0
    name: str = ""
    written_at: float = -math.inf
    queued: bool = False


class EventRecorder:
    """Records events in one event loop, where run() writes them. The instance is the name of our pod."""

    def __init__(self, kube: Kube, instance: str) -> None:
        self._kube = kube
        self._instance = instance
        self._queue: asyncio.Queue[_Series] = asyncio.Queue(QUEUE_LIMIT)
        self._known: OrderedDict[_Key, _Series] = OrderedDict()
        self._failing = False

    def record(self, regarding: Regarding, event_type: EventType, reason: str, action: str, note: str) -> None:
        """Tell the user. Reason and action are one CamelCase word each, the note is a sentence; too long ones are cut."""
        key = _Key(regarding.uid, event_type, _cut(reason, WORD_LIMIT), _cut(note, NOTE_LIMIT))
        series = self._series(key, regarding, _cut(action, WORD_LIMIT))
        series.count += 1
        series.last_seen = _timestamp()
        series.seen_at = asyncio.get_running_loop().time()
        if series.queued or series.seen_at < series.written_at + REWRITE_SECONDS:
            return
        try:
            self._queue.put_nowait(series)
            series.queued = True
        except asyncio.QueueFull:
            metrics.KUBERNETES_EVENTS_DROPPED.inc()

    async def run(self) -> Never:
        """Write what was recorded, until cancelled."""
        while True:
            series = await self._queue.get()
            series.queued = False
            await asyncio.sleep(await self._write(series))

    def _series(self, key: _Key, regarding: Regarding, action: str) -> _Series:
        now = asyncio.get_running_loop().time()
        known = self._known.get(key)
        if known is None or now >= known.seen_at + SERIES_SECONDS:
            first = _timestamp()
            known = self._known[key] = _Series(regarding, key, action, first_seen=first, last_seen=first, seen_at=now)
        self._known.move_to_end(key)
        self._forget(now)
        return known

    def _forget(self, now: float) -> None:
        """What was said the longest ago goes first: whatever is no series any more, and what is too much."""
        while len(self._known) > KNOWN_LIMIT or now >= next(iter(self._known.values())).seen_at + SERIES_SECONDS:
            self._known.popitem(last=False)

    async def _write(self, series: _Series) -> float:
        """Returns how long to wait before the next write, in seconds."""
        series.written_at = asyncio.get_running_loop().time()
        try:
            await (self._patch(series) if series.name else self._create(series))
        except KubeError as error:
            metrics.KUBERNETES_EVENTS_DROPPED.inc()
            self._log_failure(series, error)
            return max(PACE_SECONDS, min(error.retry_after or 0.0, MAX_PAUSE_SECONDS))
        self._failing = False
        return PACE_SECONDS

    async def _create(self, series: _Series) -> None:
        name = _event_name(series.regarding.name)
        body = _event(series, name, self._instance)
        await self._kube.post(EVENTS.path(_namespace(series.regarding)), body)
        series.name = name

    async def _patch(self, series: _Series) -> None:
        path = EVENTS.path(_namespace(series.regarding), series.name)
        try:
            await self._kube.merge_patch(path, {"series": _series_field(series)})
        except NotFound:
            series.name, series.count, series.first_seen = "", 1, series.last_seen
            await self._create(series)

    def _log_failure(self, series: _Series, error: KubeError) -> None:
        known = self._failing or isinstance(error, NotFound)
        self._failing = self._failing or not isinstance(error, NotFound)
        write = log.debug if known else log.warning
        write("event_not_written", namespace=series.regarding.namespace, reason=series.key.reason, error=str(error))


def _event(series: _Series, name: str, instance: str) -> dict[str, object]:
    regarding = series.regarding
    body: dict[str, object] = {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": name, "namespace": _namespace(regarding)},
        "eventTime": series.first_seen,
        "reportingController": REPORTING_CONTROLLER,
        "reportingInstance": _cut(instance, WORD_LIMIT),
        "type": series.key.event_type,
        "reason": series.key.reason,
        "action": series.action,
        "note": series.key.note,
        "regarding": {
            "apiVersion": regarding.api_version,
            "kind": regarding.kind,
            "namespace": regarding.namespace,
            "name": regarding.name,
            "uid": regarding.uid,
        },
    }
    if series.count > 1:  # a series of one is refused
        body["series"] = _series_field(series)
    return body


def _series_field(series: _Series) -> dict[str, object]:
    return {"count": series.count, "lastObservedTime": series.last_seen}


def _namespace(regarding: Regarding) -> str:
    """Events are namespaced; those of cluster-scoped objects belong into "default"."""
    return regarding.namespace or "default"


def _event_name(object_name: str) -> str:
    """Begins with the object's name, for those who read lists of Events."""
    suffix = f".{secrets.token_hex(SUFFIX_BYTES)}"
    # The cut may leave a dot or dash at the end, which a name must not have before a dot.
    return object_name[: NAME_LIMIT - len(suffix)].rstrip(".-") + suffix


def _cut(text: str, limit: int) -> str:
    """At most so many bytes of UTF-8, whole characters only; what UTF-8 cannot express becomes a question mark."""
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def _timestamp() -> str:
    """Now, in the API's form for times with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
