"""What goes wrong between the processes of a random life and the world: answers, permissions, late reads and late watches."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.simulation.api_stale import StaleServer
from tests.simulation.faults import delivered_twice
from tests.simulation.kms_model import in_turn, late
from tests.simulation.machine_base import Life
from tests.simulation.machine_faults import AWS_CALLS, KUBE_CALLS, LAGGING, PERMISSIONS, REPEATABLE, aws_fault, kube_fault

AWS_FAULTS = ["lost answer", "lost request", "late answer", "internal error", "internal error after", "throttled", "silent", "garbage"]
KUBE_FAULTS = ["lost answer", "401", "403", "409", "429", "500", "silent", "late answer", "delivered twice"]
TIMES = st.sampled_from([1, 2, 20])
# The grace of these lives is 60 s: a new key that the index does not show has to be listed before. None of both can be made up for.
LISTED_SECONDS = 30


class Wires(Life):
    """Of all processes."""

    @rule(kind=st.sampled_from(AWS_FAULTS), calls=AWS_CALLS, times=TIMES)
    def disturb_aws(self, kind: str, calls: str, times: int) -> None:
        self.did(f"fault {kind} of AWS")
        self.world.traffic.faults.on(aws_fault(kind, calls, times))

    @rule(calls=REPEATABLE, times=TIMES)
    def deliver_twice_to_aws(self, calls: str, times: int) -> None:
        self.did("fault delivered twice to AWS")
        self.world.traffic.faults.on(delivered_twice(calls, times, target="aws"))

    @rule(kind=st.sampled_from(KUBE_FAULTS), calls=KUBE_CALLS, times=TIMES)
    def disturb_kube(self, kind: str, calls: str, times: int) -> None:
        self.did(f"fault {kind} of Kubernetes")
        self.world.traffic.faults.on(kube_fault(kind, calls, times))

    @rule(seconds=st.sampled_from([0, 30, 300]), operations=LAGGING, flaps=st.booleans())
    def let_reads_lag(self, seconds: int, operations: str, flaps: bool) -> None:
        self.did("reads lag")
        if operations == "ListKeys" and self.index_is_late:
            seconds = min(seconds, LISTED_SECONDS)
        self.world.kms.lags[operations] = in_turn(seconds, 0, seconds / 2) if flaps else late(seconds)

    @rule(operation=st.none() | PERMISSIONS)
    def deny(self, operation: str | None) -> None:
        self.did("permission denied" if operation else "permissions given")
        self.world.kms.denied = {operation} if operation else set()

    @rule(seconds=st.sampled_from([0.0, 20.0, 90.0]))
    def let_watches_lag(self, seconds: float) -> None:
        self.did("watches lag")
        for replica in self.alive():
            replica.transport.delay = seconds

    @rule(newest=st.booleans(), seconds=st.sampled_from([60.0, 300.0]), all_reads=st.booleans())
    def change_the_server(self, newest: bool, seconds: float, all_reads: bool) -> None:
        """Of one process, to one that is behind, or back. Its lease has a connection of its own. What is under way is cut."""
        for replica in self.alive()[-1:] if newest else self.alive()[:1]:
            current = self.world.server
            is_back = replica.transport.server is not current
            self.did("server up to date again" if is_back else f"server behind in {'all reads' if all_reads else 'cached reads'}")
            replica.transport.server = current if is_back else StaleServer(current, seconds, all_reads=all_reads)
            self.in_loop(replica.transport.cut_streams)

    @rule(compact=st.booleans())
    def cut_watches(self, compact: bool) -> None:
        self.did("compacted" if compact else "watches cut")
        if compact:
            self.world.etcd.compact()
        for replica in self.alive():
            self.in_loop(replica.transport.cut_streams)
