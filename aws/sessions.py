"""A provider's credentials in force: made by its chain of roles, renewed before they end.

Rules:
1. roleARN is for the pod's own identity. The pod is a session of that role already: used as it is. It has a web identity token: exchanged
   for the role. Else: AssumeRole. assumeRoleARN comes after that, or after the Secret's credentials.
2. Renewal begins when a tenth of the lifetime is left (6 minutes of an hour). One caller renews, the others wait for it. If it fails, the
   old credentials serve on until they end, with a further attempt each RETRY_SECONDS.
3. Calls under way keep the credentials that they began with.
4. When AWS refuses credentials that came from a role, they are assumed anew at the next call: a role session can be revoked.

Credentials from a Secret do not change here: another Secret is another request. Those of the pod's own chain are renewed by the SDK.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from aws.channels import Channel, Terms
from aws.credentials import Access, AccessRequest, StaticCredentials
from aws.errors import AWSError, BlockedError
from aws.sts import RoleSession, assume_role, caller_identity
from reconcilers.codes import CREDENTIALS_UNAVAILABLE
from reconcilers.states import Failure, FailureKind

log = structlog.get_logger()

TOKEN_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105 - the name of the variable that names the file
# AssumeRoleWithWebIdentity is not signed, and a client made with these does not go looking for the pod's own.
_UNSIGNED = StaticCredentials("none", "none")
RENEW_AT = 0.9  # of the lifetime
RETRY_SECONDS = 30.0


class Session:
    """The channel in force for one provider; nothing is asked of AWS before the first use."""

    def __init__(self, terms: Terms, request: AccessRequest) -> None:
        self._terms = terms
        self._request = request
        self._channel: Channel | None = None
        self._renew_at = self._ends_at = -math.inf  # loop time
        self._turn = asyncio.Lock()
        self._retired = False

    async def channel(self) -> Channel:
        """The channel to call through now. Raises AWSError if there are no credentials in force and none can be had."""
        loop = asyncio.get_running_loop()
        current = self._channel
        if current is not None and loop.time() < (self._ends_at if self._turn.locked() else self._renew_at):
            return current
        async with self._turn:
            current = self._channel
            if current is not None and loop.time() < self._renew_at:  # by the one who had the turn before
                return current
            return await self._renew(current)

    def refused(self, channel: Channel) -> bool:
        """AWS did not accept this channel's credentials. True if the next channel may have others."""
        renewable = bool(self._request.role_arn or self._request.assume_role_arn)
        if renewable and channel is self._channel:
            self._renew_at = self._ends_at = -math.inf
        return renewable

    async def retire(self) -> None:
        """Closes, now or after the last call that is under way."""
        self._retired = True
        if self._channel is not None:
            await self._channel.retire()

    async def _renew(self, old: Channel | None) -> Channel:
        now = asyncio.get_running_loop().time()
        try:
            new, seconds = await _dial(self._terms, self._request)
        except AWSError as error:
            if old is None or now >= self._ends_at:
                raise
            log.warning("credentials_not_renewed", provider=self._request.provider, error=str(error), valid_seconds=self._ends_at - now)
            self._renew_at = now + RETRY_SECONDS
            return old
        self._channel, self._renew_at, self._ends_at = new, now + seconds * RENEW_AT, now + seconds
        for unneeded in (old, new if self._retired else None):
            if unneeded is not None:
                await unneeded.retire()
        return new


async def _dial(terms: Terms, request: AccessRequest) -> tuple[Channel, float]:
    """Goes through the chain of roles; returns the channel at its end, and for how many seconds it is good. Raises AWSError."""
    channel, seconds = Channel(terms, request.access), math.inf
    if request.role_arn:
        channel, seconds = await _as_own_role(terms, request, channel)
    if request.assume_role_arn:
        async with _retired_after(channel):
            role = await assume_role(channel, "AssumeRole", _for_assume_role(request))
        channel, seconds = _through(terms, request, role), role.seconds
    return channel, seconds


async def _as_own_role(terms: Terms, request: AccessRequest, own: Channel) -> tuple[Channel, float]:
    token_file = os.environ.get(TOKEN_FILE)
    if await _is_already(own, request.role_arn or "", token_file is not None):
        return own, math.inf
    parameters = {"RoleArn": request.role_arn, "RoleSessionName": request.session_name}
    async with _retired_after(own):
        if token_file is None:
            role = await assume_role(own, "AssumeRole", parameters)
        else:
            role = await _by_web_identity(terms, request, parameters, token_file)
    return _through(terms, request, role), role.seconds


async def _is_already(own: Channel, role_arn: str, has_token: bool) -> bool:
    """With a token the pod needs no other identity, so its lack is no failure then."""
    try:
        return (await caller_identity(own)).is_session_of(role_arn)
    except AWSError as error:
        if has_token and isinstance(error, BlockedError):
            return False
        await own.retire()
        raise


async def _by_web_identity(terms: Terms, request: AccessRequest, parameters: dict[str, Any], token_file: str) -> RoleSession:
    operation = "AssumeRoleWithWebIdentity"
    token = await asyncio.to_thread(_read_token, operation, token_file)
    unsigned = Channel(terms, Access(request.region, request.endpoint, _UNSIGNED))
    async with _retired_after(unsigned):
        return await assume_role(unsigned, operation, {**parameters, "WebIdentityToken": token})


def _read_token(operation: str, token_file: str) -> str:
    """Read at each use: the kubelet replaces the file."""
    try:
        return Path(token_file).read_text().strip()
    except (OSError, ValueError) as error:
        words = f"the token file of {TOKEN_FILE} cannot be read ({type(error).__name__}): check the pod's service account and its volume"
        raise BlockedError(Failure(FailureKind.WAIT_FOR_CAUSE, operation, CREDENTIALS_UNAVAILABLE, words)) from None


def _for_assume_role(request: AccessRequest) -> dict[str, Any]:
    parameters: dict[str, Any] = {"RoleArn": request.assume_role_arn, "RoleSessionName": request.session_name}
    if request.external_id:
        parameters["ExternalId"] = request.external_id
    if request.session_tags:
        parameters["Tags"] = [{"Key": key, "Value": value} for key, value in sorted(request.session_tags.items())]
    return parameters


def _through(terms: Terms, request: AccessRequest, role: RoleSession) -> Channel:
    return Channel(terms, Access(request.region, request.endpoint, role.credentials))


@asynccontextmanager
async def _retired_after(channel: Channel) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await channel.retire()
