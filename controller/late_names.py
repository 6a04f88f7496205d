"""Aliases and tags that this process has put on keys minutes ago: KMS may not show them yet, and whoever forgets them then leaves them behind.

By the object's UID; nothing that is older than KMS may be late. Not promised: this across a restart.
"""

import asyncio
from collections.abc import Iterable

from reconcilers.actions import CreateAlias, DeleteAlias, KeyAction, TagResource, UntagResource
from reconcilers.lag import LAG
from reconcilers.states import LateNames


class KnownNames:
    """One for the process."""

    def __init__(self) -> None:
        self._put: dict[str, dict[tuple[str, str], tuple[float, bool]]] = {}  # since when, and whether KMS has answered that it is there

    def sending(self, uid: str, action: KeyAction) -> None:
        """Before a call, which may be done though its answer gets lost. What is taken off is waited for no more."""
        there = self._put.get(uid, {})
        for place in ((action.key, name) for name in _taken_off(action)):
            if place in there:
                there[place] = (there[place][0], False)
        self._note(uid, action, answered=False)

    def sent(self, uid: str, action: KeyAction) -> None:
        """KMS has answered."""
        self.unanswered(uid, action)
        self._note(uid, action, answered=True)

    def unanswered(self, uid: str, action: KeyAction) -> None:
        """What was to be taken off may be off, and reads tell. What KMS has refused to take off, it may go on to show later."""
        for name in _taken_off(action):
            self._put.get(uid, {}).pop((action.key, name), None)

    def of(self, uid: str) -> LateNames:
        """With the ARN of the key or replica that each was put on."""
        if uid not in self._put:
            return {}
        recent = self._recent(uid, asyncio.get_running_loop().time())
        if recent:
            self._put[uid] = recent
        else:
            del self._put[uid]
        return {name: answered for name, (_, answered) in recent.items()}

    def forget(self, uid: str) -> None:
        """The object was let go of, or is away."""
        self._put.pop(uid, None)

    def _note(self, uid: str, action: KeyAction, *, answered: bool) -> None:
        if names := _put_on(action):
            now = asyncio.get_running_loop().time()
            there = self._recent(uid, now)
            known = {place for place, (_, is_there) in there.items() if is_there and not answered}  # that it is there stays answered
            self._put[uid] = there | {place: (now, answered) for name in names if (place := (action.key, name)) not in known}

    def _recent(self, uid: str, now: float) -> dict[tuple[str, str], tuple[float, bool]]:
        return {name: put for name, put in self._put.get(uid, {}).items() if now - put[0] < LAG.total_seconds()}


def _put_on(action: KeyAction) -> Iterable[str]:
    match action:
        case CreateAlias(alias=alias):
            return (alias,)
        case TagResource(tags=tags):
            return tags
        case _:
            return ()


def _taken_off(action: KeyAction) -> Iterable[str]:
    match action:
        case DeleteAlias(alias=alias):
            return (alias,)
        case UntagResource(tag_keys=keys):
            return keys
        case _:
            return ()
