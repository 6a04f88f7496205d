import asyncio
import random
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from controller.kube import Kube, Request, Response, Stream
from controller.lease import Lease, NoLease
from controller.lease_rules import LeaseConfig
from tests.virtual_time import VirtualTimeLoop

DURATION, DEADLINE, RETRY = 15.0, 10.0, 2.0


def now() -> float:
    return asyncio.get_running_loop().time()


class LeaseServer:
    """The API server's part: one Lease, with optimistic concurrency."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self._version = 0

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        spec: dict[str, Any] = self.lease["spec"]
        return spec

    def execute(self, request: Request) -> Response:
        if request.method == "GET":
            return Response(404) if self.lease is None else Response(200, msgspec.json.encode(self.lease))
        assert request.body is not None
        body = msgspec.json.decode(request.body)
        if request.method == "POST":
            return Response(409) if self.lease is not None else self.store(body)
        if self.lease is None:
            return Response(404)
        if body["metadata"].get("resourceVersion") != self.lease["metadata"]["resourceVersion"]:
            return Response(409)
        return self.store(body)

    def store(self, lease: dict[str, Any]) -> Response:
        self._version += 1
        lease["metadata"]["resourceVersion"] = str(self._version)
        self.lease = lease
        return Response(200, msgspec.json.encode(lease))

    def edit(self, **spec: object) -> None:
        assert self.lease is not None
        self.store({**self.lease, "spec": self.lease["spec"] | spec})

    def hold(self, holder: str, **spec: object) -> None:
        """Let somebody outside this test hold the lease."""
        times = {"acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z"}
        base = {"holderIdentity": holder, "leaseDurationSeconds": 15}
        self.store({"metadata": {"name": "lock"}, "spec": base | times | spec})




class Connection:
    """One contender's way to the server; `fault` tells what becomes of its requests."""

    def __init__(self, server: LeaseServer) -> None:
        self._server = server
        self.fault: Callable[[Request], str] = lambda _: ""
        self.latency = 0.01

    async def send(self, request: Request) -> Response:
        fault = self.fault(request)
        if fault == "hang":
            await asyncio.Event().wait()
        if fault == "refuse":
            raise ConnectionRefusedError("connection refused")
        if fault == "garbage":
            return Response(200, b"<html>")
        if fault.isdecimal():
            return Response(int(fault))
        if fault == "late":  # reaches the server only after the client has given up
            asyncio.get_running_loop().call_later(30 * self.latency, self._server.execute, request)
            raise ConnectionResetError("connection reset")
        await asyncio.sleep(self.latency)
        response = self._server.execute(request)
        await asyncio.sleep(self.latency)
        if fault == "lost":
            raise ConnectionResetError("connection reset")
        return response

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        raise NotImplementedError(request.path)

    async def close(self) -> None:
        self.fault = lambda _: "refuse"


class Contender:
    """A process with a lease on the test's loop, and a main loop that beats."""

    def __init__(self, server: LeaseServer, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.connection = Connection(server)
        self.lost_at: float | None = None
        self.reason = ""
        config = LeaseConfig("lock", "operators", name, DURATION, DEADLINE, RETRY)
        self.lease = Lease(config, self._connect, self._lost, loop.time, loop.create_task)
        self.lease.start()
        self.beating = loop.create_task(self._beat())

    async def _connect(self) -> Kube:
        return Kube(self.connection)

    def _lost(self, reason: str) -> None:
        self.lost_at, self.reason = now(), reason

    async def _beat(self) -> None:
        while self.lost_at is None:
            self.lease.beat()
            await asyncio.sleep(1)

    async def leads(self) -> "Contender":
        await asyncio.wait_for(self.lease.acquired(), timeout=100)
        assert self.lease.held()
        return self


async def until(condition: Callable[[], bool], within: float) -> float:
    """Wait until it is so. Returns the seconds that took."""
    started = now()
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - virtual time costs nothing
            await asyncio.sleep(0.01)
    return now() - started


@pytest.fixture
async def server() -> LeaseServer:
    return LeaseServer()


virtual = pytest.mark.virtual_time


@virtual
async def test_the_first_contender_creates_the_lease_at_once(server: LeaseServer) -> None:
    await Contender(server, "a").leads()
    assert now() < 0.1
    assert server.spec["holderIdentity"] == "a"
    assert server.spec["leaseTransitions"] == 0


@virtual
async def test_it_is_kept_for_hours_without_ever_being_in_doubt(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    for _ in range(1000):
        await asyncio.sleep(10)
        assert a.lease.held(margin=DURATION - RETRY - 0.1)
    assert a.lost_at is None
    assert server.spec["leaseTransitions"] == 0


@virtual
async def test_a_second_contender_waits(server: LeaseServer) -> None:
    await Contender(server, "a").leads()
    b = Contender(server, "b")
    await asyncio.sleep(3600)
    assert not b.lease.held()
    assert server.spec["holderIdentity"] == "a"


STRANGE_TIMES = ["2025-01-01T00:00:00.000000Z", "2027-01-01T00:00:00.000000Z", "2026-01-01T00:00:00", "", None]


@pytest.mark.holds("F44")
@virtual
@pytest.mark.parametrize("written", STRANGE_TIMES)
@pytest.mark.parametrize("duration", [15, 60])
async def test_a_dead_rivals_lease_is_taken_after_its_duration_whatever_time_it_wrote(
    server: LeaseServer, written: str | None, duration: int
) -> None:
    server.hold("dead", renewTime=written, leaseDurationSeconds=duration)
    contender = Contender(server, "a")
    took = await until(contender.lease.held, within=100)
    assert duration <= took <= duration + 1.1
    assert server.spec["leaseTransitions"] == 1


@pytest.mark.holds("F44")
@virtual
@pytest.mark.parametrize("written", STRANGE_TIMES)
async def test_a_living_rivals_lease_is_never_taken_whatever_time_it_writes(server: LeaseServer, written: str | None) -> None:
    server.hold("living")
    a = Contender(server, "a")
    for _ in range(100):
        await asyncio.sleep(14)
        server.edit(renewTime=written)
    assert not a.lease.held()


ENDLESS_FAULTS = ["hang", "refuse", "garbage", "lost", "late", "400", "401", "403", "404", "409", "429", "500", "503"]


@pytest.mark.holds("F41", "F20")
@virtual
@pytest.mark.parametrize("fault", ENDLESS_FAULTS)
async def test_a_leader_that_cannot_renew_stops_by_the_deadline_and_another_leads_only_later(
    server: LeaseServer, fault: str
) -> None:
    a = await Contender(server, "a").leads()
    await asyncio.sleep(60)
    a.connection.fault = lambda _: fault
    broken = now()
    b = Contender(server, "b")
    await until(lambda: not a.lease.held(), within=DEADLINE + 0.02)
    await until(lambda: a.lost_at is not None, within=0.1)
    assert "could not be renewed within 10 s" in a.reason
    assert not b.lease.held()
    await b.leads()
    assert now() - broken <= DEADLINE + DURATION + 2


@virtual
@pytest.mark.parametrize("fault", ["hang", "refuse", "lost", "409", "500"])
async def test_a_fault_shorter_than_the_deadline_costs_nothing(server: LeaseServer, fault: str) -> None:
    a = await Contender(server, "a").leads()
    await asyncio.sleep(60)
    a.connection.fault = lambda _: fault
    await asyncio.sleep(DEADLINE - RETRY - 2)
    a.connection.fault = lambda _: ""
    for _ in range(600):
        assert a.lease.held()
        await asyncio.sleep(0.1)


@pytest.mark.holds("F18")
@virtual
async def test_a_slow_server_is_no_reason_to_lose_the_lease(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    a.connection.latency = 2.4  # an answer takes 4.8 s, and a request may take 5
    await asyncio.sleep(600)
    assert a.lost_at is None


@pytest.mark.holds("F14")
@virtual
async def test_after_an_outage_of_half_an_hour_somebody_leads_again_by_itself(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    b = Contender(server, "b")
    a.connection.fault = b.connection.fault = lambda _: "refuse"
    await asyncio.sleep(1800)
    assert not a.lease.held()
    assert a.lost_at is not None
    b.connection.fault = lambda _: ""
    assert await until(b.lease.held, within=DURATION + 2) >= 0


@virtual
async def test_with_a_margin_the_lease_must_last_beyond_the_call(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    a.connection.fault = lambda _: "hang"
    renewed = 0.02  # the GET that found nothing took so long; then the write began
    await asyncio.sleep(renewed + 4.9 - now())
    assert a.lease.held(margin=10)
    await asyncio.sleep(0.2)
    assert not a.lease.held(margin=10)
    assert a.lease.held(margin=9)


@virtual
async def test_the_tenure_counts_from_the_start_of_a_renewal_not_from_its_answer(server: LeaseServer) -> None:
    a = Contender(server, "a")
    a.connection.latency = 2  # the GET that finds nothing ends at 4 s, the write that then begins ends at 8 s
    faults = iter(["", ""])
    a.connection.fault = lambda _: next(faults, "hang")
    await a.leads()
    assert now() == pytest.approx(8)
    await asyncio.sleep(5.9)
    assert a.lease.held()
    await asyncio.sleep(0.2)
    assert not a.lease.held()


@virtual
@pytest.mark.parametrize("seconds", [10, 12, 40])
async def test_a_pause_of_the_whole_process_ends_the_tenure_before_anything_else_runs(
    server: LeaseServer, seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    a = await Contender(server, "a").leads()
    loop.pause(seconds)
    assert not a.lease.held()
    await until(lambda: a.lost_at is not None, within=0.1)
    assert not a.lease.held()


@virtual
async def test_a_main_loop_that_hangs_for_long_loses_the_lease(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    a.beating.cancel()
    await until(lambda: a.lost_at is not None, within=2 * DEADLINE + RETRY + 1)
    assert now() >= DEADLINE


@virtual
async def test_a_main_loop_that_hangs_for_a_moment_does_not(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    a.beating.cancel()
    await asyncio.sleep(DEADLINE + 5)
    a.beating = asyncio.create_task(a._beat())
    await asyncio.sleep(600)
    assert a.lost_at is None
    assert a.lease.leading


@virtual
async def test_a_main_loop_that_hangs_never_becomes_the_leader(server: LeaseServer) -> None:
    a = Contender(server, "a")
    a.connection.fault = lambda _: "refuse"
    a.beating.cancel()
    await asyncio.sleep(DEADLINE + 2)
    a.connection.fault = lambda _: ""
    await asyncio.sleep(600)
    assert not a.lease.held()
    assert server.lease is None


@virtual
async def test_a_released_lease_is_taken_within_about_a_second(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    b = Contender(server, "b")
    await asyncio.sleep(60)
    await a.lease.release_and_stop()
    assert not a.lease.held()
    assert await until(b.lease.held, within=1.1) >= 0
    assert a.lost_at is None
    assert server.spec["leaseTransitions"] == 1


@virtual
async def test_a_released_lease_looks_as_other_implementations_expect(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    await a.lease.release_and_stop()
    assert server.spec["holderIdentity"] == ""
    assert server.spec["leaseDurationSeconds"] == 1


@virtual
@pytest.mark.parametrize("fault", ["409", "500", "refuse", "lost", "late"])
async def test_releasing_is_tried_again_after_a_failure(server: LeaseServer, fault: str) -> None:
    a = await Contender(server, "a").leads()
    faults = iter(["", fault])
    a.connection.fault = lambda _: next(faults, "")
    await a.lease.release_and_stop()
    assert server.spec["holderIdentity"] == ""


@virtual
@pytest.mark.parametrize("fault", ENDLESS_FAULTS)
async def test_releasing_is_bounded_whatever_the_server_does(server: LeaseServer, fault: str) -> None:
    a = await Contender(server, "a").leads()
    a.connection.fault = lambda _: fault
    stopped = now()
    await a.lease.release_and_stop()
    assert now() - stopped <= DEADLINE
    assert not a.lease.held()


@virtual
async def test_what_somebody_else_holds_is_not_released(server: LeaseServer) -> None:
    await Contender(server, "a").leads()
    b = Contender(server, "b")
    await asyncio.sleep(5)
    await b.lease.release_and_stop()
    assert server.spec["holderIdentity"] == "a"
    assert b.lost_at is None


@virtual
async def test_stopping_twice_or_after_a_loss_is_harmless(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    server.edit(holderIdentity="rival")
    await until(lambda: a.lost_at is not None, within=5)
    await a.lease.release_and_stop()
    await a.lease.release_and_stop()
    assert server.spec["holderIdentity"] == "rival"


@virtual
@pytest.mark.parametrize(("holder", "says"), [("rival", "held by rival"), ("", "held by nobody"), (None, "held by nobody")])
async def test_a_leader_that_sees_another_holder_stops_at_its_next_renewal(
    server: LeaseServer, holder: str | None, says: str
) -> None:
    a = await Contender(server, "a").leads()
    server.edit(holderIdentity=holder)
    await until(lambda: a.lost_at is not None, within=RETRY + 0.1)
    assert not a.lease.held()
    assert says in a.reason
    assert server.spec["holderIdentity"] == holder


@virtual
async def test_an_edit_that_leaves_us_the_holder_costs_nothing(server: LeaseServer) -> None:
    slow_paths = REGISTRY.get_sample_value("leader_election_slowpath_total", {"name": "lock"}) or 0
    a = await Contender(server, "a").leads()
    server.edit(leaseDurationSeconds=3600)
    await asyncio.sleep(60)
    assert a.lease.held()
    assert server.spec["leaseDurationSeconds"] == 15
    assert REGISTRY.get_sample_value("leader_election_slowpath_total", {"name": "lock"}) == slow_paths + 1


@virtual
async def test_a_deleted_lease_is_made_anew_by_its_leader(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    await asyncio.sleep(5)
    server.lease = None
    await asyncio.sleep(60)
    assert a.lease.held()
    assert server.spec["holderIdentity"] == "a"


@virtual
async def test_a_deleted_lease_is_still_its_leaders_to_those_who_had_seen_it(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    b = Contender(server, "b")
    await asyncio.sleep(60)
    a.connection.fault = lambda _: "hang"
    server.lease = None
    await until(lambda: a.lost_at is not None, within=DEADLINE + 0.1)
    assert not b.lease.held()
    await b.leads()


@virtual
async def test_our_own_lease_whose_answer_was_lost_is_ours(server: LeaseServer) -> None:
    faults = iter(["", "lost"])
    a = Contender(server, "a")
    a.connection.fault = lambda _: next(faults, "")
    assert await until(a.lease.held, within=2) >= 0


@virtual
async def test_what_others_wrote_on_the_lease_survives_renewals(server: LeaseServer) -> None:
    await Contender(server, "a").leads()
    assert server.lease is not None
    server.store({**server.lease, "metadata": server.lease["metadata"] | {"labels": {"team": "kms"}}})
    await asyncio.sleep(60)
    assert server.lease["metadata"]["labels"] == {"team": "kms"}


@virtual
async def test_the_metric_is_one_exactly_while_we_lead(server: LeaseServer) -> None:
    def status() -> float | None:
        return REGISTRY.get_sample_value("leader_election_master_status", {"name": "lock"})

    server.hold("rival")
    a = Contender(server, "a")
    await asyncio.sleep(5)
    assert status() == 0
    await a.leads()
    assert status() == 1
    server.edit(holderIdentity="rival")
    await until(lambda: a.lost_at is not None, within=5)
    assert status() == 0


@virtual
async def test_a_bug_in_the_lease_ends_the_tenure_aloud(server: LeaseServer) -> None:
    def explode(_: Request) -> str:
        raise ZeroDivisionError

    a = await Contender(server, "a").leads()
    a.connection.fault = explode
    await until(lambda: a.lost_at is not None, within=5)
    assert not a.lease.held()


@virtual
async def test_a_loop_that_is_torn_down_releases_nothing(server: LeaseServer) -> None:
    a = await Contender(server, "a").leads()
    life = a.lease._life
    assert isinstance(life, asyncio.Task)
    life.cancel()
    await asyncio.wait({life})
    assert not a.lease.held()
    assert server.spec["holderIdentity"] == "a"


class Duel:
    """Contenders under random faults and pauses; who loses is replaced by a new process, as its Deployment would."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.server = LeaseServer()
        self.leaders: set[int] = set()
        self.made = 0
        self.contenders = [self.join(), self.join()]

    def join(self) -> Contender:
        self.made += 1
        contender = Contender(self.server, f"contender {self.made}")
        contender.connection.latency = self.random.choice([0.001, 0.1, 1.5])
        contender.connection.fault = self.fault
        return contender

    def fault(self, _: Request) -> str:
        return self.random.choices(["", *ENDLESS_FAULTS], weights=[30, *[1] * len(ENDLESS_FAULTS)])[0]

    def outage(self) -> None:
        connection = self.random.choice(self.contenders).connection
        connection.fault = lambda _: "hang"
        asyncio.get_running_loop().call_later(self.random.uniform(1, 60), setattr, connection, "fault", self.fault)

    async def step(self) -> None:
        if self.random.random() < 0.005:
            self.outage()
        if self.random.random() < 0.002:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            loop.pause(self.random.uniform(1, 40))
        await asyncio.sleep(self.random.uniform(0, 0.2))

    async def run(self, steps: int) -> None:
        for _ in range(steps):
            await self.step()
            holding = [contender for contender in self.contenders if contender.lease.held()]
            assert len(holding) <= 1, "two lead at once"
            self.leaders.update(id(contender) for contender in holding)
            self.contenders = [self.join() if contender.lost_at is not None else contender for contender in self.contenders]


@pytest.mark.holds("F41")
@virtual
@pytest.mark.parametrize("seed", range(8))
async def test_two_never_lead_at_once_under_random_failures_and_yet_somebody_does(seed: int) -> None:
    duel = Duel(seed)
    await duel.run(steps=10_000)
    assert len(duel.leaders) > 2


async def test_in_a_thread_of_its_own_the_lease_outlives_a_main_loop_that_is_blocked_for_a_moment() -> None:
    server = LeaseServer()
    losses: list[str] = []

    async def connect() -> Kube:
        return Kube(Connection(server))

    config = LeaseConfig("lock", "operators", "a", duration=5, renew_deadline=4, retry_period=0.05)
    lease = Lease(config, connect, losses.append)
    lease.start()
    async with asyncio.timeout(10):
        await lease.acquired()
        assert lease.held()
        version = int(server.lease["metadata"]["resourceVersion"]) if server.lease else 0
        while server.lease is None or int(server.lease["metadata"]["resourceVersion"]) < version + 3:
            pass  # this loop is blocked; only another thread can renew
        await lease.release_and_stop()
        assert not lease.held()
        assert server.spec["holderIdentity"] == ""
        assert losses == []


async def test_by_default_a_lost_lease_ends_the_process_at_once() -> None:
    code = "from controller.lease import exit_at_once\ntry:\n    exit_at_once('drill')\nfinally:\n    print('farewell')"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode == 1
    assert b"farewell" not in output


async def test_without_an_election_we_always_lead() -> None:
    alone = NoLease()
    alone.start()
    await alone.acquired()
    alone.beat()
    assert alone.held(margin=3600)
    assert alone.leading
    await alone.release_and_stop()
