"""Since when this process has known of the calls without a result that objects remember, by its monotonic clock (reconcilers/attempts.py).

Rules:
1. The watch tells of them, to a standby too, so that it need not begin anew when it leads. A call leaves right after its attempt was stored.
2. What an object does not remember any more is forgotten, and so is all of an object that is not watched any more.
"""

import asyncio
from datetime import timedelta

from controller.decoding import read_status
from controller.objects import KubeObject
from reconcilers.attempts import Ages, Attempt, attempts_in
from reconcilers.key_status import KMSKeyStatus


class KnownAttempts:
    """One for the process."""

    def __init__(self) -> None:
        self._since: dict[str, dict[Attempt, float]] = {}

    def changed(self, obj: KubeObject) -> None:
        """What the watch tells. Few objects have any, and only their statuses are read."""
        known = self._since.pop(obj.uid, {})
        if b'Attempt"' not in obj.status:
            return
        now = asyncio.get_running_loop().time()
        since = {attempt: known.get(attempt, now) for attempt in attempts_in(read_status(obj, KMSKeyStatus))}
        if since:
            self._since[obj.uid] = since

    def ages(self, uid: str) -> Ages:
        """For how long each attempt of this object has been known."""
        known = self._since.get(uid)
        if known is None:
            return {}
        now = asyncio.get_running_loop().time()
        return {attempt: timedelta(seconds=now - since) for attempt, since in known.items()}

    def forget(self, uid: str) -> None:
        """The object is away."""
        self._since.pop(uid, None)
