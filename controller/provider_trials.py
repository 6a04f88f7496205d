"""The credentials of providers, tried: whose they are, by STS's word.

Rules:
1. What STS said counts for LOOK_AGAIN, until the provider's spec changes or its credentials fail a key.
2. Blanks around the values in a Secret are told in an event, once and not at each look.
"""

import asyncio
from dataclasses import dataclass

from aws.errors import AWSError
from controller.events import EventRecorder
from controller.objects import KubeObject, Ref
from controller.provider_access import ProviderAccess, authentication_failed
from controller.provider_objects import regarding
from reconcilers.awsprovider import LOOK_AGAIN, Identity
from reconcilers.reasons import Reason
from reconcilers.states import Unobservable


@dataclass(frozen=True, slots=True)
class _Good:
    """Credentials that were good: for which generation of the provider, since when (loop time), and whose they are."""

    generation: int
    when: float
    identity: Identity


class ProviderTrials:
    """One for the process."""

    def __init__(self, access: ProviderAccess, events: EventRecorder) -> None:
        self._access = access
        self._events = events
        self._good: dict[Ref, _Good] = {}  # of the providers that work
        self._warned: dict[Ref, tuple[str, ...]] = {}  # of which blanks

    async def identity(self, obj: KubeObject) -> Identity | Unobservable:
        """What STS says of it, or has said a moment ago. Raises AWSError."""
        now, good = asyncio.get_running_loop().time(), self._good.pop(obj.ref, None)
        if good is None or good.generation != obj.generation or now - good.when >= LOOK_AGAIN.total_seconds():
            found = await self.anew(obj)
            if not isinstance(found, Identity):
                return found
            good = _Good(obj.generation, now, found)
        self._good[obj.ref] = good
        return good.identity

    async def anew(self, obj: KubeObject) -> Identity | Unobservable:
        """What STS says of it now, by what stands in its Secret now. Raises AWSError."""
        self._access.doubt(obj.ref)
        connection = await self._access.connect(obj)
        self._warn(obj, self._access.trimmed(obj.ref))
        if isinstance(connection, Unobservable):
            return connection
        try:
            await connection.call("sts", "GetCallerIdentity", {})
        except AWSError as error:
            return authentication_failed(error)
        return Identity(connection.account_id, connection.caller_arn)

    def doubt(self, provider: Ref) -> None:
        """What was said of it counts no more."""
        self._good.pop(provider, None)

    def gone(self, provider: Ref) -> None:
        """The provider is away."""
        self.doubt(provider)
        self._warned.pop(provider, None)

    def _warn(self, obj: KubeObject, trimmed: tuple[str, ...]) -> None:
        if trimmed and trimmed != self._warned.get(obj.ref):
            note = f"There are blanks or newlines around {' and '.join(trimmed)}. They were left out: write the values without them."
            self._events.record(regarding(obj), "Warning", Reason.CREDENTIALS_TRIMMED, "Authenticate", note)
        self._warned[obj.ref] = trimmed
