import socket
import ssl
import traceback
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from aws.errors import (
    AWSError,
    BlockedError,
    NotFoundError,
    RetryableError,
    StalledError,
    UnknownResultError,
    translate,
)
from reconcilers.codes import AUTHENTICATION_CODES
from reconcilers.states import FailureKind
from tests.aws.worlds import refusal

KEY = ConnectionKey("kms", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None, server_hostname=None)
URL = "https://kms.example"
REFUSED = boto.EndpointConnectionError(endpoint_url=URL, error=aiohttp.ClientConnectorError(KEY, OSError("refused")))
NO_DNS = boto.EndpointConnectionError(endpoint_url=URL, error=socket.gaierror())
RESET = boto.EndpointConnectionError(endpoint_url=URL, error=aiohttp.ClientOSError(104, "reset by peer"))
BAD_TLS = boto.SSLError(endpoint_url=URL, error=ssl.SSLError("certificate"))


@pytest.mark.holds("F28", "F44")
@pytest.mark.parametrize(
    ("code", "message", "status", "kind", "for_create"),
    [
        ("ThrottlingException", "Rate exceeded", 400, RetryableError, RetryableError),
        ("TooManyRequestsException", "", 429, RetryableError, RetryableError),
        ("DependencyTimeoutException", "", 503, RetryableError, UnknownResultError),
        ("KMSInternalException", "", 500, RetryableError, UnknownResultError),
        ("KMSInternalException", "", 0, RetryableError, UnknownResultError),
        ("KMSInternal", "", 400, RetryableError, UnknownResultError),
        ("DependencyTimeout", "", 400, RetryableError, UnknownResultError),
        ("NobodyKnowsIt", "", 503, RetryableError, UnknownResultError),
        ("KMSInvalidStateException", "is pending deletion", 400, RetryableError, RetryableError),
        ("DisabledException", "", 400, RetryableError, RetryableError),
        ("InvalidMarkerException", "", 400, RetryableError, RetryableError),
        ("RequestTimeTooSkewed", "", 403, RetryableError, RetryableError),
        ("InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than", 400, RetryableError, RetryableError),
        ("NotFoundException", "Invalid keyId", 400, NotFoundError, NotFoundError),
        ("AccessDeniedException", "User is not authorized", 400, BlockedError, BlockedError),
        ("AccessDenied", "not authorized to perform sts:AssumeRole", 403, BlockedError, BlockedError),
        ("LimitExceededException", "", 400, BlockedError, BlockedError),
        ("MalformedPolicyDocumentException", "statement with one or more invalid principals.", 400, BlockedError, BlockedError),
        ("MalformedPolicyDocumentException", "Syntax errors in policy.", 400, StalledError, StalledError),
        ("ValidationException", "", 400, StalledError, StalledError),
        ("UnsupportedOperationException", "", 400, StalledError, StalledError),
        ("TagException", "", 400, StalledError, StalledError),
        ("InvalidArnException", "", 400, StalledError, StalledError),
        ("SomethingNewException", "", 400, BlockedError, BlockedError),
        ("403", "<html>a proxy's page</html>", 403, BlockedError, UnknownResultError),
        ("429", "<html>a proxy's page</html>", 429, RetryableError, RetryableError),
        ("502", "<html>a proxy's page</html>", 502, RetryableError, UnknownResultError),
        ("302", "", 302, BlockedError, UnknownResultError),
    ],
)
def test_each_answer_of_aws_has_its_class(
    code: str, message: str, status: int, kind: type[AWSError], for_create: type[AWSError]
) -> None:
    assert type(translate("DescribeKey", refusal(code, message, status))) is kind
    assert type(translate("CreateKey", refusal(code, message, status))) is for_create


@pytest.mark.holds("F36")
@pytest.mark.parametrize(("code", "status", "kind"), [("AccessDenied", 403, BlockedError), ("InternalFailure", 500, RetryableError)])
def test_what_sts_says_before_a_call_could_be_signed_is_told_as_its_own_and_nothing_was_sent(
    code: str, status: int, kind: type[AWSError]
) -> None:
    about: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = translate("CreateKey", boto.ClientError(about, "AssumeRoleWithWebIdentity"))
    assert type(error) is kind
    assert error.failure.operation == "AssumeRoleWithWebIdentity"


@pytest.mark.parametrize(
    ("error", "kind", "for_create"),
    [
        (REFUSED, RetryableError, RetryableError),
        (NO_DNS, RetryableError, RetryableError),
        (BAD_TLS, RetryableError, RetryableError),
        (boto.ConnectTimeoutError(endpoint_url=URL), RetryableError, RetryableError),
        (boto.ProxyConnectionError(proxy_url="http://proxy"), RetryableError, RetryableError),
        (RESET, RetryableError, UnknownResultError),
        (boto.ReadTimeoutError(endpoint_url=URL), RetryableError, UnknownResultError),
        (boto.ConnectionClosedError(endpoint_url=URL), RetryableError, UnknownResultError),
        (boto.HTTPClientError(error=ValueError()), RetryableError, UnknownResultError),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), RetryableError, UnknownResultError),
        (ResponseParserError(), RetryableError, UnknownResultError),
        (TimeoutError(), RetryableError, UnknownResultError),
        (boto.ParamValidationError(report="KeyId: 1"), StalledError, StalledError),
        (boto.NoCredentialsError(), BlockedError, BlockedError),
        (boto.CredentialRetrievalError(provider="process", error_msg="x"), BlockedError, BlockedError),
        (boto.NoRegionError(), BlockedError, BlockedError),
    ],
)
def test_each_failure_without_an_answer_has_its_class(
    error: Exception, kind: type[AWSError], for_create: type[AWSError]
) -> None:
    assert type(translate("ListKeys", error)) is kind
    assert type(translate("CreateKey", error)) is for_create


@pytest.mark.holds("F48")
def test_what_was_not_sent_has_a_known_result() -> None:
    assert type(translate("CreateKey", TimeoutError(), sent=False)) is RetryableError


def test_a_failure_keeps_what_a_support_case_needs() -> None:
    failure = translate("TagResource", refusal("TagException", "Duplicate tag keys")).failure
    assert (failure.kind, failure.operation, failure.code, failure.message, failure.request_id) == (
        FailureKind.STALLED,
        "TagResource",
        "TagException",
        "Duplicate tag keys",
        "r-1",
    )


@pytest.mark.parametrize("nothing", ["", None], ids=["JSON", "XML"])
def test_an_error_without_words_says_that_it_has_none(nothing: str | None) -> None:
    answer = {"Error": {"Code": "InternalFailure", "Message": nothing}, "ResponseMetadata": {"HTTPStatusCode": 500}}
    assert translate("GetCallerIdentity", boto.ClientError(answer, "GetCallerIdentity")).failure.message == "AWS gave no message"
    answer = {"Error": {"Code": nothing, "Message": nothing}, "ResponseMetadata": {"HTTPStatusCode": 502}}
    assert translate("GetCallerIdentity", boto.ClientError(answer, "GetCallerIdentity")).failure.code == "HTTP502"


@pytest.mark.parametrize("code", sorted(AUTHENTICATION_CODES))
def test_refused_credentials_can_be_told_by_their_code_and_are_not_quoted(code: str) -> None:
    error = translate("GetCallerIdentity", refusal(code, "Canary AKIACANARY0123456789 / AWS4-HMAC-SHA256 canary", 403))
    assert error.failure.code in AUTHENTICATION_CODES
    assert "anary" not in str(error)
    assert "CANARY" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        refusal("ValidationException", "key AKIACANARY0123456789 is not good"),
        boto.CredentialRetrievalError(provider="process", error_msg="AKIACANARY0123456789"),
        boto.HTTPClientError(error=ValueError("AKIACANARY0123456789")),
        ResponseParserError("AKIACANARY0123456789"),
        refusal("500", "AKIACANARY0123456789", 500),
    ],
)
def test_no_message_holds_an_access_key(error: Any) -> None:
    translated = translate("CreateKey", error)
    assert "CANARY" not in str(translated) + repr(translated) + "".join(traceback.format_exception(translated))


def test_a_code_that_no_aws_would_send_becomes_no_metric_label() -> None:
    assert translate("CreateKey", refusal("x" * 5000, status=400)).failure.code == "HTTP400"
