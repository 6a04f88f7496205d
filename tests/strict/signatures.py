"""Signature version 4, checked as AWS checks it: who signed, for where, when, and that nothing was changed on the way."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.simulation.kms_errors import RefusedError

TOLERANCE = timedelta(minutes=5)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True)
class Signed:
    """What a request says about its signer."""

    access_key_id: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


def read_signature(authorization: str) -> Signed:
    """Raises RefusedError."""
    found = _AUTHORIZATION.fullmatch(authorization)
    if found is None:
        raise RefusedError("MissingAuthenticationTokenException", "Missing Authentication Token", 400)
    access_key_id, _, region, service, headers, signature = found.groups()
    return Signed(access_key_id, region, service, tuple(headers.split(";")), signature)


def check_signature(signed: Signed, secret: str, path: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raises RefusedError in the words of the service."""
    stamp = headers.get("X-Amz-Date", "")
    code = "SignatureDoesNotMatch" if signed.service == "sts" else "InvalidSignatureException"
    try:
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise RefusedError("IncompleteSignatureException", "X-Amz-Date is missing or malformed", 400) from None
    if at < now - TOLERANCE:
        raise RefusedError(code, f"Signature expired: {stamp} is now earlier than {now - TOLERANCE:%Y%m%dT%H%M%SZ} (5 min.)", 403)
    if at > now + TOLERANCE:
        raise RefusedError(
            code, f"Signature not yet current: {stamp} is still later than {now + TOLERANCE:%Y%m%dT%H%M%SZ} (5 min.)", 403
        )
    if not hmac.compare_digest(_signature(signed, secret, path, headers, body), signed.signature):
        raise RefusedError(code, "The request signature we calculated does not match the signature you provided.", 403)


def _signature(signed: Signed, secret: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
    known = {name: headers[name] for name in signed.headers if name in headers}
    request = AWSRequest("POST", f"http://{headers.get('Host', '')}{path}", known, body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials(signed.access_key_id, secret), signed.service, signed.region)
    canonical = auth.canonical_request(request)
    return str(auth.signature(auth.string_to_sign(request, canonical), request))
