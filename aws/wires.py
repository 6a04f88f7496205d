"""What really sends: one client of the AWS SDK for each service and identity, behind a Protocol of two methods.

A simulation takes the place of AWS here: give it an OpenWire of its own, and everything above runs unchanged.

Rules:
1. One attempt for each send(). The SDK's retries are off for all calls: one create_key() of its default sends up to five requests.
2. No redirect is followed. It would repeat a signed write, and could lead to an address that the endpoint's owner chose.
3. One SDK session with one set of parsed service models, one TLS context for each CA bundle, a fixed user agent: a further client costs
   some milliseconds and 0.2 MB instead of 130 ms and 9 MB.
4. The SDK reads no body where the service model has none, and takes any page with status 200 for a success. What says nothing is an answer
   only with AWS's request id, or at least without a body that is no JSON.
5. Every wait of a wire has a bound: connecting, and each read. The bound for a call as a whole is the caller's.
"""

import asyncio
import functools
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore import xform_name
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, InvalidEndpointConfigurationError
from botocore.parsers import ResponseParserError

from aws.addresses import GuardedResolver
from aws.credentials import Access

SERVICES = ("kms", "sts", "resourcegroupstaggingapi", "sqs")
USER_AGENT = "infra-operator/0.1.0"

CONNECT_SECONDS = 3.0  # across the world a TLS handshake takes less than 1 s
READ_SECONDS = 7.0  # with CONNECT_SECONDS the 10 s in which the slowest KMS call has long been answered
POLL_SECONDS = 20.0  # SQS answers after it when a queue has nothing; it takes no longer waits
# The SDK's 10 would make the readers of an orphan scan wait for each other without a bound.
MOST_CONNECTIONS = 50

# A token or credentials file that is named and not there. No answer and no connection fails so, so that nothing was sent.
_FILE_ERRORS = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
# What botocore's parsers raise for a body that is not what the service model says, such as a list where an object is due.
_PARSER_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Wire(Protocol):
    """One service, one identity. Raises what botocore raises: ClientError, BotoCoreError, ResponseParserError; or TimeoutError."""

    async def send(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """One request, under AWS's own name of the operation, such as CreateKey; returns AWS's answer."""
        ...

    async def close(self) -> None:
        """Lets the connections go; no send() is under way."""
        ...


OpenWire = Callable[[Access, str], Awaitable[Wire]]


class AwsWires:
    """Opens wires to AWS; one for the process."""

    def __init__(self) -> None:
        self._session = AioSession()
        self._config = AioConfig(
            user_agent=USER_AGENT,
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=MOST_CONNECTIONS,
            http_session_cls=_HttpSession,
            connector_args={"resolver": GuardedResolver()},
        )
        self._patient = self._config.merge(AioConfig(read_timeout=READ_SECONDS + POLL_SECONDS))

    async def warm(self) -> None:
        """Loads models and certificates in a thread: on the event loop they would stop everything for up to 1.7 s."""
        await asyncio.to_thread(self._warm)

    async def open(self, access: Access, service: str) -> Wire:
        """A wire; nothing is sent yet, except what the pod's own credential chain asks for. Raises as Wire does."""
        given = access.credentials
        keys = {
            "aws_access_key_id": given and given.access_key_id,
            "aws_secret_access_key": given and given.secret_access_key,
            "aws_session_token": given and given.session_token,
        }
        config = self._patient if service == "sqs" else self._config
        closing = AsyncExitStack()
        opening = self._session.create_client(
            service, region_name=access.region, endpoint_url=access.endpoint, config=config, **keys
        )
        try:
            return _SdkWire(await closing.enter_async_context(opening), closing)
        except BotoCoreError:  # some of them are ValueErrors too
            raise
        except ValueError as error:
            raise InvalidEndpointConfigurationError(msg=str(error)) from None

    def _warm(self) -> None:
        for service in SERVICES:
            self._session.warm_up_loader_caches(service)
        _tls_context(self._session.get_config_variable("ca_bundle") or True)


class _SdkWire:
    def __init__(self, client: Any, closing: AsyncExitStack) -> None:
        self._client = client
        self._closing = closing

    async def send(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        method = getattr(self._client, xform_name(operation))
        try:
            answer: dict[str, Any] = await method(**parameters)
        except BotoCoreError:  # some of them are ValueErrors too
            raise
        except _FILE_ERRORS as error:
            raise CredentialRetrievalError(provider="file", error_msg=type(error).__name__) from None
        except _PARSER_ERRORS as error:
            raise ResponseParserError(type(error).__name__) from None  # the text may quote the answer
        if answer.keys() == {"ResponseMetadata"} and _is_a_page(answer["ResponseMetadata"]):
            raise ResponseParserError("NoAnswer")
        return answer

    async def close(self) -> None:
        await self._closing.aclose()


def _is_a_page(about: Mapping[str, Any]) -> bool:
    """Whether somebody before AWS has answered. Emulators leave out the request id."""
    headers = about.get("HTTPHeaders", {})
    return "RequestId" not in about and headers.get("content-length") != "0" and "json" not in headers.get("content-type", "")


class _Overrides:
    """What the SDK's HTTP session offers no setting for: a shared TLS context (rule 3) and no redirects (rule 2)."""

    _verify: bool | str

    def _build_verify_context(self) -> ssl.SSLContext:
        return _tls_context(self._verify)

    async def _get_session(self, proxy_url: str | None) -> "_WithoutRedirects":
        return _WithoutRedirects(await AIOHTTPSession._get_session(self, proxy_url))  # noqa: SLF001 - the method it overrides


class _WithoutRedirects:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, method: str, **options: Any) -> aiohttp.ClientResponse:
        return await self._session.request(method, allow_redirects=False, **options)


# The SDK has no types, and a class statement with an untyped base would have none either.
_HttpSession: Any = type("_HttpSession", (_Overrides, AIOHTTPSession), {})


@functools.cache
def _tls_context(verify: bool | str) -> ssl.SSLContext:
    """The SDK's own context for a CA bundle: 45 ms and 0.8 MB each, and nothing in it depends on the client."""
    context: ssl.SSLContext = AIOHTTPSession(verify=verify)._build_verify_context()  # noqa: SLF001 - the method that _Overrides overrides
    return context
