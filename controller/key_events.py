"""News of keys: whoever changes a key in AWS behind its object's back wakes that object within seconds.

Rules:
1. An AWSProvider may name an SQS queue with CloudTrail's events. For each queue and identity there is one listener, however many providers
   name them. Only who holds the lease listens: the news of a queue goes to one process.
2. A message is deleted after its objects were woken, or when it means nothing to us. One that is received twice, or that got lost, costs a
   look at a key that is in order, or a wait until the resync: nothing depends on it.
3. A queue speaks only of keys of its own account: nobody wakes the keys of others. It wakes with the priority of a resync, so that a flood
   of events stands behind what users want.
4. What we do ourselves is no news (reconcilers/cloudtrail.py).
5. A queue that fails is asked again after a wait that doubles, with jitter. The provider's Ready is about its keys and stays as it is; an
   event of type Warning says what is wrong.

After a new leader's start all objects are looked at anyway, so what was received while the old one ended is not missed.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from typing import NamedTuple, Never, Protocol

import msgspec
import structlog

from aws import event_queue
from aws.clients import Connection
from aws.errors import AWSError, FencedError, InvalidAccessError, RetryableError
from controller import metrics
from controller.awsproviders import AWSProviders
from controller.events import EventRecorder
from controller.key_names import KeyNames
from controller.kube import KubeError
from controller.objects import KubeObject, Ref
from controller.provider_objects import regarding
from controller.workqueue import Priority, WorkQueue
from reconcilers.cloudtrail import principal, read_change
from reconcilers.codes import DENIED_CODES
from reconcilers.failures import iam_action
from reconcilers.provider_fields import AWSProviderSpec
from reconcilers.reasons import Reason
from reconcilers.states import Unobservable

FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 300.0
DOUBLINGS = 8  # past the longest wait
# A queue that answers at once though it has nothing, as some emulators' do, is not asked without a pause.
BREATH_SECONDS = 0.5
# What passes by itself is said when it has not passed by now.
PATIENT_FAILURES = 3
# By whom a provider asks AWS, beside its namespace, which counts where Secrets are.
IDENTITY = {
    *("region", "endpoint", "role_arn", "assume_role_arn", "external_id", "session_name", "session_tags"),
    *("credentials_secret", "access_key_id_ref", "secret_access_key_ref", "session_token_ref"),
}

log = structlog.get_logger()


class Woken(Protocol):
    """The objects of one kind, as far as news concern them."""

    names: KeyNames
    queue: WorkQueue[Ref]


class _Source(NamedTuple):
    """A queue, as one identity sees it."""

    queue_url: str
    identity: str


class _Caller(msgspec.Struct, gc=False, rename="camel"):
    caller_identity: str | None = None


class KeyEvents:
    """One for the process. `woken`: the kinds whose objects it wakes."""

    def __init__(self, providers: AWSProviders, events: EventRecorder) -> None:
        self.woken: list[Woken] = []
        self._ways = providers.ways
        self._events = events
        self._named: dict[_Source, list[Ref]] = {}
        self._changed = asyncio.Event()
        providers.wakers.append(lambda _: self._changed.set())

    async def run(self) -> Never:
        """Listens until it is cancelled."""
        listeners: dict[_Source, asyncio.Task[Never]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                self._named = self._sources()
                for source in [source for source in listeners if source not in self._named]:
                    listeners.pop(source).cancel()
                for source in self._named.keys() - listeners.keys():
                    listeners[source] = group.create_task(self._listen(source), name=f"listen to {source.queue_url}")
                await self._changed.wait()

    def _sources(self) -> dict[_Source, list[Ref]]:
        """The providers by what they name."""
        found: dict[_Source, list[Ref]] = {}
        for obj in self._ways.store:
            spec = self._ways.access.spec(obj) if b'"events"' in obj.spec and obj.deletion_timestamp is None else None
            if isinstance(spec, AWSProviderSpec) and spec.events is not None:
                found.setdefault(_Source(spec.events.queue_url, _identity(obj, spec)), []).append(obj.ref)
        return found

    async def _listen(self, source: _Source) -> Never:
        failures = 0
        log.info("listening", queue=source.queue_url)
        while True:
            try:
                await self._take_next(source)
                failures = 0
            except (AWSError, FencedError, InvalidAccessError, KubeError) as error:
                failures += 1
                log.warning("events_unavailable", queue=source.queue_url, failures=failures, error=str(error))
                self._tell(source, error, failures)
                await asyncio.sleep(_wait(failures))

    async def _take_next(self, source: _Source) -> None:
        connection = await self._connect(source)
        messages = await event_queue.receive(connection, source.queue_url)
        if not messages:
            await asyncio.sleep(BREATH_SECONDS)
            return
        principals = frozenset(self._principals())
        for message in messages:
            outcome = self._hear(message.body, connection.account_id, principals)
            metrics.KEY_EVENTS.labels(outcome=outcome).inc()
        await event_queue.delete(connection, source.queue_url, messages)

    async def _connect(self, source: _Source) -> Connection:
        """By the first of the providers that leads somewhere: of two, one may have no right to the pod's identity."""
        refused = "no AWSProvider names the queue any more"
        for ref in self._named.get(source, ()):
            obj = self._ways.store.get(ref)
            if obj is None:
                continue
            reached = await self._ways.connect(obj)
            if not isinstance(reached, Unobservable):
                return reached.connection
            refused = reached.message
        raise InvalidAccessError(Reason.PROVIDER_NOT_READY, refused)

    def _hear(self, body: str, account_id: str, principals: frozenset[str]) -> str:
        """What became of a message."""
        change = read_change(body)
        if change is None:
            return "ignored"
        if change.is_own(principals):
            return "own"
        names = [name for name in change.names if name.account_id == account_id]
        concerned = [(kind, ref) for kind in self.woken for ref in kind.names.called(names)]
        for kind, ref in concerned:
            kind.queue.add(ref, Priority.RESYNC)
            log.info("key_changed_in_aws", operation=change.operation, principal=change.principal, namespace=ref.namespace, name=ref.name)
        return "woken" if concerned else "foreign"

    def _principals(self) -> Iterator[str]:
        """As whom AWS knows our providers, by their statuses."""
        for obj in self._ways.store:
            with contextlib.suppress(msgspec.ValidationError):
                yield principal(msgspec.json.decode(obj.status, type=_Caller).caller_identity or "")

    def _tell(self, source: _Source, error: Exception, failures: int) -> None:
        """A provider that is not ready says so itself."""
        if isinstance(error, InvalidAccessError) and error.reason is Reason.PROVIDER_NOT_READY:
            return
        if isinstance(error, RetryableError | FencedError | KubeError) and failures < PATIENT_FAILURES:
            return
        for ref in self._named.get(source, ()):
            obj = self._ways.store.get(ref)
            if obj is not None:
                note = f"{source.queue_url}: {error} {_advice(error)}Changes in AWS are found by the resync meanwhile."
                self._events.record(regarding(obj), "Warning", Reason.EVENTS_UNAVAILABLE, "Listen", note)


def _identity(obj: KubeObject, spec: AWSProviderSpec) -> str:
    has_secret = spec.credentials_secret is not None or spec.access_key_id_ref is not None
    return f"{obj.namespace if has_secret else ''} {spec.model_dump_json(include=IDENTITY)}"


def _advice(error: Exception) -> str:
    if not isinstance(error, AWSError) or error.failure.code not in DENIED_CODES:
        return ""
    return f"Allow {iam_action(error.failure.operation)} to the provider's identity. "


def _wait(failures: int) -> float:
    longest = min(FIRST_WAIT_SECONDS * float(2 ** min(failures - 1, DOUBLINGS)), LONGEST_WAIT_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
