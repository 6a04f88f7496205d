"""A second API server in front of the same etcd, whose view of it is some seconds old.

Rules:
1. What the real one serves from its watch cache is old: watches, and lists that allow it with resourceVersion=0.
2. A GET, or a list, without a resourceVersion is a quorum read: etcd answers, and the answer is new. So it is for every sound cluster, however
   long one of its API servers was cut off.
3. all_reads: these are old too. No sound cluster does this. It stands for an etcd member that has stopped to apply what the others have
   agreed on and answers all the same (3.5.0 to 3.5.2 could), and for a cache that somebody has put in front of an API server.
4. Writes go to the current etcd at once, with all preconditions: an old view is no way around a resourceVersion or a uid. What answers them is
   new.
5. An object that is newer than the view is not there; a watch from a version that is newer is silent until the view has come so far.

Not modelled: a whole etcd that was restored from a backup. There the truth itself is old, and writes go to it.
"""

from controller.kube import Request, Response
from tests.simulation.api_server import ApiServer, read


class StaleServer:
    """behind: by how many seconds. May be changed, or set to 0, at any time: it has caught up then."""

    def __init__(self, current: ApiServer, behind: float, *, all_reads: bool = False) -> None:
        self.behind = behind
        self.etcd = current.etcd
        self.served = current.served
        self._current = current
        self._all_reads = all_reads

    def handle(self, request: Request) -> Response:
        """One request, but for watches."""
        if request.method == "GET" and (self._all_reads or request.query.get("resourceVersion") == "0"):
            return read(self.etcd.as_it_was(self.etcd.now - self.behind), request)
        return self._current.handle(request)
