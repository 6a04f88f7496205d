"""What happens to the processes of a random life, and how time goes by: started, stopped, killed at a point, frozen, cut off.

One process works alone, without a lease, or two share one. A frozen process, or one that is cut off from the API server, is alive while the
world goes on: the other one takes over, and for a while both may think that they lead. Their wall clocks are right, or off by as much as AWS
lets pass, and jump in between.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.simulation.calls import Call
from tests.simulation.etcd import Json
from tests.simulation.faults import silence
from tests.simulation.lines import Point
from tests.simulation.machine_base import COVERED
from tests.simulation.machine_specs import PLAIN, SPECIAL, TAGS, WHO
from tests.simulation.machine_users import Users
from tests.simulation.replicas import Replica
from tests.virtual_time import VirtualTimeLoop

SECONDS = st.sampled_from([0.004, 0.012, 0.02, 0.05, 0.3, 1.0, 7.0, 35.0, 100.0])
ABSENCES = st.sampled_from([1.0, 4.0, 12.0, 25.0, 60.0])
AHEAD = st.sampled_from([0.0, -290.0, 290.0])
FIRST = st.booleans()  # whether it is the leader that is meant, or another one
# Traffic that is not about a key.
ELSEWHERE = ("LIST", "WATCH", "leases", "events", "secrets", "namespaces", "awsproviders", "GetCallerIdentity")


class Processes(Users):
    """One or two."""

    @precondition(lambda self: self.live and len(self.alive()) < (2 if self.settings["leader_elect"] else 1))
    @rule(ahead=AHEAD)
    def start(self, ahead: float) -> None:
        self.did("start")
        self.begin_process(ahead)

    @rule(leads=FIRST, ahead=AHEAD)
    def jump(self, leads: bool, ahead: float) -> None:
        """Of a wall clock, that is so many seconds ahead from then on."""
        for replica in self._chosen(leads):
            self.did("clock jumps")
            replica.clock.jump(ahead - replica.clock.ahead)

    @rule(code=st.sampled_from(["kill", "terminate"]))
    def stop(self, code: str) -> None:
        for replica in self.alive()[:1]:
            self.did(code)
            self.in_loop(replica.kill if code == "kill" else replica.terminate)

    @rule(who=WHO, plain=PLAIN, special=SPECIAL, after=st.integers(0, 12), seconds=SECONDS)
    def apply_and_crash(self, who: int, plain: Json, special: Json, after: int, seconds: float) -> None:
        self.crash_at_a_point(after)
        self.apply(who, plain, special)
        self.advance(seconds)

    @rule(who=WHO, after=st.integers(0, 8), seconds=SECONDS)
    def delete_and_crash(self, who: int, after: int, seconds: float) -> None:
        self.crash_at_a_point(after)
        self.delete(who)
        self.advance(seconds)

    @precondition(lambda self: self.live and self.world.find("global") is not None)
    @rule(tags=TAGS, seconds=SECONDS)
    def let_regions_go_and_come_back(self, tags: Json, seconds: float) -> None:
        """All of them, while the tags change."""
        before = self.promises.specs["global"].get("replicas", [])
        self.change_regions([], tags)
        self.advance(seconds)
        self.change_regions(before, tags)

    @rule(after=st.integers(0, 12))
    def crash_at_a_point(self, after: int) -> None:
        """At the so-manyth point of the traffic from now on."""
        self.did("crash at a point")
        self._at_a_point(after, "crash", lambda replica: replica.kill())

    @rule(after=st.integers(0, 12), seconds=ABSENCES)
    def freeze_at_a_point(self, after: int, seconds: float) -> None:
        self.did("freeze at a point")
        self._at_a_point(after, "freeze", lambda replica: _freeze(replica, seconds))

    @rule(leads=FIRST, seconds=ABSENCES)
    def freeze(self, leads: bool, seconds: float) -> None:
        for replica in self._chosen(leads):
            self.did("freeze")
            self.in_loop(partial(_freeze, replica, seconds))

    @rule(leads=FIRST, seconds=ABSENCES)
    def cut_off(self, leads: bool, seconds: float) -> None:
        """From the API server; AWS is still there."""
        for replica in self._chosen(leads):
            self.did("cut off from Kubernetes")
            self.in_loop(partial(self._cut_off, replica, seconds))

    @rule(seconds=SECONDS)
    def advance(self, seconds: float) -> None:
        self.did("time goes by")
        self.run(self.world.advance(seconds))

    @rule(seconds=SECONDS)
    def advance_more(self, seconds: float) -> None:
        self.advance(seconds)

    @rule(seconds=st.sampled_from([3.0, 12.0, 40.0]))
    def pause(self, seconds: float) -> None:
        """The whole machine stands still."""
        self.did("pause")

        async def stand_still() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            loop.pause(seconds)
            await asyncio.sleep(0)

        self.run(stand_still())

    def _cut_off(self, replica: Replica, seconds: float) -> None:
        cut = self.world.traffic.faults.on(silence("*", target="kube", replica=replica.name))
        asyncio.get_running_loop().call_later(seconds, self.world.traffic.faults.off, cut)

    def _chosen(self, leads: bool) -> list[Replica]:
        return [one for one in self.alive() if one.lease.leading is leads][:1]

    def _at_a_point(self, after: int, told: str, strike: Callable[[Replica], None]) -> None:
        left = [after]

        def watch(call: Call, point: Point) -> float:
            if any(word in call.name for word in ELSEWHERE):
                return 0.0
            left[0] -= 1
            if left[0] == -1:
                COVERED[f"{told} {point} {call.name}"] += 1
                strike(self.world.replicas[call.replica])
            return 0.0

        self.world.traffic.watcher = watch


def _freeze(replica: Replica, seconds: float) -> None:
    """From inside the loop. It goes on by itself."""
    replica.freeze()
    asyncio.get_running_loop().call_later(seconds, _thaw, replica)


def _thaw(replica: Replica) -> None:
    if replica.exit_code is None:
        replica.thaw()
