"""AWS's error codes and operations by what they mean to us, wherever they come from. Codes are matched everywhere, texts nowhere."""

from typing import Final

# AWS does not accept who we are. Reading the Secret anew, or assuming the role anew, may help at once.
AUTHENTICATION_CODES: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# Ours, for a call for which there were no credentials to send; the SDK has a dozen exceptions for it.
CREDENTIALS_UNAVAILABLE: Final = "CredentialsUnavailable"
# Operations that must not be asked for twice: KMS has no token by which it would know the second request for the first one.
SENT_ONCE: Final = frozenset({"CreateKey", "ReplicateKey", "RotateKeyOnDemand"})
NOT_FOUND: Final = "NotFoundException"
DENIED_CODES: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
THROTTLING_CODES: Final = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
