"""Bad inputs that a real API server refuses, when an object is made and when it is changed, with words that say what to write instead.

The numbers B1 to B126 are one list over three levels; the others are tests/reconcilers/test_bad_inputs.py and
tests/controller/test_bad_inputs.py. Rows without a number, and good ones, stand in test_admission.py.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from reconcilers.names import API_VERSION, TAG_PREFIX
from tests.cluster.admission import ABSENT, NAME, restored, stored
from tests.cluster.api import RefusedError
from tests.cluster.cluster import Cluster

Spec = Any  # as a user may write it: of any type

REGION = {"region": "us-east-1"}
KEY_REF = {"name": "aws", "key": "id"}
SECRET_REFS = {"accessKeyIDRef": KEY_REF, "secretAccessKeyRef": KEY_REF}
ROLE = "arn:aws:iam::123456789012:role/operator"
GRANT = {"name": "app", "granteeRoleArn": ROLE, "operations": ["Decrypt"]}
USER = {"name": "user", "granteePrincipal": "arn:aws:iam::123456789012:user/app", "operations": ["Encrypt"]}
RSA = {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}
STORE = {"origin": "AWS_CLOUDHSM", "customKeyStoreId": "cks-1234567890abcdef0"}
SIGNERS = (
    "RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, ECC_NIST_EDWARDS25519, ML_DSA_*"
)
WORDS = "write one of KMS's words, in capitals"
POLICY = "write a key policy, a JSON object"
WINDOW = "spec.pendingWindowInDays in body should be"
TAG_KEY, TAG_VALUE = "a tag key takes letters, digits", "a tag value takes letters, digits, spaces inside"
URL = "write an http or https URL without user, password and query"


def tags(count: int) -> dict[str, str]:
    return {f"tag-{number}": "x" for number in range(count)}


def pair(spec: str, usage: str | None) -> dict[str, str]:
    return {"keySpec": spec} | ({"keyUsage": usage} if usage else {})


def context(count: int = 1, value: str = "x") -> Spec:
    return GRANT | {"constraints": {"encryptionContextSubset": {str(number): value for number in range(count)}}}


BAD_KEYS: list[tuple[str, Spec, str]] = [
    ("B1: no spec", ABSENT, "spec: Required value"),
    ("B1: spec is null", None, "spec: Required value"),
    ("B2: an unknown field", {"keyUse": "ENCRYPT_DECRYPT"}, 'unknown field "spec.keyUse"'),
    ("B3: spec is a list", [], "spec in body must be of type object"),
    ("B5: empty keySpec", {"keySpec": ""}, WORDS),
    ("B6: keySpec in lower case", {"keySpec": "rsa_2048"}, WORDS),
    ("B7: unknown usage of a symmetric key", {"keyUsage": "SIGN"}, "SYMMETRIC_DEFAULT takes keyUsage ENCRYPT_DECRYPT only"),
    ("B9: keyUsage is a number", {"keyUsage": 7}, "spec.keyUsage in body must be of type string"),
    ("B11: a symmetric key cannot sign", pair("SYMMETRIC_DEFAULT", "SIGN_VERIFY"), f"needs a keySpec that can sign: {SIGNERS}"),
    ("B11: the same, unsaid", {"keyUsage": "SIGN_VERIFY"}, f"needs a keySpec that can sign: {SIGNERS}"),
    ("B12: HMAC cannot encrypt", pair("HMAC_256", "ENCRYPT_DECRYPT"), "write keyUsage: GENERATE_VERIFY_MAC"),
    ("B12: the same, unsaid", pair("HMAC_256", None), "write keyUsage: GENERATE_VERIFY_MAC"),
    (
        "B13: secp256k1 cannot agree",
        pair("ECC_SECG_P256K1", "KEY_AGREEMENT"),
        "this keySpec can only sign: write keyUsage: SIGN_VERIFY",
    ),
    (
        "B14: ECC cannot encrypt",
        pair("ECC_NIST_P256", "ENCRYPT_DECRYPT"),
        "takes keyUsage SIGN_VERIFY or KEY_AGREEMENT: write one",
    ),
    *(
        (
            f"B21: {spec} does not rotate",
            pair(spec, usage) | {"enableKeyRotation": True},
            "remove enableKeyRotation, or use keySpec: SYMM",
        )
        for spec, usage in (("RSA_2048", None), ("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC"))
    ),
    ("B22: imported material", {"origin": "EXTERNAL", "enableKeyRotation": True}, "KMS rotates material of its own only"),
    ("B22: a CloudHSM store", STORE | {"enableKeyRotation": True}, "KMS rotates material of its own only"),
    ("B24: period 89", {"enableKeyRotation": True, "rotationPeriodInDays": 89}, "spec.rotationPeriodInDays in body should be"),
    (
        "B25: period 2561",
        {"enableKeyRotation": True, "rotationPeriodInDays": 2561},
        "spec.rotationPeriodInDays in body should be",
    ),
    ("B26: a period without rotation", {"rotationPeriodInDays": 90}, "rotationPeriodInDays needs enableKeyRotation: true"),
    (
        "B26: with rotation off",
        {"rotationPeriodInDays": 90, "enableKeyRotation": False},
        "rotationPeriodInDays needs enableKeyRotation",
    ),
    ("B27: window 6", {"pendingWindowInDays": 6}, WINDOW),
    ("B28: window 31", {"pendingWindowInDays": 31}, WINDOW),
    ("B29: window 0", {"pendingWindowInDays": 0}, WINDOW),
    ("B30: a window in quotes", {"pendingWindowInDays": "30"}, "spec.pendingWindowInDays in body must be of type integer"),
    ("B31: half a day", {"pendingWindowInDays": 7.5}, "spec.pendingWindowInDays in body must be of type integer"),
    ("B32: window 1e9", {"pendingWindowInDays": 10**9}, WINDOW),
    ("B33: deletionPolicy delete", {"deletionPolicy": "delete"}, 'supported values: "ScheduleKeyDeletion"'),
    ("B34: deletionPolicy Orphan", {"deletionPolicy": "Orphan"}, 'supported values: "ScheduleKeyDeletion"'),
    ("B35: enabled in words", {"enabled": "no"}, "spec.enabled in body must be of type boolean"),
    ("B36: enabled in numbers", {"enabled": 0}, "spec.enabled in body must be of type boolean"),
    ("B37: a description of 8193", {"description": "x" * 8193}, "spec.description: Too long: may not be more than 8192"),
    *(
        (f"B39: {char!r} in a description", {"description": f"a{char}"}, "a description takes no control characters")
        for char in "\x00\x07\x7f"
    ),
    ("B42: an empty policy", {"keyPolicy": ""}, "spec.keyPolicy in body should be at least 2 chars long"),
    ("B43: a policy of spaces", {"keyPolicy": "   "}, POLICY),
    ("B56: a policy that begins with a byte order mark", {"keyPolicy": "\ufeff{}"}, POLICY),
    *((f"B58: {char!r} in a policy", {"keyPolicy": f"{{{char}}}"}, POLICY) for char in "\U0001f511\u20ac"),
    *((f"B59: {char!r} in a policy", {"keyPolicy": f"{{{char}}}"}, POLICY) for char in "\x00\x1f"),
    ("B61: a policy of 131073", {"keyPolicy": "x" * 131_073}, "spec.keyPolicy: Too long: may not be more than 131072"),
    ("B62: a policy of 2 MiB", {"keyPolicy": "x" * 2**21}, "spec.keyPolicy: Too long: may not be more than 131072"),
    ("B76: a tag of AWS", {"tags": {"aws:x": "x"}}, "belong to AWS: choose another prefix"),
    *((f"B77: tag {key}", {"tags": {key: "x"}}, "belong to AWS: choose another prefix") for key in ("AWS:x", "Aws:")),
    ("B78: an empty tag key", {"tags": {"": "x"}}, "a tag key has 1 to 128 characters"),
    ("B79: a tag key of 129", {"tags": {"k" * 129: "x"}}, "a tag key has 1 to 128 characters"),
    ("B80: a tag value of 257", {"tags": {"k": "x" * 257}}, "spec.tags.k: Too long: may not be more than 256"),
    ("B81: a tag key of 128 emoji", {"tags": {"\U0001f511" * 128: "x"}}, TAG_KEY),
    ("B82: 51 tags", {"tags": tags(51)}, "spec.tags: Too many: 51: must have at most 47 items"),
    ("B83: 48 tags, and three of ours", {"tags": tags(48)}, "spec.tags: Too many: 48: must have at most 47 items"),
    ("B84: a tag of ours", {"tags": {f"{TAG_PREFIX}uid": "x"}}, "are the operator's owner tags: choose another prefix"),
    ("B86: a letter and its accent apart, as KMS refuses it too", {"tags": {"e\u0301": "a"}}, TAG_KEY),
    *((f"B87: tag value {text!r}", {"tags": {"k": text}}, TAG_VALUE) for text in (" x", "x ", " ", "a\nb")),
    *((f"B87: tag key {text!r}", {"tags": {text: "x"}}, TAG_KEY) for text in (" x", "x ", "a\nb")),
    ("B88: a tag value that is a number", {"tags": {"k": 7}}, "spec.tags.k in body must be of type string"),
    ("B90: AWS's own alias", {"aliases": ["alias/aws/s3"]}, "belong to AWS: choose another name"),
    ("B90: without alias/", {"aliases": ["aws/s3"]}, "belong to AWS: choose another name"),
    ("B91: an alias of 257", {"aliases": ["alias/" + "x" * 251]}, "Too long: may not be more than 256"),
    ("B91: a colon in an alias", {"aliases": ["a:b"]}, "an alias takes letters, digits, /, _ and - only"),
    ("B93: a grant of nothing", {"grants": [GRANT | {"operations": []}]}, "should have at least 1 items"),
    ("B94: a grant to fly", {"grants": [GRANT | {"operations": ["Fly"]}]}, "Unsupported value"),
    (
        "B95: Sign on a symmetric key",
        {"grants": [GRANT | {"operations": ["Sign"]}]},
        "a grant on a key that encrypts allows Encrypt",
    ),
    ("B95: Decrypt on a signing key", RSA | {"grants": [GRANT]}, "a grant on a key that signs allows Sign"),
    ("B96: a grant to everybody", {"grants": [GRANT | {"granteeRoleArn": "*"}]}, "write the ARN of a role"),
    ("B96: the same as a principal", {"grants": [USER | {"granteePrincipal": "*"}]}, "there is no grant to everybody"),
    ("B97: a grant twice", {"grants": [GRANT, GRANT]}, "Duplicate value"),
    ("B98: one name, two grants", {"grants": [GRANT, GRANT | {"operations": ["Encrypt"]}]}, "Duplicate value"),
    ("B99: a grant without a name", {"grants": [{"granteeRoleArn": ROLE, "operations": ["Decrypt"]}]}, "name: Required value"),
    (
        "B100: a context of a signing key",
        RSA | {"grants": [context() | {"operations": ["Sign"]}]},
        "only SYMMETRIC_DEFAULT keys have",
    ),
    ("B100: nine pairs", {"grants": [context(9)]}, "must have at most 8 items"),
    ("B100: a value of 385", {"grants": [context(1, "x" * 385)]}, "Too long"),
    ("B101: a provider without a name", {"providerRef": {}}, "spec.providerRef.name: Required value"),
    ("B102: an empty provider", {"providerRef": {"name": ""}}, "spec.providerRef.name in body should be at least 1 chars long"),
]
BAD_PROVIDERS: list[tuple[str, Spec, str]] = [
    *(
        (f"B106: region {name!r}", REGION | {"region": name}, "write a region, such as us-east-1")
        for name in ("", "us-east", "a.b")
    ),
    ("B108: a region in capitals", REGION | {"region": "US-EAST-1"}, "write a region, such as us-east-1"),
    ("B109: a region and a space", REGION | {"region": "us-east-1 "}, "write a region, such as us-east-1"),
    *(
        (f"B110: endpoint {url}", REGION | {"endpoint": url}, URL)
        for url in ("localhost:4566", "https://", "http://host?x", "http://a b")
    ),
    ("B112: an endpoint with a password", REGION | {"endpoint": "https://user:secret@host"}, URL),
    ("B113: an endpoint that is a file", REGION | {"endpoint": "file:///etc/passwd"}, URL),
    *(
        (f"B114: role {arn!r}", REGION | {"roleARN": arn}, "write the ARN of a role, such as")
        for arn in ("operator", "arn:aws:iam::1234:role/a", "arn:aws:iam::123456789012:user/a", f"{ROLE} ", "")
    ),
    ("B116: a role and a Secret", REGION | {"roleARN": ROLE, "credentialsSecret": {"name": "a"}}, "write it as assumeRoleARN"),
    ("B116: a role and keys of a Secret", REGION | {"roleARN": ROLE} | SECRET_REFS, "write it as assumeRoleARN"),
    ("B121: another namespace's Secret", REGION | {"credentialsSecret": {"name": "a", "namespace": "b"}}, "unknown field"),
    ("B122: an externalID of 1225", REGION | {"assumeRoleARN": ROLE, "externalID": "x" * 1225}, "spec.externalID: Too long"),
    (
        "B122: an externalID with a space",
        REGION | {"assumeRoleARN": ROLE, "externalID": "a b"},
        "an external id takes letters, digits and",
    ),
    ("B122: a short sessionName", REGION | {"sessionName": "x"}, "spec.sessionName in body should be at least 2 chars long"),
]
BAD = [("KMSKey", *row) for row in BAD_KEYS] + [("AWSProvider", *row) for row in BAD_PROVIDERS]

# What only looks bad: stored as it is, and for the operator to judge.
ADMITTED: list[tuple[str, str, Spec]] = [
    ("KMSKey", "B4: a spec of tomorrow", {"keySpec": "AES_999"}),
    ("KMSKey", "B10: RSA without a usage", {"keySpec": "RSA_2048"}),
    ("KMSKey", "B15: SM2", pair("SM2", "SIGN_VERIFY")),
    ("KMSKey", "B23: rotation of a disabled key", {"enableKeyRotation": True, "enabled": False}),
    ("KMSKey", "B38: a description of 8192 emoji", {"description": "\U0001f511" * 8192}),
    ("KMSKey", "B40: a description of spaces", {"description": "   "}),
    ("KMSKey", "B41: an empty description", {"description": ""}),
    ("KMSKey", "B44: a policy that is no JSON", {"keyPolicy": "not json"}),
    ("KMSKey", "B60: a policy of 32769 bytes", {"keyPolicy": "x" * 32_769}),
    ("KMSKey", "B60: fewer letters than bytes", {"keyPolicy": "\u00f6" * 32_768}),
    ("KMSKey", "B71: a bypass", {"bypassPolicyLockoutSafetyCheck": True}),
    ("KMSKey", "B85: tag keys that differ in case", {"tags": {"team": "a", "Team": "b"}}),
    ("KMSKey", "B86: a letter with its accent in one", {"tags": {"\u00e9": "a"}}),
    ("KMSKey", "B89: an alias without alias/", {"aliases": ["orders"]}),
    ("KMSKey", "B97: two grants", {"grants": [GRANT, USER]}),
    ("KMSKey", "B103: an unknown provider", {"providerRef": {"name": "nobody.knows-it"}}),
    ("KMSKey", "B104: another namespace's provider", {"providerRef": {"name": "a", "namespace": "b"}}),
    ("AWSProvider", "B107: a region that there is not", {"region": "us-east-99"}),
    ("AWSProvider", "B110: an endpoint without TLS", REGION | {"endpoint": "http://kms.internal"}),
    ("AWSProvider", "B111: an endpoint for metadata", REGION | {"endpoint": "http://169.254.169.254"}),
    ("AWSProvider", "B115: a role of another partition", REGION | {"roleARN": ROLE.replace("aws", "aws-cn", 1)}),
    ("AWSProvider", "B116: no credentials", REGION),
]


def rows(table: Iterable[tuple[Any, ...]]) -> list[Any]:
    return [pytest.param(*(row[:1] + row[2:]), id=row[1]) for row in table]


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[str]:
    """A namespace with a good object of each kind."""
    name = "bad-inputs"
    cluster.kubectl("create", "namespace", name)
    good = [
        {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": NAME}, "spec": REGION if kind == "AWSProvider" else {}}
        for kind in ("KMSKey", "AWSProvider")
    ]
    cluster.kubectl("apply", "-n", name, "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": good}))
    yield name
    cluster.kubectl("delete", "kmskeys,awsproviders", "--all", "-n", name)


@pytest.mark.parametrize(("kind", "spec", "words"), rows(BAD))
def test_a_bad_spec_is_refused_for_a_new_object_and_for_an_old_one(
    cluster: Cluster, place: str, kind: str, spec: Spec, words: str
) -> None:
    with pytest.raises(RefusedError) as new:
        stored(cluster, kind, spec)
    with pytest.raises(RefusedError) as old:
        restored(cluster, kind, place, spec)
    assert words in str(new.value)
    assert words in str(old.value)


@pytest.mark.parametrize(("kind", "spec"), rows(ADMITTED))
def test_what_the_server_cannot_judge_is_stored_as_it_is(cluster: Cluster, place: str, kind: str, spec: Spec) -> None:
    assert stored(cluster, kind, spec) == spec
    assert restored(cluster, kind, place, spec) == spec


def test_b8_null_is_unset(cluster: Cluster, place: str) -> None:
    """The server itself drops a null that a schema does not ask for, before anybody could refuse it."""
    for send in (stored(cluster, "KMSKey", {"keyUsage": None}), restored(cluster, "KMSKey", place, {"keyUsage": None})):
        assert send == {}


FIXED: list[tuple[str, Spec, Spec, str]] = [
    ("B16: another keySpec", {}, {"keySpec": "HMAC_256", "keyUsage": "GENERATE_VERIFY_MAC"}, "keySpec"),
    ("B17: another keyUsage", {"keySpec": "RSA_2048"}, {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}, "keyUsage"),
    ("B18: multiRegion", {}, {"multiRegion": True}, "multiRegion"),
    ("B19: origin", {}, {"origin": "EXTERNAL"}, "origin"),
]


@pytest.mark.parametrize(("before", "after", "field"), [pytest.param(*row[1:], id=row[0]) for row in FIXED])
def test_what_kms_cannot_change_is_fixed_once_the_key_exists(
    cluster: Cluster, namespace: str, before: Spec, after: Spec, field: str
) -> None:
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/kmskeys"
    cluster.api.post(path, {"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": {"name": NAME}, "spec": before})
    assert restored(cluster, "KMSKey", namespace, after) == after
    cluster.api.merge(f"{path}/{NAME}/status", {"status": {"keyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}})
    with pytest.raises(RefusedError, match=f"{field} cannot change once the key exists"):
        restored(cluster, "KMSKey", namespace, after)
    assert restored(cluster, "KMSKey", namespace, before) == before


def test_b32_and_b125_what_is_not_the_users_to_say_is_not_taken_from_a_manifest(cluster: Cluster, namespace: str) -> None:
    """A window in an annotation is no window; a status is the operator's; an owner that is gone is the garbage collector's affair."""
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/kmskeys"
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}
    metadata = {"name": NAME, "annotations": {f"{TAG_PREFIX}pending-window-in-days": "abc"}, "ownerReferences": [owner]}
    whole = {
        "apiVersion": API_VERSION,
        "kind": "KMSKey",
        "metadata": metadata,
        "spec": {},
        "status": {"keyId": "not-mine", "ready": True},
    }
    made = cluster.api.post(path, whole)
    assert (made["spec"], made["status"]) == ({}, {"observedGeneration": -1})
    assert made["metadata"]["ownerReferences"] == [owner]
