"""Where in the server's history an informer stands, whether that can be trusted, and how long to wait before going on.

No I/O and no clock: it is told what happened, and for how long.

Rules:
1. A version is kept through refused connections, 429, 5xx and timeouts: the server comes back, and the version is as good as before.
2. A version that the server calls too old or too new is dropped. If it had worked before, that is what a restarted server or a
   compaction looks like, and the next list starts at once; if it comes fresh from a list, there is a pause.
3. Garbage, or a stream that lost its order, drops the version: it may hide an event, and the next watch would meet it again.
4. So do two watches in a row without a byte. After etcd was restored from a backup, the server knows our version only as the
   future, and answers with 200 and silence.
5. Pauses grow until a watch has worked. Retry-After is honoured, up to a limit.
"""

import random
from dataclasses import dataclass

from controller.kube import Gone, KubeError, TooLargeResourceVersion
from controller.streams import GarbageError

# client-go's first delay and ceiling.
FIRST_DELAY_SECONDS = 0.8
LAST_DELAY_SECONDS = 30.0
# The part of a delay that is random. With all of it random, three watches would make 118 attempts in ten minutes without a
# server; so they make 86. One process is no herd.
JITTER = 0.25
# A server that asks for more is asked again all the same: nobody else would notice that it has recovered.
RETRY_AFTER_LIMIT_SECONDS = 60.0
# Two watches never begin closer to each other.
SPACING_SECONDS = 0.5
# A watch that ends sooner with nothing in it was not served: a proxy that answers 200 and nothing would be asked in a hot loop.
SHORT_WATCH_SECONDS = 1.0
# A watch that lived for so long has worked, even if nothing happened meanwhile.
LONG_WATCH_SECONDS = 30.0
# Above the minute between two bookmarks of an idle watch, with time for a slow network.
IDLE_SECONDS = 80.0
# A watch without a byte for so long is silent: longer than between two bookmarks, and surely shorter than IDLE_SECONDS, at which
# it is ended, by a timer that may fire a little early.
SILENCE_SECONDS = 70.0
SILENT_WATCHES = 2


class OutOfOrderError(Exception):
    """The stream went back to something that the store does not know."""


class EmptyWatchError(Exception):
    """A watch ended at once, and nothing was in it."""


@dataclass(slots=True)
class Watched:
    """What a watch has come to: its life in seconds, the chunks it read, and the events it understood."""

    lived: float = 0.0
    chunks: int = 0
    events: int = 0

    @property
    def worked(self) -> bool:
        """Whether the server was able to serve it."""
        return self.events > 0 or self.lived >= LONG_WATCH_SECONDS

    @property
    def is_empty(self) -> bool:
        """Whether it came to nothing at all."""
        return self.events == 0 and self.lived < SHORT_WATCH_SECONDS


class Position:
    """`version` is where to watch from; None means that a list is needed, because of `doubt`."""

    def __init__(self) -> None:
        self.version: str | None = None
        self.doubt = "start"
        self._has_worked = False
        self._silent_watches = 0
        self._backoff = Backoff()

    def listed(self, version: str) -> None:
        """A list was read to its end; watch from its version."""
        self.version = version
        self._has_worked = False
        self._silent_watches = 0

    def is_behind(self, version: str) -> bool:
        """Whether this version is news. Where versions are no numbers, all but the last one are."""
        return self.version is None or is_newer(version, self.version)

    def advance(self, version: str) -> None:
        """An event or a bookmark was understood. It never leads back."""
        if self.is_behind(version):
            self.version = version

    def after_watch(self, watched: Watched, error: Exception | None) -> float:
        """The pause in seconds before the next attempt. `error` is None for a watch that ended in good order."""
        self._has_worked = self._has_worked or watched.worked
        if watched.worked and not isinstance(error, GarbageError | OutOfOrderError):
            self._backoff.reset()
        self._note_silence(watched)
        return max(0.0, SPACING_SECONDS - watched.lived) if error is None else self.after_failure(error)

    def after_failure(self, error: Exception) -> float:
        """The pause in seconds after a list, or a watch, that failed."""
        doubt = _DOUBTS.get(type(error))
        if doubt and self.version is not None:
            self._drop(doubt)
        if isinstance(error, Gone | TooLargeResourceVersion) and self._has_worked:
            self._has_worked = False
            return 0.0
        asked = error.retry_after if isinstance(error, KubeError) and error.retry_after else 0.0
        return max(self._backoff.next(), min(asked, RETRY_AFTER_LIMIT_SECONDS))

    def _note_silence(self, watched: Watched) -> None:
        silent = watched.chunks == 0 and watched.lived >= SILENCE_SECONDS
        self._silent_watches = self._silent_watches + 1 if silent else 0
        if self._silent_watches >= SILENT_WATCHES:
            self._drop("silent")

    def _drop(self, doubt: str) -> None:
        self.version = None
        self.doubt = doubt


# Why the next list was necessary, as the metric's label says it.
_DOUBTS: dict[type[Exception], str] = {
    Gone: "expired",
    TooLargeResourceVersion: "too_large_version",
    GarbageError: "garbage",
    OutOfOrderError: "out_of_order",
}


class Backoff:
    """Delays in seconds that double from FIRST_DELAY_SECONDS to LAST_DELAY_SECONDS, each shortened by up to JITTER of it."""

    def __init__(self) -> None:
        self._ceiling = FIRST_DELAY_SECONDS

    def next(self) -> float:
        """The delay after one more failure."""
        delay = self._ceiling * random.uniform(1 - JITTER, 1)  # noqa: S311 - spreads load, guards nothing
        self._ceiling = min(self._ceiling * 2, LAST_DELAY_SECONDS)
        return delay

    def reset(self) -> None:
        """Something worked."""
        self._ceiling = FIRST_DELAY_SECONDS


def is_newer(version: str, other: str) -> bool:
    """Compares two resource versions. They are decimal numbers on every API server known; others only differ or not."""
    if version.isdecimal() and other.isdecimal():
        return int(version) > int(other)
    return version != other
