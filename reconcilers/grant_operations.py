"""What a grant may allow on which key. Source: "Grants in AWS KMS", grant operations, and the operations of each type of key.

Usages that are not known here are KMS's to judge, so that tomorrow's keys work.
"""

from collections.abc import Set as AbstractSet
from typing import Final

ANYBODYS: Final = ("DescribeKey", "CreateGrant", "RetireGrant")
_ENCRYPTING = ("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo")
OF_SYMMETRIC: Final = (
    *_ENCRYPTING,
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
)
OF_USAGE: Final = {
    "ENCRYPT_DECRYPT": (*_ENCRYPTING, "GetPublicKey"),
    "SIGN_VERIFY": ("Sign", "Verify", "GetPublicKey"),
    "GENERATE_VERIFY_MAC": ("GenerateMac", "VerifyMac"),
    "KEY_AGREEMENT": ("DeriveSharedSecret", "GetPublicKey"),
}


def unsupported(operations: AbstractSet[str], key_spec: str, key_usage: str, *, in_context: bool) -> str | None:
    """What of a grant such a key does not have, in words; None where it has all of it. in_context: it is limited to an encryption context."""
    own = OF_SYMMETRIC if key_spec == "SYMMETRIC_DEFAULT" else OF_USAGE.get(key_usage)
    if own is None:
        return None
    strange = sorted(operations - {*own, *ANYBODYS})
    if strange:
        return f"A {key_spec} key for {key_usage} has no {', '.join(strange)}: a grant on it allows {', '.join((*own, *ANYBODYS))} only."
    if key_spec != "SYMMETRIC_DEFAULT" and in_context:
        return "Only SYMMETRIC_DEFAULT keys have an encryption context: remove these constraints."
    return None
