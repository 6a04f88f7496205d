"""The CEL rules between the fields of a KMSKey: which spec goes with which usage, and what either allows.

What a field means when it is unset is written once (SPEC, USAGE), for the rules on pairs and on changes.
"""

from reconcilers.fields import Rule, cel, together
from reconcilers.grant_operations import ANYBODYS, OF_SYMMETRIC, OF_USAGE


def _resolved_spec(of: str) -> str:
    alias = f"has({of}.customerMasterKeySpec) ? {of}.customerMasterKeySpec : 'SYMMETRIC_DEFAULT'"
    return f"(has({of}.keySpec) ? {of}.keySpec : {alias})"


def _resolved_usage(of: str) -> str:
    return f"(has({of}.keyUsage) ? {of}.keyUsage : 'ENCRYPT_DECRYPT')"


SPEC, USAGE = _resolved_spec("self"), _resolved_usage("self")
ORIGIN = "(has(self.origin) ? self.origin : 'AWS_KMS')"
KEY_STORE = "(has(self.customKeyStoreId) ? self.customKeyStoreId : '')"
XKS_KEY = "(has(self.xksKeyId) ? self.xksKeyId : '')"
_IN_A_STORE = f"{ORIGIN} in ['AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE']"
_SIGNING = (
    "RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, ECC_NIST_EDWARDS25519, ML_DSA_*"
)


def _only(which: str, operations: tuple[str, ...], what: str) -> Rule:
    """What grants of some keys may allow: the operations that these keys have. Grants are there."""
    allowed = (*operations, *ANYBODYS)
    listed = ", ".join(f"'{name}'" for name in allowed)
    return cel(
        f"!({which}) || self.grants.all(g, g.operations.all(o, o in [{listed}]))",
        f"a grant on a key that {what} allows {', '.join(allowed)} only",
        ".grants",
    )


KEY_RULES = (
    cel(
        "!has(self.managementPolicy) || self.managementPolicy != 'Observe' || has(self.adopt)",
        "managementPolicy Observe needs a key to observe: name it in adopt",
        ".managementPolicy",
    ),
    cel(
        "!has(self.keySpec) || !has(self.customerMasterKeySpec) || self.keySpec == self.customerMasterKeySpec",
        "keySpec and customerMasterKeySpec are two names of one field: write keySpec only",
        ".customerMasterKeySpec",
    ),
    together(
        f"{SPEC} == 'SYMMETRIC_DEFAULT' && {USAGE} == 'ENCRYPT_DECRYPT'",
        cel(
            f"{SPEC} != 'SYMMETRIC_DEFAULT' || {USAGE} != 'SIGN_VERIFY'",
            f"keyUsage SIGN_VERIFY needs a keySpec that can sign: {_SIGNING}",
        ),
        cel(
            f"{SPEC} != 'SYMMETRIC_DEFAULT' || {USAGE} != 'GENERATE_VERIFY_MAC'",
            "keyUsage GENERATE_VERIFY_MAC needs a keySpec for MACs: HMAC_224, HMAC_256, HMAC_384 or HMAC_512",
        ),
        cel(
            f"{SPEC} != 'SYMMETRIC_DEFAULT' || {USAGE} != 'KEY_AGREEMENT'",
            "keyUsage KEY_AGREEMENT needs a keySpec that can agree on keys: ECC_NIST_P256, ECC_NIST_P384 or ECC_NIST_P521",
        ),
        cel(
            f"{SPEC} != 'SYMMETRIC_DEFAULT' || {USAGE} in ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT']",
            "keySpec SYMMETRIC_DEFAULT takes keyUsage ENCRYPT_DECRYPT only: write the keySpec that your keyUsage needs",
        ),
        cel(
            f"!{SPEC}.startsWith('HMAC_') || {USAGE} == 'GENERATE_VERIFY_MAC'",
            "keySpec HMAC_* takes keyUsage GENERATE_VERIFY_MAC only: write keyUsage: GENERATE_VERIFY_MAC",
        ),
        cel(
            f"!{SPEC}.startsWith('ECC_NIST_P') || {USAGE} in ['SIGN_VERIFY', 'KEY_AGREEMENT']",
            "keySpec ECC_NIST_P* takes keyUsage SIGN_VERIFY or KEY_AGREEMENT: write one of them",
        ),
        cel(
            f"!({SPEC} in ['ECC_SECG_P256K1', 'ECC_NIST_EDWARDS25519'] || {SPEC}.startsWith('ML_DSA_')) || {USAGE} == 'SIGN_VERIFY'",
            "this keySpec can only sign: write keyUsage: SIGN_VERIFY",
        ),
        cel(
            f"!{SPEC}.startsWith('RSA_') || {USAGE} in ['ENCRYPT_DECRYPT', 'SIGN_VERIFY']",
            "keySpec RSA_* takes keyUsage ENCRYPT_DECRYPT or SIGN_VERIFY: write one of them",
        ),
    ),
    together(
        "!has(self.enableKeyRotation) || !self.enableKeyRotation",
        cel(
            f"{SPEC} == 'SYMMETRIC_DEFAULT'",
            "KMS rotates SYMMETRIC_DEFAULT keys only: remove enableKeyRotation, or use keySpec: SYMMETRIC_DEFAULT",
            ".enableKeyRotation",
        ),
        cel(
            f"{ORIGIN} == 'AWS_KMS'",
            "KMS rotates material of its own only: remove enableKeyRotation, or use origin: AWS_KMS",
            ".enableKeyRotation",
        ),
    ),
    cel(
        "!has(self.rotationPeriodInDays) || (has(self.enableKeyRotation) && self.enableKeyRotation)",
        "rotationPeriodInDays needs enableKeyRotation: true",
        ".rotationPeriodInDays",
    ),
    together(
        "!has(self.rotateOnDemand)",
        cel(
            f"{SPEC} == 'SYMMETRIC_DEFAULT'",
            "KMS rotates SYMMETRIC_DEFAULT keys only: remove rotateOnDemand, or use keySpec: SYMMETRIC_DEFAULT",
            ".rotateOnDemand",
        ),
        cel(
            f"{ORIGIN} == 'AWS_KMS'",
            "KMS rotates material of its own only: remove rotateOnDemand, or use origin: AWS_KMS",
            ".rotateOnDemand",
        ),
    ),
    together(
        "!has(self.origin) && !has(self.customKeyStoreId) && !has(self.xksKeyId)",
        cel(
            f"has(self.customKeyStoreId) == ({_IN_A_STORE})",
            "origin AWS_CLOUDHSM and EXTERNAL_KEY_STORE need a customKeyStoreId, and no other origin takes one",
            ".origin",
        ),
        cel(
            f"has(self.xksKeyId) == ({ORIGIN} == 'EXTERNAL_KEY_STORE')",
            "origin EXTERNAL_KEY_STORE needs an xksKeyId, and no other origin takes one",
            ".origin",
        ),
        cel(
            f"!({_IN_A_STORE}) || {SPEC} == 'SYMMETRIC_DEFAULT'",
            "custom key stores hold SYMMETRIC_DEFAULT keys only: use keySpec: SYMMETRIC_DEFAULT, or another origin",
            ".origin",
        ),
        cel(
            f"!({_IN_A_STORE}) || !has(self.multiRegion) || !self.multiRegion",
            "custom key stores hold no multi-Region keys: remove multiRegion, or use another origin",
            ".origin",
        ),
    ),
    together(
        "!has(self.grants)",
        _only(f"{SPEC} == 'SYMMETRIC_DEFAULT'", OF_SYMMETRIC, "encrypts"),
        _only(
            f"{SPEC} != 'SYMMETRIC_DEFAULT' && {USAGE} == 'ENCRYPT_DECRYPT'",
            OF_USAGE["ENCRYPT_DECRYPT"],
            "encrypts with a public key",
        ),
        _only(f"{USAGE} == 'SIGN_VERIFY'", OF_USAGE["SIGN_VERIFY"], "signs"),
        _only(f"{USAGE} == 'GENERATE_VERIFY_MAC'", OF_USAGE["GENERATE_VERIFY_MAC"], "makes MACs"),
        _only(f"{USAGE} == 'KEY_AGREEMENT'", OF_USAGE["KEY_AGREEMENT"], "agrees on keys"),
        cel(
            f"{SPEC} == 'SYMMETRIC_DEFAULT' || self.grants.all(g, !has(g.constraints) || "
            "!(has(g.constraints.encryptionContextEquals) || has(g.constraints.encryptionContextSubset)))",
            "only SYMMETRIC_DEFAULT keys have an encryption context: remove the constraints encryptionContextEquals and "
            "encryptionContextSubset",
            ".grants",
        ),
    ),
)
