"""The public half of an asymmetric key, as PEM."""

import base64
import textwrap

from aws.answers import decode
from aws.clients import Connection
from aws.errors import BlockedError, NotFoundError, RetryableError
from reconcilers.codes import DENIED_CODES
from reconcilers.failures import explain
from reconcilers.reasons import Reason
from reconcilers.states import Unobservable

COLUMNS = 64  # RFC 7468


async def read_public_key(connection: Connection, arn: str) -> str | Unobservable:
    """Raises AWSError."""
    try:
        answer = await connection.call("kms", "GetPublicKey", {"KeyId": arn})
    except NotFoundError as error:  # the key was seen a moment ago
        raise RetryableError(error.failure) from None
    except BlockedError as error:
        if error.failure.code not in DENIED_CODES:
            raise
        return Unobservable(Reason.ACCESS_DENIED, explain(error.failure).message, error.failure)
    return decode("GetPublicKey", lambda: pem(answer["PublicKey"]))


def pem(der: bytes) -> str:
    """From the SubjectPublicKeyInfo that KMS answers."""
    lines = textwrap.wrap(base64.b64encode(der).decode("ascii"), COLUMNS)
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""))
