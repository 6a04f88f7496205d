"""The program: connections, informers, workers, lease and listeners, started in order and ended in the reverse one.

Rules:
1. Caches are filled and /readyz is 200 on a standby too, so that it can lead at once. Workers start when the lease is ours.
2. The end (SIGTERM, SIGINT): no new pass begins; those under way get a moment, then are cancelled, except inside CreateKey; then the lease
   is released and the exit code is 0. A second signal ends the process where it stands.
3. A part that fails ends the program with its error: a controller without its informer is worse than none. The lost lease ends it at once.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Never

import structlog

from aws.channels import CALL_SECONDS, Terms
from aws.clients import Clients
from aws.errors import AWSError, FencedError, InvalidAccessError
from aws.quotas import KMS_OPERATIONS
from aws.wires import AwsWires, OpenWire
from controller import metrics
from controller.access import AccessError
from controller.awsproviders import AWSProviders
from controller.connection import connect
from controller.dependent_pass import DependentMeans
from controller.dependents import Dependents
from controller.events import EventRecorder
from controller.garbage import collect_after
from controller.informer import STALL_SECONDS, Informer
from controller.keeper import Keeper, OnlyOne
from controller.key_events import KeyEvents
from controller.key_objects import KMSKEYS
from controller.kinds import Kind, informers, shut_down, synced, work
from controller.kmsaliases import KMSALIASES, AliasCraft
from controller.kmsgrants import KMSGRANTS, GrantCraft
from controller.kmskeys import KMSKeys
from controller.kube import Kube, KubeError
from controller.lease import Lease, NoLease
from controller.leases import Seat, seat
from controller.metrics_access import MetricsAccess
from controller.namespaces import NamespaceLabels, cluster_id
from controller.partition import Others, Partition
from controller.provider_access import ProviderRules
from controller.provider_objects import AWSPROVIDERS
from controller.provider_ways import ProviderWays
from controller.resyncs import Resyncs
from controller.server import Listener, LoopMonitor, health_routes, metrics_routes
from controller.settings import Settings
from controller.shards import Shards
from controller.tls import Certificate, TlsError
from reconcilers.fields import DeletionPolicy
from reconcilers.states import Operator
from reconcilers.urgency import Urgency

EXPECTED = (AWSError, FencedError, InvalidAccessError, KubeError)
BEAT_SECONDS = 1.0
SYNC_POLL_SECONDS = 0.01
# A pass lasts some 100 ms; one that waits for a quota may wait for long, and can be cut off anywhere but inside CreateKey. A standby looks
# each second: together it leads within 3 s.
DRAIN_SECONDS = 0.5
# CreateKey and the patch of its answer, each within its timeout, and a margin. Kubernetes' grace period is longer (manifests: 45 s).
END_SECONDS = 30.0
# A provider's pass waits for STS and writes next to nothing.
PROVIDER_WORKERS = 4
# Two calls that wait for AWS and one for Kubernetes: four do some 50 passes a second, more than the quota of 5 aliases lets through.
DEPENDENT_WORKERS = 4

log = structlog.get_logger()


def _now() -> datetime:
    """To the second, as Kubernetes writes times."""
    return datetime.now(UTC).replace(microsecond=0)


async def run(settings: Settings) -> int:
    """The whole life of the process. Returns its exit code."""
    stop = asyncio.Event()
    _on_signals(stop)
    wires = AwsWires()
    try:
        kube = await connect()
    except AccessError as error:
        log.error("cannot_start", error=str(error))  # noqa: TRY400 - the message says it all
        return 1
    try:
        await wires.warm()
        ours = seat(settings)
        lease = Lease(ours.work, connect) if settings.leader_elect else NoLease()
        program = Program(settings, kube, wires.open, Place(ours.partition, lease, _keeper(ours)))
        collecting = asyncio.create_task(collect_after(lambda: program.is_filled), name="collect garbage")
        try:
            return await program.run(stop)
        finally:
            collecting.cancel()
    finally:
        await kube.close()


def _on_signals(stop: asyncio.Event) -> None:
    def handle(received: signal.Signals) -> None:
        if stop.is_set():
            log.warning("killed_by_second_signal", signal=received.name)
            os._exit(1)
        log.info("stopping", signal=received.name)
        stop.set()

    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, handle, one)


@dataclass(frozen=True, slots=True)
class Place:
    """What of the work is a process's, and by which leases."""

    partition: Partition
    lease: Lease | NoLease
    keeper: Keeper | OnlyOne


class Program:
    """The parts, wired. kube, open_wire, place and now are its ways to the world; a simulation gives it others."""

    def __init__(
        self,
        settings: Settings,
        kube: Kube,
        open_wire: OpenWire,
        place: Place,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._settings = settings
        self._kube = kube
        self._lease = place.lease
        self._keeper = place.keeper
        self._partition = place.partition
        self._now = now
        self._events = EventRecorder(kube, settings.pod_name)
        self._clients = Clients(_terms(open_wire, place.lease, _call_seconds(settings)), settings.quota_fraction)
        rules = ProviderRules(
            str(settings.default_provider or ""), settings.allow_custom_endpoints, settings.ambient_credentials_namespaces
        )
        ways = ProviderWays(kube, self._clients, rules, Others(kube, settings.watch_namespaces, self._partition))
        self._providers = AWSProviders(kube, ways, self._events, now)
        self._providers.keeps = place.keeper.keeps
        place.keeper.took.append(self._providers.look_at_all)
        self._key_events = KeyEvents(self._providers, self._events)
        self._monitor = LoopMonitor()
        self._found: tuple[Kind, ...] = ()
        self._watching: list[Informer] = []

    @property
    def is_filled(self) -> bool:
        """Whether all that there is has been read once, and everybody was told of it."""
        return bool(self._watching) and all(informer.told for informer in self._watching)

    async def run(self, stop: asyncio.Event) -> int:
        """Until `stop` is set. Returns the exit code."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._clients.close)
            try:
                await self._listen(stack)
            except (OSError, TlsError) as error:
                log.error("cannot_listen", error=str(error))  # noqa: TRY400 - the message says it all
                return 1
            tasks = [asyncio.create_task(self._monitor.run())]
            try:
                return await self._run(stop, tasks)
            finally:
                for task in tasks:
                    task.cancel()

    async def _run(self, stop: asyncio.Event, tasks: list[asyncio.Task[Never]]) -> int:
        """From the cluster's first answer on; the tasks grow. Probes are answered before: an operator that waits for its cluster is alive."""
        found = await self._kinds(stop)
        if found is None:
            return 0
        metrics.start_at_zero(kind.label for kind in found)
        self._found, self._watching = found, informers(found, self._kube, self._settings.watch_namespaces)
        parts = [self._beat(), self._events.run(), *(informer.run() for informer in self._watching)]
        tasks += [asyncio.create_task(part) for part in parts]
        self._lease.start()
        return await self._lead(stop, found, tasks)

    async def _lead(self, stop: asyncio.Event, found: Sequence[Kind], tasks: list[asyncio.Task[Never]]) -> int:
        """Wait for our turn, work, and end in order."""
        workers = asyncio.create_task(self._work(found))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([workers, stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        ended = await self._drain(found, workers)
        stopped.cancel()
        if ended:
            await self._keeper.release_and_stop()
            await self._lease.release_and_stop()
        for broken in (task for task in [workers, *tasks] if task.done() and not task.cancelled() and task.exception()):
            log.error("part_failed", part=broken.get_name(), exc_info=broken.exception())
            return 1
        return 0 if ended else 1

    async def _work(self, found: Sequence[Kind]) -> None:
        await self._lease.acquired()
        while not synced(found):  # noqa: ASYNC110 - once in a process's life
            await asyncio.sleep(SYNC_POLL_SECONDS)
        log.info("leading", **{kind.resource.plural: len(kind.controller.store) for kind in found})
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(part) for part in (self._key_events.run(), self._keeper.run(), *await self._shards())]
            await work(found, EXPECTED)
            for task in beside:
                task.cancel()

    async def _shards(self) -> list[Coroutine[None, None, Never]]:
        """Our share of the quotas is known before we begin."""
        ring = self._settings.controller_ring
        if not ring:
            return []
        shards = Shards(self._kube, self._settings.lease_namespace, ring, self._clients.divide)
        await shards.look()
        return [shards.run()]

    async def _drain(self, found: Sequence[Kind], workers: asyncio.Task[None]) -> bool:
        """No new passes; a moment for those under way; then the cut. True if all have ended, so that the lease may go."""
        shut_down(found)
        if not self._lease.leading:
            workers.cancel()
        await asyncio.wait([workers], timeout=DRAIN_SECONDS)
        workers.cancel()
        await asyncio.wait([workers], timeout=END_SECONDS)
        return workers.done()

    async def _kinds(self, stop: asyncio.Event) -> tuple[Kind, ...] | None:
        """None when the process is stopped before the cluster could be reached."""
        settings = self._settings
        identity = await self._cluster_id(stop)
        if identity is None:
            return None
        operator = Operator(
            cluster_id=identity,
            default_deletion_policy=DeletionPolicy(settings.default_deletion_policy),
            create_grace=settings.create_grace,
            allow_policy_lockout_bypass=settings.allow_policy_lockout_bypass,
            refuse_open_policies=settings.refuse_open_policies,
        )
        resyncs = Resyncs(settings.resync_interval, self._clients.rate)
        keys = KMSKeys(self._kube, self._providers, self._events, operator, resyncs, self._now)
        self._key_events.woken.append(keys)
        return (
            Kind(AWSPROVIDERS, self._providers, PROVIDER_WORKERS),
            Kind(KMSKEYS, keys, settings.workers, self._partition.selector),
            *self._dependents(keys, operator, resyncs),
        )

    def _dependents(self, keys: KMSKeys, operator: Operator, resyncs: Resyncs) -> tuple[Kind, ...]:
        """The kinds that hang something on the keys."""
        ways, selector = self._providers.ways, self._partition.selector
        means = DependentMeans(ways, keys.store, NamespaceLabels(self._kube), self._events, operator)
        alias_craft = AliasCraft(operator, keys.store, keys.claims.store, ways.others)
        aliases = Dependents(self._kube, self._providers, means, alias_craft, resyncs, self._now)
        grants = Dependents(self._kube, self._providers, means, GrantCraft(operator), resyncs, self._now)
        keys.followers += [aliases.key_changed, grants.key_changed]
        self._key_events.woken += [aliases, grants]
        return (
            Kind(KMSALIASES, aliases, DEPENDENT_WORKERS, selector),
            Kind(KMSGRANTS, grants, DEPENDENT_WORKERS, selector),
        )

    async def _cluster_id(self, stop: asyncio.Event) -> str | None:
        """Asked for until it is told."""
        while not stop.is_set():
            try:
                return await cluster_id(self._kube)
            except KubeError as error:
                log.warning("cluster_not_reached", error=str(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await stop.wait()
        return None

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        metrics.start_calls_at_zero("kms", KMS_OPERATIONS)
        live = {"event-loop": self._monitor.check, "watches": lambda: _stalled(self._watching)}
        ready = {"caches": lambda: None if self._found and synced(self._found) else "the caches are not filled yet"}
        for listener in (
            self._metrics_listener(),
            Listener(self._settings.health_bind_address, health_routes(live, ready)),
        ):
            await listener.start()
            stack.push_async_callback(listener.stop)

    def _metrics_listener(self) -> Listener:
        settings = self._settings
        guards = [MetricsAccess(self._kube).middleware()] if settings.metrics_auth else []
        tls = Certificate(settings.metrics_tls_dir).context if settings.metrics_tls_dir else None
        return Listener(settings.metrics_bind_address, metrics_routes(), guards=guards, tls=tls)

    async def _beat(self) -> Never:
        """Tells the leases' threads that the main loop moves."""
        while True:
            self._lease.beat()
            self._keeper.beat()
            await asyncio.sleep(BEAT_SECONDS)


def _keeper(ours: Seat) -> Keeper | OnlyOne:
    config = ours.keeper
    return OnlyOne() if config is None else Keeper(lambda lost: Lease(config, connect, lost))


def _terms(open_wire: OpenWire, lease: Lease | NoLease, call_seconds: float) -> Terms:
    """How the AWS side asks for the lease and tells the metrics, without knowing either."""

    def observed(service: str, operation: str, code: str, seconds: float) -> None:
        metrics.AWS_REQUEST.labels(service=service, operation=operation, code=code).inc()
        metrics.AWS_REQUEST_ATTEMPTS.labels(service=service, operation=operation).inc()
        metrics.AWS_REQUEST_DURATION_SECONDS.labels(service=service, operation=operation).observe(seconds)

    def waited(operation: str, urgency: Urgency, seconds: float) -> None:
        metrics.AWS_QUOTA_WAIT_SECONDS.labels(operation=operation, priority=urgency.name.lower()).observe(seconds)

    return Terms(open_wire, lease.held, observed, waited, call_seconds)


def _call_seconds(settings: Settings) -> float:
    """A write starts only if it must end while the lease lasts: calls of half its length leave the other half for renewals."""
    return min(CALL_SECONDS, settings.lease_duration.total_seconds() / 2)


def _stalled(informers: list[Informer]) -> str | None:
    """A Check: an informer without progress for so long hangs; one whose server is down makes progress, in vain."""
    now = asyncio.get_running_loop().time()
    oldest = now - min((informer.last_progress for informer in informers), default=now)
    return None if oldest < STALL_SECONDS else f"a watch has made no progress for {oldest:.0f} s"
