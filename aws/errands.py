"""Who calls AWS: a pass over an object, which need not stand where it waits.

Rules:
1. A pass that would wait for long, or while others need its worker, ends (QuotaWaitError), and its object stands in the line by name. When
   it is nearly its turn the object is woken, and the pass that begins then looks at the world anew, and goes on from its place.
2. A pass that does not ask any more leaves its places, be it because it ended well, or failed, or found that there is nothing to do.
3. What is taken ahead of a call, because nothing may wait from then on, is kept for it until it is sent, or the pass ends.
4. Who calls without being on an errand, or after its end, waits where it stands: a task that works for several passes, a provider's pass.

So a worker is held for half a second and no longer, ten thousand objects that wait are ten thousand small records, and one that was woken
and does not come holds no token that another could use.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from aws.buckets import Bucket, Permit
    from aws.lines import Turn

Name = TypeVar("Name", bound=Hashable)


class QuotaWaitError(Exception):
    """The quota lets this operation be called in so many seconds, at a guess; the object has been waiting for `waited` seconds already."""

    def __init__(self, operation: str, seconds: float, waited: float) -> None:
        super().__init__(f"{operation} waits for its quota, for some {seconds:.0f} s")
        self.operation = operation
        self.seconds = seconds
        self.waited = waited


class Errand:
    """One pass. wake: has the object looked at again. is_in_the_way: whether others wait for its worker.

    places: where it stands since an earlier pass.
    """

    def __init__(self, wake: Callable[[], None], is_in_the_way: Callable[[], bool], places: "dict[Bucket, Turn]") -> None:
        self.wake = wake
        self.is_in_the_way = is_in_the_way
        self._before = places
        self._places: dict[Bucket, Turn] = {}
        self._ahead: defaultdict[tuple[str, str, str], list[Permit]] = defaultdict(list)

    def back(self, bucket: "Bucket") -> "Turn | None":
        """The place in the bucket's line, which is the caller's to give up or to keep."""
        return self._before.pop(bucket, None) or self._places.pop(bucket, None)

    def stand(self, bucket: "Bucket", turn: "Turn") -> None:
        """Keep this place when the pass has ended."""
        self._places[bucket] = turn

    def keep(self, account_id: str, region: str, operation: str, permit: "Permit") -> None:
        """For the call of this operation there."""
        self._ahead[account_id, region, operation].append(permit)

    def kept(self, account_id: str, region: str, operation: str) -> "list[Permit]":
        """Those for the call that is made now."""
        return self._ahead.pop((account_id, region, operation), [])

    def close(self) -> "dict[Bucket, Turn]":
        """Gives back what was not used and leaves the lines in which it did not ask again; returns the places that it keeps."""
        for permits in self._ahead.values():
            for permit in permits:
                permit.close()
        self._ahead.clear()
        _leave(self._before)
        return self._places


_current: ContextVar[Errand | None] = ContextVar("errand", default=None)


class Errands(Generic[Name]):
    """Those of the objects of one queue. wake: adds one of them to it. is_busy: whether objects in it wait for a worker."""

    def __init__(self, wake: Callable[[Name], None], is_busy: Callable[[], bool]) -> None:
        self._wake = wake
        self._is_busy = is_busy
        self._places: dict[Name, dict[Bucket, Turn]] = {}

    @contextlib.contextmanager
    def begin(self, name: Name) -> Iterator[None]:
        """All calls within, in tasks begun there too, are on the errand of this object."""
        errand = Errand(partial(self._wake, name), self._is_busy, self._places.pop(name, {}))
        token = _current.set(errand)
        try:
            yield
        finally:
            _current.reset(token)
            places = errand.close()
            if places:
                self._places[name] = places

    def forget(self, name: Name) -> None:
        """The object is gone."""
        _leave(self._places.pop(name, {}))


@contextlib.contextmanager
def nobodys() -> Iterator[None]:
    """What is called within is done for several passes, and outlives the one that began it."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def current_errand() -> Errand | None:
    """The one that this task is on."""
    return _current.get()


def _leave(places: "dict[Bucket, Turn]") -> None:
    for bucket, turn in places.items():
        bucket.leave(turn)
