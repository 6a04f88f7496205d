"""AWS for a simulation: the model behind the two methods of a Wire, with latency, faults and botocore's exceptions.

A caller is recognised by the access key of its Access; a wire without one is the pod's own, `pod`, which may have no identity at all.
"""

import socket
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
)
from botocore.parsers import ResponseParserError

from aws.channels import READ_OPERATIONS
from aws.credentials import Access
from aws.wires import Wire
from tests.simulation.calls import Call
from tests.simulation.faults import Fault
from tests.simulation.identities import Credentials, Identities
from tests.simulation.kms_errors import RefusedError
from tests.simulation.kms_model import Kms
from tests.simulation.kms_writes import Caller
from tests.simulation.lines import Line

LATENCY = 0.02  # seconds, within a region
ENDPOINT = "https://kms.us-east-1.amazonaws.com/"


class Aws:
    """The model and who may call it."""

    def __init__(self, kms: Kms, identities: Identities, pod: Credentials | None = None) -> None:
        self.kms = kms
        self.identities = identities
        self.pod = pod

    def caller(self, access: Access, service: str) -> Caller:
        """Raises RefusedError, and NoCredentialsError where there is nothing to sign with."""
        given = access.credentials
        if given is not None:
            return self.identities.recognise(service, given.access_key_id, given.secret_access_key, access.region)
        if self.pod is None:
            raise NoCredentialsError
        return self.pod.caller(access.region)


class AwsLine:
    """One replica's AWS; open() is an OpenWire."""

    def __init__(self, aws: Aws, line: Line) -> None:
        self._aws = aws
        self._line = line

    async def open(self, access: Access, service: str) -> Wire:
        return _ModelWire(self._aws, self._line, access, service)


class _ModelWire:
    def __init__(self, aws: Aws, line: Line, access: Access, service: str) -> None:
        self._aws = aws
        self._line = line
        self._access = access
        self._service = service

    async def send(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        key = str(parameters.get("KeyId", ""))
        assert "alias/aws/" not in key, f"{operation} of {key} makes a key where there is none"
        call = Call(
            self._line.replica,
            "aws",
            operation,
            key,
            writes=operation not in READ_OPERATIONS,
            parameters=parameters,
            region=self._access.region,
        )

        def execute() -> dict[str, Any]:
            try:
                caller = self._aws.caller(self._access, self._service)
                call.account = caller.account_id
                answer = self._aws.kms.handle(self._service, operation, parameters, caller)
            except RefusedError as error:
                call.outcome = error.code
                raise client_error(operation, error.code, error.message, error.status) from None
            call.outcome, call.told = "OK", answer
            return answer

        return await self._line.carry(call, LATENCY, execute)

    async def close(self) -> None:
        """Nothing is open."""


def client_error(operation: str, code: str, message: str, status: int = 400) -> ClientError:
    """A refusal as botocore raises it."""
    about = {"RequestId": "00000000-aaaa-4bbb-8ccc-000000000000", "HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": about}, operation)


def lost_answer(operation: str, times: float = 1) -> Fault:
    """Done, and the connection closed before the answer came."""
    return Fault(operation, lambda: ConnectionClosedError(endpoint_url=ENDPOINT), executes=True, times=times)


def internal_error(operation: str, times: float = 1, *, executes: bool = False, code: str = "KMSInternalException") -> Fault:
    """HTTP 500, before or after the effect."""
    return Fault(operation, lambda: client_error(operation, code, "", 500), executes=executes, times=times)


def refused(operation: str, code: str, message: str, times: float = 1, region: str | None = None) -> Fault:
    """AWS's own word that nothing was done."""
    return Fault(operation, lambda: client_error(operation, code, message), times=times, target="aws", region=region)


def throttled(operation: str, times: float = 1, probability: float = 1.0) -> Fault:
    """HTTP 400, as KMS throttles."""
    error = ("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
    return Fault(operation, lambda: client_error(operation, *error), times=times, probability=probability, target="aws")


def not_sent(operation: str, times: float = 1, region: str | None = None) -> Fault:
    """No connection came about."""
    error = socket.gaierror(-2, "Name or service not known")
    return Fault(operation, lambda: EndpointConnectionError(endpoint_url=ENDPOINT, error=error), times=times, target="aws", region=region)


def cut_body(operation: str, times: float = 1, *, executes: bool = True) -> Fault:
    """The connection ended in the middle of the answer."""
    return Fault(operation, lambda: IncompleteReadError(actual_bytes=5, expected_bytes=500), executes=executes, times=times)


def proxy_page(operation: str, times: float = 1, *, executes: bool = True, status: int = 502) -> Fault:
    """Somebody on the way, who is not AWS, answers; botocore takes the status for the code."""
    return Fault(operation, lambda: client_error(operation, str(status), "Bad Gateway", status), executes=executes, times=times)


def garbage(operation: str, times: float = 1, *, executes: bool = True) -> Fault:
    """A body that is no answer, such as a proxy's page."""
    return Fault(operation, ResponseParserError, executes=executes, times=times)
