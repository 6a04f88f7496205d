"""From a provider to a connection: one for each provider and region, kept while its request is the same.

Rules:
1. A changed request (another Secret, role or endpoint) makes a new connection and retires the old one at once. Old and new credentials are
   never mixed, and calls under way finish.
2. Who asks at the same time gets the same connection; who gives up waiting does not stop the others. A failure is not kept.
3. At most MOST_CONNECTIONS are kept; the one not asked for the longest goes first.
4. Each call waits for its quota, then sends one attempt. Nothing is repeated, with one exception: when AWS refuses the credentials of a role,
   nothing was done, and the call is made once more with new ones.
5. While calls get no answer nothing is sent that may be sent only once: its result would be unknown, and would be looked for for minutes. The
   last call tells; after one without an answer something is read first.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from aws.addresses import check_endpoint
from aws.buckets import Permit, go_out
from aws.channels import Terms
from aws.credentials import AccessRequest
from aws.errands import current_errand
from aws.errors import AWSError, BlockedError
from aws.partitions import check
from aws.quotas import Quotas, waits_as
from aws.sessions import Session
from aws.sts import CallerIdentity, caller_identity
from aws.tally import Call, tally
from reconcilers.codes import AUTHENTICATION_CODES, SENT_ONCE, THROTTLING_CODES

log = structlog.get_logger()

Elsewhere = Callable[[str], Awaitable["Connection"]]

MOST_CONNECTIONS = 64  # 0.2 MB each, and more providers than that are rarely busy at once


class Connection:
    """A provider's account and region, ready to be called. It stays usable after it was replaced."""

    def __init__(self, session: Session, identity: CallerIdentity, region: str, quotas: Quotas, terms: Terms, elsewhere: Elsewhere) -> None:
        self.account_id = identity.account_id
        self.caller_arn = identity.arn
        self.region = region
        self._session = session
        self._quotas = quotas
        self._terms = terms
        self._elsewhere = elsewhere
        self._is_unanswered = False  # the last call

    async def at(self, region: str) -> "Connection":
        """The same provider in another region. Raises AWSError, InvalidAccessError."""
        return self if region == self.region else await self._elsewhere(region)

    async def take_quota(self, operation: str) -> None:
        """Wait until the quota lets this operation be called. For what is sent once the caller does it, before the attempt is written down:
        from then on nothing may wait. Raises AWSError where AWS does not answer (rule 5)."""
        if self._is_unanswered:
            await self._probe()
        self._keep(operation, await self._permit(operation, self.region))

    async def take_replication_quota(self, region: str) -> None:
        """The same for a ReplicateKey. In the other region it counts as two creations ("Request quotas" in the KMS developer guide)."""
        await self.take_quota("ReplicateKey")
        self._keep("ReplicateKey", await self._permit("CreateKey", region, weight=2))

    async def _probe(self) -> None:
        """Any answer will do: an identity that may not list keys may still make one."""
        with contextlib.suppress(BlockedError):
            await self.call("kms", "ListKeys", {"Limit": 1})

    def _keep(self, operation: str, permit: Permit) -> None:
        errand = current_errand()
        if errand is None:
            permit.sent()  # nobody could tell when it is
        else:
            errand.keep(self.account_id, self.region, operation, permit)

    async def call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """AWS's answer to one operation under its own name: ("kms", "CreateKey", {...}); services: those of wires.SERVICES.

        Raises AWSError; FencedError for a write that may not start. Waits for the quota as long as the caller's deadline lets it.
        """
        tally(Call(self.account_id, self.region, operation))
        permits = await self._permits(operation)
        try:
            answer = await self._with_fresh_credentials(service, operation, parameters, partial(go_out, permits))
        except AWSError as error:
            self._is_unanswered = error.failure.request_id is None  # AWS gives every answer one
            if error.failure.code in THROTTLING_CODES:
                self._quotas.throttled(self.account_id, self.region, operation)
            raise
        finally:
            for permit in permits:
                permit.close()
        self._is_unanswered = False
        return answer

    async def _permits(self, operation: str) -> list[Permit]:
        if operation not in SENT_ONCE:
            return [await self._permit(operation, self.region)]
        errand = current_errand()
        return errand.kept(self.account_id, self.region, operation) if errand else []

    async def _permit(self, operation: str, region: str, weight: int = 1) -> Permit:
        permit = await self._quotas.take(self.account_id, region, operation, weight)
        self._terms.waited(operation, waits_as(), permit.waited)
        return permit

    async def _with_fresh_credentials(
        self, service: str, operation: str, parameters: Mapping[str, Any], sending: Callable[[], Awaitable[None]]
    ) -> dict[str, Any]:
        channel = await self._session.channel()
        try:
            return await channel.call(service, operation, parameters, sending)
        except AWSError as error:
            if error.failure.code not in AUTHENTICATION_CODES or not self._session.refused(channel):
                raise
        return await (await self._session.channel()).call(service, operation, parameters, sending)


class Clients:
    """All connections of the process. quota_fraction: the share of KMS's request quotas that we take."""

    def __init__(self, terms: Terms, quota_fraction: float) -> None:
        self._terms = terms
        self._quotas = Quotas(quota_fraction)
        self._slots: OrderedDict[tuple[str, str], _Slot] = OrderedDict()  # by provider and region
        self._background: set[asyncio.Task[None]] = set()

    async def connect(self, request: AccessRequest) -> Connection:
        """The provider's connection, its account checked with STS when it is new. Raises AWSError, InvalidAccessError."""
        check(request)
        check_endpoint(request.endpoint)
        slot = self._slots.get(_place(request))
        if slot is None or slot.request != request:
            slot = self._replace(request)
        self._slots.move_to_end(_place(request))
        return await asyncio.shield(slot.connecting)

    def divide(self, number: int) -> None:
        """So many processes share AWS's quotas, this one included."""
        self._quotas.divide(number)

    def rate(self, call: Call) -> float | None:
        """How many such calls a second are ours while AWS refuses none; None: as many as we like."""
        return self._quotas.rate(*call)

    def forget(self, provider: str) -> None:
        """The provider's credentials were refused, or it is gone: the next connection asks STS anew."""
        for place in [place for place in self._slots if place[0] == provider]:
            self._retire(self._slots.pop(place))

    async def close(self) -> None:
        """Retires all connections; those with calls under way close after them."""
        while self._slots:
            self._retire(self._slots.popitem()[1])
        await asyncio.gather(*self._background)

    def _replace(self, request: AccessRequest) -> "_Slot":
        old = self._slots.pop(_place(request), None)
        if old is not None:
            self._retire(old)
        if len(self._slots) >= MOST_CONNECTIONS:
            self._retire(self._slots.popitem(last=False)[1])
        slot = self._slots[_place(request)] = _Slot(request, Session(self._terms, request))
        slot.connecting = asyncio.create_task(self._connect(slot), name=f"connect {request.provider}")
        slot.connecting.add_done_callback(lambda _: self._forget_failed(slot))
        return slot

    async def _connect(self, slot: "_Slot") -> Connection:
        identity = await caller_identity(await slot.session.channel())
        region = slot.request.region
        if self._slots.get(_place(slot.request)) is slot:
            self._quotas.limit(_holder(slot.request), identity.account_id, region, slot.request.limits)

        def elsewhere(other: str) -> Awaitable[Connection]:
            return self.connect(replace(slot.request, region=other))

        log.info("aws_connected", provider=slot.request.provider, account=identity.account_id, region=region, caller=identity.arn)
        return Connection(slot.session, identity, region, self._quotas, self._terms, elsewhere)

    def _forget_failed(self, slot: "_Slot") -> None:
        if slot.connecting.cancelled() or slot.connecting.exception():
            if self._slots.get(_place(slot.request)) is slot:
                del self._slots[_place(slot.request)]
            self._spawn(slot.session.retire())

    def _retire(self, slot: "_Slot") -> None:
        self._quotas.unlimit(_holder(slot.request))
        self._spawn(slot.retire())

    def _spawn(self, closing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(closing, name="close AWS connections")
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _place(request: AccessRequest) -> tuple[str, str]:
    return request.provider, request.region


def _holder(request: AccessRequest) -> str:
    """Whose limits these are: a provider may ask for the same share in several regions."""
    return f"{request.provider} {request.region}"


class _Slot:
    connecting: asyncio.Task[Connection]

    def __init__(self, request: AccessRequest, session: Session) -> None:
        self.request = request
        self.session = session

    async def retire(self) -> None:
        """Lets it go, once it is there; whoever still waits for it gets it."""
        await asyncio.wait([self.connecting])
        await self.session.retire()
