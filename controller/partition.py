"""Which objects of a kind are this process's, where several processes divide them by labels.

Rules:
1. A process lists and watches only what its selector matches. An object that stops matching leaves the watch as if it had been deleted: the
   API server tells both by the same event. So "not in the store" never means "gone" here; whoever must know asks the server (Others).
2. An object may leave while a pass is under way. The pass asks before each write (OwnWrites.guard): a write to AWS is not begun for an object
   that is known to have left, and every patch tests, on the server itself, the labels for which the selector names one value. So the owner's
   patches cannot land on an object that has been handed over, however late its watch is.
3. What AWS has answered already is stored even so: an id that nobody wrote down is worth more than the order of patches.
4. A drained object (the ring's drain label) gets no new pass; the one under way ends first.

Not promised: that nobody writes to AWS in the moment between the handing over of an object by hand and the watch's news of it. Such a write is
one that is repeated without harm, because those that are not are preceded by a patch of this very version of the object. A ring has no such
moment: its sharder waits for us to give an object back, or for our lease to have ended.
"""

from dataclasses import dataclass

from controller.kube import Forbidden, Kube, NotFound
from controller.listing import list_objects
from controller.objects import KubeObject, Ref, Resource, decode_object
from controller.patches import Operation, label_test
from controller.selectors import Selector


class HandedOverError(Exception):
    """The object is another process's by now."""


@dataclass(frozen=True, slots=True)
class Partition:
    """selector: None for a process that works on all objects. drain: the label by which an object is asked back, if there is one."""

    selector: Selector | None = None
    drain: str | None = None

    @property
    def whole(self) -> bool:
        """Whether all objects are ours."""
        return self.selector is None

    def holds(self, obj: KubeObject) -> bool:
        """Whether the object is ours, by its labels."""
        return self.selector is None or self.selector.matches(obj.labels)

    def is_drained(self, obj: KubeObject) -> bool:
        """Whether it is ours, and asked back."""
        return self.drain is not None and self.drain in obj.labels and self.holds(obj)

    @property
    def marks(self) -> tuple[str, ...]:
        """The labels that go when an object is given back."""
        return (*(self.selector.values() if self.selector else ()), *((self.drain,) if self.drain else ()))

    def tests(self) -> list[Operation]:
        """What holds of every object that is ours, for a patch to test first."""
        return [label_test(name, value) for name, value in self.selector.values().items()] if self.selector else []


WHOLE = Partition()


class Others:
    """The objects that other processes work on, read from the server as they are now. There are none where all are ours.

    namespaces: those that are watched; none for all. Each question is a request, or a list of all objects of a kind: asked where an answer
    from our own objects alone could do harm, and nowhere else.
    """

    def __init__(self, kube: Kube, namespaces: tuple[str, ...] = (), partition: Partition = WHOLE) -> None:
        self._kube = kube
        self._namespaces = namespaces
        self.partition = partition

    @property
    def there(self) -> bool:
        """Whether there may be any."""
        return not self.partition.whole

    async def get(self, resource: Resource, ref: Ref) -> KubeObject | None:
        """One of them, whoever works on it; where we may not look there is none for us. Raises KubeError."""
        if not self.there or (self._namespaces and ref.namespace not in self._namespaces):
            return None
        try:
            return decode_object(await self._kube.get(resource.path(*ref)))
        except (NotFound, Forbidden):
            return None

    async def all(self, resource: Resource) -> list[KubeObject]:
        """All of a kind, our own included, of the namespaces that are watched. Raises KubeError and UndecodableError."""
        if not self.there:
            return []
        places = self._namespaces or (None,)
        return [obj for place in places for obj in await list_objects(self._kube, resource.path(place))]
