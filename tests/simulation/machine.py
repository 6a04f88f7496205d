"""Random lives of a world: users, outsiders, faults, crashes, late caches and pauses in any order, found and shrunk by hypothesis.

Rules:
1. After every step all invariants are checked (invariants.py); at the end everything that goes wrong is switched off, and the world must come
   to rest: every object as declared, every key of a deleted object dealt with, nothing leaked, nothing written any more.
2. Users write only specs that can be reached, or that wait for the key to be enabled; two objects never want the same alias.
3. A run depends on nothing but hypothesis' choices, so that a failing seed fails again.
"""

import asyncio
import random
from collections import Counter
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from structlog.testing import capture_logs

from controller.key_pass import KeyPass
from reconcilers.names import OWNER_TAG
from tests.simulation.calls import Call
from tests.simulation.conftest import BUGS, SEED
from tests.simulation.etcd import Json
from tests.simulation.faults import silence
from tests.simulation.invariants import CHECKED, BrokenError, Invariants, leaked, wrong_at_rest
from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_model import flapping, late
from tests.simulation.lines import Point, undisturbed
from tests.simulation.machine_choices import (
    AWS_CALLS,
    KUBE_CALLS,
    LAGGING,
    OUTSIDE,
    PERMISSIONS,
    SECONDS,
    SPECS,
    SYMMETRIC,
    aws_fault,
    fitting,
    kube_fault,
)
from tests.simulation.replicas import Replica, current
from tests.simulation.world import CANARY, World
from tests.virtual_time import VirtualTimeLoop

NAMES = ("orders", "sales", "signing")
# Traffic that is not about a key.
ELSEWHERE = ("LIST", "WATCH", "leases", "events", "secrets", "namespaces", "awsproviders", "GetCallerIdentity")
# A lost creation's grace, the queue's longest backoff, a permission that was missing: each lasts at most 5 minutes.
REST_SECONDS = 900.0
RESYNC_SECONDS = 67.0

# How often what was done, such as "apply", "fault lost answer of AWS", "crash after CreateKey".
COVERED: Counter[str] = Counter()


class Machine(RuleBasedStateMachine):
    """One world, step by step."""

    def __init__(self) -> None:
        super().__init__()
        random.seed(SEED)
        self._stack = ExitStack()
        self.logs = self._stack.enter_context(capture_logs())
        self.loop = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self._passes: Counter[tuple[str, str]] = Counter()
        self._stack.enter_context(patch.object(KeyPass, "run", self._counted(KeyPass.run)))
        self.settings: dict[str, Any] = {}
        self.number = 0
        self.live = False

    @initialize(pair=st.booleans(), index_lag=st.sampled_from([0, 600]), first=SPECS, settled=st.booleans())
    def begin(self, pair: bool, index_lag: int, first: Json, settled: bool) -> None:
        self.settings = {
            "leader_elect": pair,
            "retry_period": timedelta(seconds=4),
        }  # half as much traffic of the lease as shipped
        self.world = self.run(_made())
        self.world.kms.lags["GetResources"] = late(index_lag)
        self.promises = Invariants(self.world)
        self.live = True
        self.start()
        self.apply(NAMES[0], first, {})
        if settled:
            self.run(self.world.ready(NAMES[0]))

    def run(self, coroutine: Any) -> Any:
        return self.loop.run(coroutine)

    # -- users

    @rule(name=st.sampled_from(NAMES), spec=SPECS, more=SYMMETRIC)
    def apply(self, name: str, spec: Json, more: Json) -> None:
        found = self.world.find(name)
        if found is not None and "deletionTimestamp" in found["metadata"]:
            return
        self._did("apply")
        wanted = {**spec, **fitting(name, more)}
        self.promises.specs[name] = wanted
        self.world.apply(name, **wanted)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        found = self.world.find(name)
        if found is not None:
            self._did("delete")
            self.world.delete(name)

    @rule(name=st.sampled_from(NAMES))
    def touch(self, name: str) -> None:
        if self.world.find(name) is not None:
            self._did("touch")
            self.world.patch(name, {"metadata": {"annotations": {"touched": str(self.world.time)}}})

    # -- others in the account

    @rule(name=st.sampled_from(NAMES), operation=st.sampled_from(sorted(OUTSIDE)))
    def change_outside(self, name: str, operation: str) -> None:
        found = self.world.find(name)
        key_id = found.get("status", {}).get("keyId") if found else None
        if operation == "CreateKey":
            with suppress(RefusedError):
                self.world.outside(operation, **OUTSIDE[operation])
                self._did("foreign key")
        elif key_id is not None and found is not None and "deletionTimestamp" not in found["metadata"]:
            with suppress(RefusedError):
                self.world.outside(operation, KeyId=key_id, **OUTSIDE[operation])
                self._did(f"outside {operation}")

    @rule(name=st.sampled_from(NAMES))
    def change_a_tag_outside(self, name: str) -> None:
        """Only one that the operator has put there: any other is somebody else's, and stays."""
        for key in self.world.kms.keys:
            if "team" in key.tags and key.tags.get(OWNER_TAG, "").endswith(f"/{name}"):
                with suppress(RefusedError):
                    self.world.outside("TagResource", KeyId=key.arn, Tags=[{"TagKey": "team", "TagValue": "thieves"}])
                    self._did("outside change of a tag")

    # -- the wires

    @rule(
        kind=st.sampled_from(
            ["lost answer", "lost request", "late answer", "internal error", "internal error after", "throttled", "silent"]
        ),
        calls=AWS_CALLS,
        times=st.sampled_from([1, 2, 20]),
    )
    def disturb_aws(self, kind: str, calls: str, times: int) -> None:
        self._did(f"fault {kind} of AWS")
        self.world.traffic.faults.on(aws_fault(kind, calls, times))

    @rule(
        kind=st.sampled_from(["lost answer", "409", "429", "500", "silent", "late answer", "delivered twice"]),
        calls=KUBE_CALLS,
        times=st.sampled_from([1, 2, 20]),
    )
    def disturb_kube(self, kind: str, calls: str, times: int) -> None:
        self._did(f"fault {kind} of Kubernetes")
        self.world.traffic.faults.on(kube_fault(kind, calls, times))

    @rule(
        seconds=st.sampled_from([0, 30, 300]),
        operations=LAGGING,
        flaps=st.booleans(),
    )
    def let_reads_lag(self, seconds: int, operations: str, flaps: bool) -> None:
        self._did("reads lag")
        self.world.kms.lags[operations] = flapping(seconds) if flaps else late(seconds)

    @rule(operation=PERMISSIONS)
    def deny(self, operation: str) -> None:
        self._did("permission denied")
        self.world.kms.denied = {operation}

    @rule()
    def allow(self) -> None:
        self.world.kms.denied = set()

    @rule(known=st.booleans())
    def change_credentials(self, known: bool) -> None:
        self._did("credentials work again" if known else "credentials refused")
        if known:
            self.world.aws.identities.add(CANARY)
        else:
            with suppress(KeyError):
                self.world.aws.identities.revoke(CANARY.access_key_id)

    @rule(seconds=st.sampled_from([0.0, 20.0, 90.0]))
    def let_watches_lag(self, seconds: float) -> None:
        self._did("watches lag")
        for replica in self._alive():
            replica.transport.delay = seconds

    @rule(compact=st.booleans())
    def cut_watches(self, compact: bool) -> None:
        self._did("compacted" if compact else "watches cut")
        if compact:
            self.world.etcd.compact()
        for replica in self._alive():
            self._in_loop(replica.transport.cut_streams)

    # -- processes

    @precondition(lambda self: self.live and len(self._alive()) < (2 if self.settings.get("leader_elect") else 1))
    @rule()
    def start(self) -> None:
        self._did("start")
        self.number += 1
        self._in_loop(lambda: self.world.start(f"r{self.number}", **self.settings))

    @rule(code=st.sampled_from(["kill", "terminate"]))
    def stop(self, code: str) -> None:
        for replica in self._alive()[:1]:
            self._did(code)
            self._in_loop(replica.kill if code == "kill" else replica.terminate)

    @rule(name=st.sampled_from(NAMES), spec=SPECS, more=SYMMETRIC, after=st.integers(0, 12), seconds=SECONDS)
    def apply_and_crash(self, name: str, spec: Json, more: Json, after: int, seconds: float) -> None:
        self.crash_at_a_point(after)
        self.apply(name, spec, more)
        self.advance(seconds)

    @rule(name=st.sampled_from(NAMES), after=st.integers(0, 8), seconds=SECONDS)
    def delete_and_crash(self, name: str, after: int, seconds: float) -> None:
        self.crash_at_a_point(after)
        self.delete(name)
        self.advance(seconds)

    @rule(after=st.integers(0, 12))
    def crash_at_a_point(self, after: int) -> None:
        """At the so-manyth point of the traffic from now on."""
        left = [after]

        def watch(call: Call, point: Point) -> float:
            if any(word in call.name for word in ELSEWHERE):
                return 0.0
            left[0] -= 1
            if left[0] == -1:
                COVERED[f"crash {point} {call.name}"] += 1
                self.world.replicas[call.replica].kill()
            return 0.0

        self._did("crash at a point")
        self.world.traffic.watcher = watch

    @precondition(lambda self: self.live and self.settings["leader_elect"])
    @rule(seconds=st.sampled_from([5.0, 20.0, 60.0]))
    def partition_the_leader(self, seconds: float) -> None:
        leader = next((one for one in self._alive() if one.lease.leading), None)
        if leader is not None:
            self._did("partition")
            cut = self.world.traffic.faults.on(silence("*", target="kube", replica=leader.name))
            self._in_loop(lambda: asyncio.get_running_loop().call_later(seconds, self.world.traffic.faults.off, cut))

    # -- time

    @rule(seconds=SECONDS)
    def advance(self, seconds: float) -> None:
        self.run(self.world.advance(seconds))

    @rule(seconds=SECONDS)
    def advance_more(self, seconds: float) -> None:
        self.run(self.world.advance(seconds))

    @rule(seconds=st.sampled_from([3.0, 12.0, 40.0]))
    def pause(self, seconds: float) -> None:
        """The whole machine stands still."""
        self._did("pause")

        async def stand_still() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            loop.pause(seconds)
            await asyncio.sleep(0)

        self.run(stand_still())

    @invariant()
    def nothing_is_broken(self) -> None:
        if self.live:
            self.promises.check()

    # -- the end

    def teardown(self) -> None:
        try:
            if self.live:
                self.come_to_rest()
        finally:
            if self.live:
                self.run(self.world.__aexit__(None, None, None))
            self.loop.close()
            self._stack.close()

    def come_to_rest(self) -> None:
        """Nothing goes wrong any more. Raises AssertionError."""
        world = self.world
        world.traffic.watcher = undisturbed
        world.traffic.faults.clear()
        world.kms.denied = set()
        world.kms.lags = {}
        world.aws.identities.add(CANARY)
        for replica in self._alive():
            replica.transport.delay = 0.0
            self._in_loop(replica.transport.cut_streams)
        if not self._alive():
            self.start()
        self.run(world.advance(RESYNC_SECONDS))  # what was done outside is seen at the next resync
        self.run(world.until(self._is_at_rest, within=REST_SECONDS, step=5.0))
        self.promises.check()
        assert list(wrong_at_rest(world, list(self.promises.specs))) == [], world.told()
        assert leaked(world) == [], world.told()
        self.run(world.advance(RESYNC_SECONDS))  # what no answer to a write tells is learned at the next resync
        quiet_since = world.time
        self.run(world.advance(RESYNC_SECONDS))
        CHECKED["I17"] += 1
        assert world.traffic.names("aws", quiet_since) == Counter(), world.told()
        assert set(world.traffic.names("kube", quiet_since)) <= {"PUT leases"}, world.told()
        self._tell_no_secret()

    def _is_at_rest(self) -> bool:
        """A replica that lost its lease is started again, as Kubernetes would."""
        CHECKED["I21"] += 1
        if not self._alive():
            self.number += 1
            self.world.start(f"r{self.number}", **self.settings)
        return all(self._is_done(name) for name in self.promises.specs)

    def _is_done(self, name: str) -> bool:
        found = self.world.find(name)
        if found is None:
            return True
        synced = self.world.condition(name, "Synced")
        waits = (synced.get("reason"), synced.get("observedGeneration")) == ("KeyDisabled", found["metadata"]["generation"])
        return "deletionTimestamp" not in found["metadata"] and (waits or self.world.is_ready(name))

    def _tell_no_secret(self) -> None:
        CHECKED["I15"] += 1
        told = str(self.logs) + str([entry.body for entry in self.world.etcd.log if entry.plural != "secrets"])
        assert CANARY.secret_access_key not in told
        assert [line for line in self.logs if line["event"] in BUGS] == []

    # -- means

    def _alive(self) -> list[Replica]:
        return [one for one in self.world.replicas.values() if one.exit_code is None]

    def _did(self, what: str) -> None:
        COVERED[what] += 1

    def _in_loop(self, act: Any) -> None:
        async def acted() -> None:
            act()

        self.run(acted())

    def _counted(self, original: Any) -> Any:
        """One object is never with two workers of a process."""
        passes = self._passes

        async def run(one: KeyPass) -> Any:
            replica = current()
            place = (replica.name if replica else "", one.key.uid)
            CHECKED["I8"] += 1
            if passes[place]:
                raise BrokenError(f"I8: two passes over {one.key.name} at once")
            passes[place] += 1
            try:
                return await original(one)
            finally:
                passes[place] -= 1

        return run


async def _made() -> World:
    return World()
