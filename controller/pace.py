"""At which pace one object may have its passes write to AWS: a storm of changes is carried out in a few steps, not change by change.

1. The first passes that write begin at once, so an ordinary edit, and a few more after it, wait for nothing.
2. Once MOST passes over an object have written within SECONDS, the next begins when the first of them is that long ago, whoever wakes it. It
   carries out all that was changed meanwhile. Failed writes count too: a storm of changes goes around the queue's backoff. A pass that ends
   to wait for a quota does not: its object stands in a line, which has a pace of its own.
3. The object waits in the queue and holds no worker; others are not concerned.
4. A deletion waits for nothing, nor does another object of the same name.
"""

import asyncio
import contextlib
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Sequence

from aws.channels import READ_OPERATIONS
from aws.errands import QuotaWaitError
from aws.tally import Call, tallied
from controller.objects import KubeObject, Ref
from controller.store import Store
from controller.workqueue import WorkQueue

MOST = 3  # what was applied, and corrected twice
SECONDS = 10.0


class Pace:
    """Of the objects of one queue."""

    def __init__(self, queue: WorkQueue[Ref], store: Store) -> None:
        self._queue = queue
        self._store = store
        self._wrote: OrderedDict[Ref, deque[float]] = OrderedDict()  # when the last passes that wrote have ended; the latest object last

    def changed(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """What the informer tells."""
        if old is not None and (new is None or new.deletion_timestamp is not None or new.uid != old.uid):
            self._wrote.pop(old.ref, None)
            self._queue.release(old.ref)

    @contextlib.contextmanager
    def passing(self, ref: Ref) -> Iterator[Counter[Call]]:
        """A pass over the object; the calls that it makes."""
        with tallied() as calls:
            try:
                yield calls
            except QuotaWaitError:
                raise
            except BaseException:
                self._ended(ref, calls)
                raise
            self._ended(ref, calls)

    def _ended(self, ref: Ref, calls: Counter[Call]) -> None:
        obj = self._store.get(ref)
        is_staying = obj is not None and obj.deletion_timestamp is None
        if is_staying and any(call.operation not in READ_OPERATIONS for call in calls):
            self._note(ref, asyncio.get_running_loop().time())

    def _note(self, ref: Ref, now: float) -> None:
        while self._wrote and next(iter(self._wrote.values()))[-1] + SECONDS <= now:
            self._wrote.popitem(last=False)
        ends = self._wrote.setdefault(ref, deque(maxlen=MOST))
        ends.append(now)
        self._wrote.move_to_end(ref)
        if (seconds := pause(ends, now)) > 0:
            self._queue.hold(ref, seconds)


def pause(ends: Sequence[float], now: float) -> float:
    """For how many seconds no pass may begin, if the last ones that wrote ended at these times."""
    return ends[0] + SECONDS - now if len(ends) >= MOST else 0.0
