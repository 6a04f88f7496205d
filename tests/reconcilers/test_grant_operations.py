import pytest

from reconcilers.grant_operations import unsupported

CASES = [
    ("encrypting", {"Encrypt", "GenerateDataKey", "DescribeKey"}, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", False, None),
    ("encrypting in a context", {"Encrypt"}, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", True, None),
    ("signing with a symmetric key", {"Sign"}, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", False, "Sign"),
    ("a public key of a symmetric key", {"GetPublicKey"}, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", False, "GetPublicKey"),
    ("encrypting with RSA", {"Encrypt", "GetPublicKey"}, "RSA_2048", "ENCRYPT_DECRYPT", False, None),
    ("data keys of RSA", {"GenerateDataKey"}, "RSA_2048", "ENCRYPT_DECRYPT", False, "GenerateDataKey"),
    ("signing", {"Sign", "Verify", "RetireGrant"}, "ECC_NIST_P256", "SIGN_VERIFY", False, None),
    ("decrypting with a key that signs", {"Sign", "Decrypt"}, "RSA_2048", "SIGN_VERIFY", False, "Decrypt"),
    ("signing in a context", {"Sign"}, "RSA_2048", "SIGN_VERIFY", True, "encryption context"),
    ("MACs", {"GenerateMac", "VerifyMac"}, "HMAC_256", "GENERATE_VERIFY_MAC", False, None),
    ("agreeing", {"DeriveSharedSecret"}, "ECC_NIST_P256", "KEY_AGREEMENT", False, None),
    ("tomorrow's usage", {"Decrypt"}, "ML_KEM_768", "ENCAPSULATE_DECAPSULATE", False, None),
]


@pytest.mark.parametrize(
    ("operations", "spec", "usage", "in_context", "words"), [pytest.param(*rest, id=name) for name, *rest in CASES]
)
def test_a_grant_allows_what_its_key_can_do(
    operations: set[str], spec: str, usage: str, in_context: bool, words: str | None
) -> None:
    found = unsupported(operations, spec, usage, in_context=in_context)
    assert (found is None) if words is None else (found is not None and words in found)
