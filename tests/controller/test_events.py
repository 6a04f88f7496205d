import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY

from controller import events
from controller.events import EventRecorder, Regarding
from controller.kube import Kube, Request, Response, Stream

pytestmark = pytest.mark.virtual_time

KEY = Regarding("example.com/v1", "Key", "team", "payments", "uid-1")
COLLECTION = "/apis/events.k8s.io/v1/namespaces/team/events"


class EventsAPI:
    """A Transport: the events of a cluster by their path, with the API server's rules for them."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.writes = 0
        self.failure: Response | Exception | None = None
        self.answering = asyncio.Event()
        self.answering.set()

    async def send(self, request: Request) -> Response:
        await self.answering.wait()
        self.writes += 1
        if isinstance(self.failure, Exception):
            raise self.failure
        return self.failure or self._write(request, json.loads(request.body or b""))

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        raise NotImplementedError(request.path)

    async def close(self) -> None:
        """There is nothing to close."""

    @property
    def only(self) -> dict[str, Any]:
        (event,) = self.stored.values()
        return event

    def _write(self, request: Request, body: dict[str, Any]) -> Response:
        if request.method == "POST":
            self.stored[f"{request.path}/{body['metadata']['name']}"] = body
        elif request.path in self.stored:
            assert request.content_type == "application/merge-patch+json"
            self.stored[request.path].update(body)
        else:
            return refusal(404, "NotFound")
        assert self._is_valid(self.stored[request.path] if request.method == "PATCH" else body)
        return Response(200, b"{}")

    @staticmethod
    def _is_valid(event: dict[str, Any]) -> bool:
        return (
            len(event["note"].encode()) <= 1024
            and all(0 < len(event[field].encode()) <= 128 for field in ("reason", "action", "reportingInstance"))
            and event["type"] in {"Normal", "Warning"}
            and ("series" not in event or event["series"]["count"] >= 2)
        )


def refusal(status: int, reason: str, retry_after: str | None = None) -> Response:
    body = json.dumps({"kind": "Status", "code": status, "reason": reason, "message": "refused"})
    return Response(status, body.encode(), retry_after)


def dropped() -> float:
    return REGISTRY.get_sample_value("kubernetes_events_dropped_total") or 0.0


@pytest.fixture
async def api() -> EventsAPI:
    return EventsAPI()


@pytest.fixture
async def recorder(api: EventsAPI) -> AsyncIterator[EventRecorder]:
    recorder = EventRecorder(Kube(api), "operator-7d9f")
    writing = asyncio.create_task(recorder.run())
    yield recorder
    assert not writing.done(), "the writer must survive every failure"
    writing.cancel()
    await asyncio.wait([writing])


async def pass_time(seconds: float = 1.0) -> None:
    await asyncio.sleep(seconds)


def record(recorder: EventRecorder, note: str = "made the key", regarding: Regarding = KEY) -> None:
    recorder.record(regarding, "Normal", "Created", "CreateKey", note)


async def test_an_event_says_who_about_what_and_why(api: EventsAPI, recorder: EventRecorder) -> None:
    recorder.record(KEY, "Warning", "AccessDenied", "TagResource", "allow kms:TagResource")
    await pass_time()
    event = api.only
    assert re.fullmatch(r"payments\.[0-9a-f]{16}", event["metadata"]["name"])
    assert event["metadata"]["namespace"] == "team"
    assert list(api.stored) == [f"{COLLECTION}/{event['metadata']['name']}"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event.pop("eventTime"))
    del event["metadata"]
    assert event == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "type": "Warning",
        "reason": "AccessDenied",
        "action": "TagResource",
        "note": "allow kms:TagResource",
        "reportingController": "infra-operator",
        "reportingInstance": "operator-7d9f",
        "regarding": {"apiVersion": "example.com/v1", "kind": "Key", "namespace": "team", "name": "payments", "uid": "uid-1"},
    }


async def test_what_is_said_again_becomes_a_series(api: EventsAPI, recorder: EventRecorder) -> None:
    record(recorder)
    await pass_time()
    assert "series" not in api.only
    await pass_time(100)
    record(recorder)
    await pass_time()
    assert api.only["series"]["count"] == 2
    assert api.only["series"]["lastObservedTime"].endswith("Z")


async def test_a_series_is_patched_at_most_once_a_minute_and_loses_no_count(api: EventsAPI, recorder: EventRecorder) -> None:
    for _ in range(301):
        record(recorder)
        await pass_time(1)
    assert api.writes == 6  # one Event and five patches in 301 s
    assert api.only["series"]["count"] == 301


async def test_what_is_said_while_its_event_is_written_does_not_hurry_the_patch(api: EventsAPI, recorder: EventRecorder) -> None:
    api.answering.clear()
    record(recorder)
    await pass_time(1)
    record(recorder)
    api.answering.set()
    await pass_time(1)
    assert api.writes == 1


async def test_what_is_said_often_before_it_is_written_is_one_write(api: EventsAPI, recorder: EventRecorder) -> None:
    for _ in range(5):
        record(recorder)
    await pass_time()
    assert api.writes == 1
    assert api.only["series"]["count"] == 5


@pytest.mark.parametrize(
    ("regarding", "event_type", "reason", "note"),
    [
        (KEY._replace(uid="uid-2"), "Normal", "Created", "made the key"),
        (KEY, "Warning", "Created", "made the key"),
        (KEY, "Normal", "Adopted", "made the key"),
        (KEY, "Normal", "Created", "made another key"),
    ],
)
async def test_what_differs_is_an_event_of_its_own(
    regarding: Regarding, event_type: events.EventType, reason: str, note: str, api: EventsAPI, recorder: EventRecorder
) -> None:
    record(recorder)
    recorder.record(regarding, event_type, reason, "CreateKey", note)
    await pass_time()
    assert len(api.stored) == 2
    assert all("series" not in event for event in api.stored.values())


async def test_after_an_hour_of_silence_the_same_note_is_news(api: EventsAPI, recorder: EventRecorder) -> None:
    record(recorder)
    await pass_time(3600)
    record(recorder)
    await pass_time()
    assert len(api.stored) == 2


async def test_an_event_that_expired_is_written_anew(api: EventsAPI, recorder: EventRecorder) -> None:
    record(recorder)
    await pass_time(1800)
    api.stored.clear()
    record(recorder)
    await pass_time()
    assert "series" not in api.only


async def test_a_full_queue_drops_and_counts(api: EventsAPI, recorder: EventRecorder) -> None:
    api.answering.clear()
    before = dropped()
    for number in range(events.QUEUE_LIMIT + 10):
        record(recorder, f"note {number}")
    assert dropped() - before == 10
    api.answering.set()
    await pass_time(60)
    assert len(api.stored) == events.QUEUE_LIMIT


async def test_writes_keep_their_pace(api: EventsAPI, recorder: EventRecorder) -> None:
    for number in range(100):
        record(recorder, f"note {number}")
    await pass_time(1.01)
    assert 20 <= len(api.stored) <= 21


async def test_what_is_remembered_is_bounded(api: EventsAPI, recorder: EventRecorder) -> None:
    record(recorder, "the first")
    for number in range(events.KNOWN_LIMIT):
        record(recorder, f"note {number}")
        await pass_time(0.06)
    record(recorder, "the first")
    await pass_time(1)
    assert [event["note"] for event in api.stored.values()].count("the first") == 2


FAILURES: list[Callable[[], Response | Exception]] = [
    lambda: refusal(403, "Forbidden"),
    lambda: refusal(404, "NotFound"),
    lambda: refusal(500, "InternalError"),
    lambda: refusal(429, "TooManyRequests"),
    lambda: ConnectionResetError("gone"),
]


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failed_write_is_counted_and_the_next_event_goes_on(
    failure: Callable[[], Response | Exception], api: EventsAPI, recorder: EventRecorder
) -> None:
    before = dropped()
    api.failure = failure()
    record(recorder, "lost")
    await pass_time()
    assert dropped() - before == 1
    api.failure = None
    record(recorder, "written")
    await pass_time()
    assert api.only["note"] == "written"


async def test_what_could_not_be_written_is_tried_again_when_it_is_news_again(api: EventsAPI, recorder: EventRecorder) -> None:
    api.failure = refusal(500, "InternalError")
    record(recorder)
    await pass_time()
    api.failure = None
    await pass_time(60)
    record(recorder)
    await pass_time()
    assert api.only["series"]["count"] == 2


async def test_a_server_that_names_a_time_is_left_alone_until_then(api: EventsAPI, recorder: EventRecorder) -> None:
    api.failure = refusal(429, "TooManyRequests", retry_after="7")
    record(recorder, "lost")
    await pass_time()
    api.failure = None
    record(recorder, "written")
    await pass_time(5)
    assert not api.stored
    await pass_time(2)
    assert api.only["note"] == "written"


async def test_an_hour_of_refusals_is_one_line_in_the_log(api: EventsAPI, recorder: EventRecorder) -> None:
    api.failure = refusal(403, "Forbidden")
    with structlog.testing.capture_logs() as lines:
        for number in range(60):
            record(recorder, f"note {number}")
            await pass_time(60)
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["event_not_written"]


@pytest.mark.holds("F55")
async def test_a_namespace_that_is_gone_is_not_worth_a_warning(api: EventsAPI, recorder: EventRecorder) -> None:
    api.failure = refusal(404, "NotFound")
    with structlog.testing.capture_logs() as lines:
        record(recorder)
        await pass_time()
    assert [line["log_level"] for line in lines] == ["debug"]


async def test_an_event_of_a_cluster_scoped_object_is_in_the_default_namespace(api: EventsAPI, recorder: EventRecorder) -> None:
    record(recorder, regarding=KEY._replace(namespace=""))
    await pass_time()
    assert api.only["metadata"]["namespace"] == "default"
    assert api.only["regarding"]["namespace"] == ""


@pytest.mark.parametrize(
    "name",
    ["n" * 253, "a" * 235 + ".b" * 9, "a" * 235 + "--" + "b" * 16],
    ids=["cut in a word", "cut at a dot", "cut at a dash"],
)
async def test_a_long_name_gives_a_valid_name(name: str, api: EventsAPI, recorder: EventRecorder) -> None:
    record(recorder, regarding=KEY._replace(name=name))
    await pass_time()
    given = api.only["metadata"]["name"]
    assert len(given) <= 253
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", given)


@pytest.mark.parametrize(
    "text",
    ["x" * 3000, "\u00fc" * 3000, "a" + "\U0001f511" * 3000, "\ud800 alone"],
    ids=["one byte each", "two bytes each", "four bytes each", "half a surrogate pair"],
)
async def test_texts_are_cut_between_characters_to_what_the_api_takes(text: str, api: EventsAPI, recorder: EventRecorder) -> None:
    recorder.record(KEY, "Normal", text, text, text)
    await pass_time()
    assert text.replace("\ud800", "?").startswith(api.only["note"])
    assert len(api.only["note"].encode()) > 1000 or "alone" in text
