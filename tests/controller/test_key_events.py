"""News of keys, from a queue in memory: whom they wake, and what becomes of a queue that fails."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from aws.clients import Clients
from aws.credentials import Access
from aws.wires import POLL_SECONDS, Wire
from controller.awsproviders import AWSProviders
from controller.events import EventRecorder, EventType, Regarding
from controller.key_events import LONGEST_WAIT_SECONDS, KeyEvents
from controller.key_names import KeyNames
from controller.kube import Kube
from controller.objects import KubeObject, Ref, decode_object
from controller.provider_access import ProviderRules
from controller.provider_ways import ProviderWays
from controller.workqueue import WorkQueue
from tests.aws.worlds import FakeAws, FakeWire, refusal, terms
from tests.controller.clouds import ACCOUNT, CALLER, REGION, Json, SmallCluster, key_arn, kubernetes
from tests.reconcilers.test_cloudtrail import event

pytestmark = pytest.mark.virtual_time

QUEUE = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/kms-events"
NEWS = event("DisableKey", {"keyId": "k-1"}, key_arn("k-1"))


class Queue(FakeAws):
    """An account with a queue. code: that of a refusal, while there is one."""

    def __init__(self) -> None:
        super().__init__({"GetCallerIdentity": lambda *_: {"Account": ACCOUNT, "Arn": CALLER}})
        self.messages: deque[str] = deque()
        self.deleted: list[str] = []
        self.code: str | None = None

    async def open(self, access: Access, service: str) -> Wire:
        return QueueWire(self, access, service)

    def put(self, *told: object) -> None:
        """Each as its JSON, or as it is if it is text."""
        self.messages += [one if isinstance(one, str) else json.dumps(one) for one in told]


class QueueWire(FakeWire):
    aws: Queue

    async def send(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if operation not in ("ReceiveMessage", "DeleteMessageBatch"):
            return await super().send(operation, parameters)
        self.aws.asked.append(("pod", operation, dict(parameters)))
        if self.aws.code:
            raise refusal(self.aws.code, operation=operation)
        if operation == "DeleteMessageBatch":
            self.aws.deleted += [entry["ReceiptHandle"] for entry in parameters["Entries"]]
            return {}
        if not self.aws.messages:
            await asyncio.sleep(parameters["WaitTimeSeconds"])
        found = [self.aws.messages.popleft() for _ in range(min(len(self.aws.messages), parameters["MaxNumberOfMessages"]))]
        return {"Messages": [{"Body": body, "ReceiptHandle": body} for body in found]} if found else {}


class Notes(EventRecorder):
    """What is told to users."""

    def __init__(self, kube: Kube) -> None:
        super().__init__(kube, "test")
        self.told: list[tuple[str, str]] = []

    def record(self, regarding: Regarding, event_type: EventType, reason: str, action: str, note: str) -> None:
        assert (event_type, reason, action) == ("Warning", "EventsUnavailable", "Listen")
        self.told.append((regarding.name, note))


class Keys:
    """Objects that can be woken."""

    def __init__(self) -> None:
        self.names = KeyNames()
        self.queue: WorkQueue[Ref] = WorkQueue("kmskey")

    async def woken(self) -> list[str]:
        """The names of those that were, until now."""
        return [(await self.queue.get()).name for _ in range(len(self.queue))]


class Ground:
    def __init__(self) -> None:
        self.aws, self.keys = Queue(), Keys()
        kube = Kube(SmallCluster())
        self.notes = Notes(kube)
        self.clients = Clients(terms(self.aws.open), 1.0)
        ways = ProviderWays(kube, self.clients, ProviderRules())
        self.providers = AWSProviders(kube, ways, self.notes, partial(datetime.now, UTC))
        self.key_events = KeyEvents(self.providers, self.notes)
        self.key_events.woken.append(self.keys)

    def provide(self, name: str = "main", namespace: str = "shop", generation: int = 1, **spec: Any) -> None:
        """A provider as the informer tells of it."""
        status = {"callerIdentity": CALLER, "ready": True}
        versions = {"generation": generation, "resourceVersion": str(generation)}
        told = kubernetes("AWSProvider", name, {"region": REGION, **spec}, namespace, status=status, **versions)
        for change in self.providers.store.put(decode_object(json.dumps(told).encode())):
            self.providers.changed(change.old, change.new)

    def have(self, name: str, key_id: str) -> None:
        """An object with a key."""
        self.keys.names.changed(None, key(name, {"accountId": ACCOUNT, "keyId": key_id}))


def key(name: str, status: Json) -> KubeObject:
    return decode_object(json.dumps(kubernetes("KMSKey", name, {}, status=status)).encode())


@asynccontextmanager
async def ground(**spec: Any) -> AsyncIterator[Ground]:
    """A provider with a queue, and the objects orders (k-1) and other (k-2)."""
    found = Ground()
    found.have("orders", "k-1")
    found.have("other", "k-2")
    found.provide(events={"queueURL": QUEUE}, **spec)
    listening = asyncio.create_task(found.key_events.run())
    try:
        yield found
        assert not listening.done()
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        await found.clients.close()


async def test_a_change_wakes_the_object_of_its_key_and_no_other() -> None:
    async with ground() as found:
        found.aws.put(NEWS)
        await asyncio.sleep(1)
        assert await found.keys.woken() == ["orders"]
        assert found.aws.deleted == [json.dumps(NEWS)]


async def test_a_storm_of_the_same_news_is_one_look() -> None:
    async with ground() as found:
        found.aws.put(*[NEWS] * 500)
        await asyncio.sleep(1)
        assert await found.keys.woken() == ["orders"]
        assert len(found.aws.deleted) == 500


HARMLESS = {
    "own": event("DisableKey", {"keyId": "k-1"}, key_arn("k-1"), userIdentity={"arn": CALLER}, userAgent="infra-operator/0.1.0"),
    "another key's": event("DisableKey", {"keyId": "k-9"}, key_arn("k-9")),
    "another account's": event("DisableKey", {}, key_arn("k-1").replace(ACCOUNT, "444455556666")),
    "another source's": {**NEWS, "source": "aws.s3"},
    "a refused call": event("DisableKey", {"keyId": "k-1"}, key_arn("k-1"), errorCode="AccessDenied"),
    "no JSON": "<xml/>",
    "empty": "",
}


async def test_what_is_no_news_wakes_nobody_and_goes() -> None:
    async with ground() as found:
        found.aws.put(*HARMLESS.values())
        await asyncio.sleep(1)
        assert await found.keys.woken() == []
        assert len(found.aws.deleted) == len(HARMLESS)


async def test_whoever_works_by_hand_as_the_operators_principal_is_noticed() -> None:
    async with ground() as found:
        found.aws.put(event("DisableKey", {"keyId": "k-1"}, key_arn("k-1"), userIdentity={"arn": CALLER}))
        await asyncio.sleep(1)
        assert await found.keys.woken() == ["orders"]


async def test_an_empty_queue_is_asked_three_times_a_minute() -> None:
    async with ground() as found:
        await asyncio.sleep(600)
        assert 600 / (POLL_SECONDS + 1) <= found.aws.operations().count("ReceiveMessage") <= 600 / POLL_SECONDS + 1


async def test_providers_of_one_queue_and_identity_listen_once() -> None:
    async with ground() as found:
        found.provide("second", "mail", events={"queueURL": QUEUE})
        await asyncio.sleep(600)
        assert found.aws.operations().count("ReceiveMessage") <= 600 / POLL_SECONDS + 1


async def test_a_provider_that_names_no_queue_any_more_is_not_listened_for() -> None:
    async with ground() as found:
        await asyncio.sleep(1)
        found.provide(generation=2)
        await asyncio.sleep(1)
        found.aws.put(NEWS)
        await asyncio.sleep(100)
        assert list(found.aws.messages) == [json.dumps(NEWS)]
        found.provide(generation=3, events={"queueURL": QUEUE})
        await asyncio.sleep(1)
        assert await found.keys.woken() == ["orders"]


async def test_a_refused_queue_is_told_of_and_asked_ever_less_until_it_lets_us_in() -> None:
    async with ground() as found:
        found.aws.code = "AccessDeniedException"
        await asyncio.sleep(3600)
        asked = found.aws.operations().count("ReceiveMessage")
        assert 3600 / LONGEST_WAIT_SECONDS < asked < 40
        told = (
            f"{QUEUE}: ReceiveMessage: AccessDeniedException: no Allow sqs:ReceiveMessage to the provider's identity. "
            "Changes in AWS are found by the resync meanwhile."
        )
        assert set(found.notes.told) == {("main", told)}
        found.aws.code = None
        found.aws.put(NEWS)
        await asyncio.sleep(LONGEST_WAIT_SECONDS)
        assert await found.keys.woken() == ["orders"]


async def test_what_passes_by_itself_is_told_when_it_has_not_passed() -> None:
    async with ground() as found:
        found.aws.code = "ServiceUnavailable"
        await asyncio.sleep(2.5)
        assert found.notes.told == []
        await asyncio.sleep(60)
        assert {name for name, _ in found.notes.told} == {"main"}


async def test_another_accounts_queue_is_told_of_and_not_asked() -> None:
    async with ground() as found:
        found.provide(generation=2, events={"queueURL": QUEUE.replace(ACCOUNT, "444455556666")})
        await asyncio.sleep(10)
        assert "correct spec.events.queueURL" in found.notes.told[0][1]
        assert "ReceiveMessage" not in found.aws.operations()
