"""A failed call to AWS, sorted by what to do next.

AWSError                 carries a Failure: operation, AWS's code and words, request id
|- RetryableError        the same call will work later: throttled, unavailable, connection lost, key in an intermediate state
|- BlockedError          somebody has to act outside the object: denied, quota reached, credentials refused, unknown principal
|- StalledError          wrong for good: the spec has to change
|- UnknownResultError    what must not be repeated was sent, and nobody knows whether it took effect
`- NotFoundError         KMS does not know the key; what that means is for the caller to say

FencedError              the call was not made: the lease is not ours (no AWSError, because AWS was not asked)
InvalidAccessError       the call was not made: the provider cannot mean this region or role

Rules:
1. One function, translate(), makes every AWSError. Codes are matched, not text; the two exceptions are marked.
2. Only what is sent once (SENT_ONCE) can have an unknown result. Every other call may be repeated, so a lost answer is one to retry.
3. A result is known only if AWS said so, or if nothing was sent. Garbage, a proxy's page and HTTP 5xx are no word of AWS's.
4. AWS's words reach the user, except about credentials: those answers may quote the access key or the whole signed request.
"""

import re
import socket
from typing import Final

import aiohttp
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from reconcilers.codes import AUTHENTICATION_CODES, CREDENTIALS_UNAVAILABLE, SENT_ONCE, THROTTLING_CODES
from reconcilers.reasons import Reason
from reconcilers.states import Failure, FailureKind

EXPIRED_MARKER_CODES: Final = frozenset({"InvalidMarkerException", "PaginationTokenExpiredException"})
_CLOCK_CODES = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
# AWS's own fault (`fault` in its service models): it may have failed after the work was done.
_FAULT_CODES = frozenset(
    {
        *("DependencyTimeout", "DependencyTimeoutException", "KMSInternal", "KMSInternalException"),  # older service models have the short ones
        *("InternalError", "InternalFailure", "InternalServiceException", "ServiceUnavailable"),
    }
)
# The key is on its way from one state to another, or another caller was faster: the next observation tells.
_STATE_CODES = frozenset(
    {"ConcurrentModificationException", "ConflictException", "DisabledException", "KMSInvalidStateException", "KeyUnavailableException"}
)
_RETRY_CODES = (
    THROTTLING_CODES
    | EXPIRED_MARKER_CODES
    | _CLOCK_CODES
    | _FAULT_CODES
    | _STATE_CODES
    | {"IDPCommunicationError", "NotFoundException", "RequestTimeout", "RequestTimeoutException"}
)
_SESSION_OPERATIONS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity"})
_STALLED_CODES = frozenset(
    {
        "InvalidArnException",
        "InvalidParameterException",
        "MalformedPolicyDocumentException",
        "SerializationException",
        "TagException",
        "UnsupportedOperationException",
        "ValidationError",
        "ValidationException",
    }
)

_CREDENTIAL_ERRORS = (
    boto.ConfigNotFound,
    boto.ConfigParseError,
    boto.CredentialRetrievalError,
    boto.InfiniteLoopConfigError,
    boto.InvalidConfigError,
    boto.LoginError,
    boto.MetadataRetrievalError,
    boto.NoAuthTokenError,
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.RefreshWithMFAUnsupportedError,
    boto.SSOError,
    boto.TokenRetrievalError,
    boto.UnknownCredentialError,
)
_TRANSPORT_ERRORS = (
    boto.ChecksumError,
    boto.ConnectionError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
    ResponseParserError,
    TimeoutError,
)
# What a wire may raise; anything else is a bug of ours and is not dressed up as AWS's.
CALL_ERRORS: Final = (boto.BotoCoreError, boto.ClientError, ResponseParserError, TimeoutError)

# A condition's message takes 32 KiB; nobody reads more than a few lines.
_MESSAGE_LIMIT = 1024
_ACCESS_KEY_ID = re.compile(r"\b(A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[A-Z0-9]{12,}\b")
_AWS_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._]{0,127}")


class AWSError(Exception):
    """A call to AWS that failed. str() is fit for logs and conditions: no credentials, no chained exception with AWS's raw words."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return f"{self.failure.operation}: {self.failure.code}: {self.failure.message}"


class RetryableError(AWSError):
    """The same call will work later."""


class BlockedError(AWSError):
    """Somebody has to act outside the object."""


class StalledError(AWSError):
    """Wrong for good: the spec has to change."""


class UnknownResultError(AWSError):
    """What is sent once was sent, and nobody knows whether it took effect."""


class NotFoundError(AWSError):
    """KMS does not know the key; right after a write it may know it a little later."""


class FencedError(Exception):
    """A write was not started, because the lease is not ours for as long as the call may take."""


class InvalidAccessError(Exception):
    """The provider's spec cannot work, and AWS was not asked; reason and message are for its condition."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


_CLASSES: dict[FailureKind, type[AWSError]] = {
    FailureKind.RETRY: RetryableError,
    FailureKind.WAIT_FOR_CAUSE: BlockedError,
    FailureKind.STALLED: StalledError,
    FailureKind.UNKNOWN_RESULT: UnknownResultError,
}


def translate(operation: str, error: Exception, *, sent: bool = True) -> AWSError:
    """The one way from CALL_ERRORS to an AWSError. sent=False: the caller knows that nothing was sent yet."""
    failure = _from_answer(_asked(operation, error), error) if isinstance(error, boto.ClientError) else _from_client(operation, error, sent)
    if failure.code == "NotFoundException":
        return NotFoundError(failure)
    return _CLASSES[failure.kind](failure)


def _asked(operation: str, error: boto.ClientError) -> str:
    """What AWS has answered to: the call itself, or what the SDK asks for the pod's own identity before it can sign and send that."""
    return str(error.operation_name) if error.operation_name in _SESSION_OPERATIONS else operation


def _from_answer(operation: str, error: boto.ClientError) -> Failure:
    """AWS, or somebody on the way to it, answered with an error."""
    told, about = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, status = str(told.get("Code") or ""), int(about.get("HTTPStatusCode", 0))  # None: an empty element of XML
    if not _AWS_CODE.fullmatch(code):  # botocore puts the bare status where there is no code: a proxy's page, not AWS
        return Failure(_without_code(operation, status), operation, f"HTTP{status}", f"HTTP {status} without an AWS error code")
    words = str(told.get("Message") or "")
    return Failure(_kind(operation, code, status, words), operation, code, _told(code, words), about.get("RequestId"))


def _without_code(operation: str, status: int) -> FailureKind:
    if status == 429:
        return FailureKind.RETRY  # whoever says so has let nothing pass
    if operation in SENT_ONCE:
        return FailureKind.UNKNOWN_RESULT
    return FailureKind.RETRY if status >= 500 else FailureKind.WAIT_FOR_CAUSE


def _kind(operation: str, code: str, status: int, words: str) -> FailureKind:
    if operation in SENT_ONCE and (status >= 500 or code in _FAULT_CODES):
        return FailureKind.UNKNOWN_RESULT
    if status >= 500 or status == 429 or code in _RETRY_CODES or _is_about_the_clock(code, words):
        return FailureKind.RETRY
    if code == "MalformedPolicyDocumentException" and "principal" in words.lower():
        return FailureKind.WAIT_FOR_CAUSE  # text, because KMS has one code for a wrong policy and for a principal not known yet
    return FailureKind.STALLED if code in _STALLED_CODES else FailureKind.WAIT_FOR_CAUSE


def _told(code: str, words: str) -> str:
    if _is_about_the_clock(code, words):
        return "the clock of the operator's node differs from AWS's: set the node's clock"
    if code in AUTHENTICATION_CODES:
        return "AWS does not accept the credentials: correct or renew them"
    readable = " ".join(_ACCESS_KEY_ID.sub("[access key id]", words).split())
    return readable[:_MESSAGE_LIMIT] or "AWS gave no message"


def _is_about_the_clock(code: str, words: str) -> bool:
    # Text, because a signature that is too old and a wrong one have the same code.
    skewed = code in AUTHENTICATION_CODES and words.startswith(("Signature expired", "Signature not yet current"))
    return skewed or code in _CLOCK_CODES


def _from_client(operation: str, error: Exception, sent: bool) -> Failure:
    """No answer: the exceptions of botocore, which wrap the HTTP client's, and our own timeouts."""
    name = type(error).__name__
    if isinstance(error, boto.ParamValidationError):
        return Failure(FailureKind.STALLED, operation, name, _cut(error))
    if isinstance(error, _CREDENTIAL_ERRORS):
        # botocore's words may quote what a credential process or endpoint has answered.
        words = f"the operator's own AWS credentials cannot be loaded ({name}): check its service account, role or environment"
        return Failure(FailureKind.WAIT_FOR_CAUSE, operation, CREDENTIALS_UNAVAILABLE, words)
    if isinstance(error, _TRANSPORT_ERRORS):
        unknown = operation in SENT_ONCE and sent and _may_have_been_sent(error)
        return Failure(FailureKind.UNKNOWN_RESULT if unknown else FailureKind.RETRY, operation, name, _transport_words(error))
    return Failure(FailureKind.WAIT_FOR_CAUSE, operation, name, _cut(error))


def _may_have_been_sent(error: Exception) -> bool:
    """False if the connection never came about. Of EndpointConnectionError only the cause tells: a reset of an open connection is one too."""
    if isinstance(error, boto.EndpointConnectionError):
        return not isinstance(error.kwargs.get("error"), (aiohttp.ClientConnectorError, socket.gaierror))
    return not isinstance(error, (boto.ConnectTimeoutError, boto.ProxyConnectionError, boto.SSLError))


def _transport_words(error: Exception) -> str:
    """Those of botocore that only name the endpoint stay; the others may quote the request or the answer."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, (boto.ConnectionError, boto.ConnectionClosedError, boto.ReadTimeoutError)):
        return _cut(error)
    return "the answer could not be read"


def _cut(error: Exception) -> str:
    return " ".join(str(error).split())[:_MESSAGE_LIMIT]
