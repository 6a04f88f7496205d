"""What a real API server lets through, what it refuses, and with which words: the specs of users, before the operator sees them.

The bad inputs that have a number stand in test_bad_inputs.py.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconcilers.fields import DeletionPolicy
from tests.cluster.admission import stored
from tests.cluster.api import RefusedError
from tests.cluster.cluster import Cluster

DOCUMENTS = sorted((Path(__file__).parent / "documents").glob("*.yaml"))
Spec = Any  # as a user may write it: of any type

REGION = {"region": "us-east-1"}
ACCOUNT = "111122223333"
KEY_REF = {"name": "aws", "key": "id"}
SECRET_REFS = {"accessKeyIDRef": KEY_REF, "secretAccessKeyRef": KEY_REF}
ROLE = "arn:aws:iam::123456789012:role/operator"
POLICY = '{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}'


ADOPTED = {"keyId": "1234abcd-12ab-34cd-56ef-1234567890ab", "arn": "arn:aws:kms:us-east-1:123456789012:key/k", "alias": "alias/orders"}


def tags(count: int) -> dict[str, str]:
    return {f"tag-{number}": "x" for number in range(count)}


def pair(spec: str, usage: str | None) -> dict[str, str]:
    return {"keySpec": spec} | ({"keyUsage": usage} if usage else {})


def rows(table: Iterable[tuple[str, Spec, str]]) -> list[object]:
    return [pytest.param(spec, words, id=name) for name, spec, words in table]


GOOD_KEYS: list[tuple[str, Spec]] = [
    ("nothing", {}),
    ("everything off", {"enabled": False, "enableKeyRotation": False, "multiRegion": False, "bypassPolicyLockoutSafetyCheck": False}),
    ("a usage of tomorrow with its spec", pair("ML_KEM_768", "ENCAPSULATE_DECAPSULATE")),
    ("RSA that signs", pair("RSA_4096", "SIGN_VERIFY")),
    ("the older name", {"customerMasterKeySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}),
    ("both names, alike", {"keySpec": "RSA_2048", "customerMasterKeySpec": "RSA_2048"}),
    ("HMAC", pair("HMAC_256", "GENERATE_VERIFY_MAC")),
    ("ECC that signs", pair("ECC_NIST_P256", "SIGN_VERIFY")),
    ("ECC that agrees", pair("ECC_NIST_P521", "KEY_AGREEMENT")),
    ("secp256k1", pair("ECC_SECG_P256K1", "SIGN_VERIFY")),
    ("Ed25519", pair("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")),
    ("ML-DSA", pair("ML_DSA_65", "SIGN_VERIFY")),
    ("rotation", {"enableKeyRotation": True}),
    ("all drift told but some", {"driftPolicy": "Report", "ignoreDrift": ["description", "enabled", "policy", "rotation", "tags"]}),
    ("some drift ignored", {"driftPolicy": "Correct", "ignoreDrift": ["tags.cost:center", "aliases", "grants", "deletionState"]}),
    ("the shortest period", {"enableKeyRotation": True, "rotationPeriodInDays": 90}),
    ("the longest period", {"enableKeyRotation": True, "rotationPeriodInDays": 2560}),
    ("rotation on demand", {"rotateOnDemand": "2026-03 \u00e9"}),
    ("the longest token", {"rotateOnDemand": "x" * 64}),
    ("KMS's own material", {"origin": "AWS_KMS", "enableKeyRotation": True, "rotateOnDemand": "1", "multiRegion": True}),
    ("imported material", {"origin": "EXTERNAL", "keySpec": "HMAC_256", "keyUsage": "GENERATE_VERIFY_MAC", "enableKeyRotation": False}),
    ("imported material of a multi-Region key", {"origin": "EXTERNAL", "multiRegion": True}),
    ("a CloudHSM store", {"origin": "AWS_CLOUDHSM", "customKeyStoreId": "cks-1234567890abcdef0", "multiRegion": False}),
    ("an external store", {"origin": "EXTERNAL_KEY_STORE", "customKeyStoreId": "cks-1", "xksKeyId": "a-B_c.1"}),
    ("rotation off, for RSA", {"keySpec": "RSA_2048", "enableKeyRotation": False}),
    *((f"window {days}", {"pendingWindowInDays": days}) for days in (7, 30)),
    *((f"deletionPolicy {policy}", {"deletionPolicy": policy.value}) for policy in DeletionPolicy),
    ("a description of two lines", {"description": "one\n\ttwo"}),
    ("a policy with Latin-1 text", {"keyPolicy": POLICY.replace("Allow", "All\u00f6w")}),
    ("a policy on lines of its own", {"keyPolicy": f"\n\t{POLICY}\r\n"}),
    ("the longest policy", {"keyPolicy": "x" * 131_072}),
    ("empty tag value", {"tags": {"team": ""}}),
    ("the longest tag", {"tags": {"k" * 128: "v" * 256}}),
    ("tags of all characters", {"tags": {"a_.:/=+-@ \u00e9\u4e2d9": "a_.:/=+-@ \u00e9\u4e2d9"}}),
    ("tags that mention aws later on", {"tags": {"my-aws:x": "aws:y"}}),
    ("47 tags", {"tags": tags(47)}),
    ("no tags", {"tags": {}}),
    *((f"adoption by {name}", {"adopt": {name: value}}) for name, value in ADOPTED.items()),
    ("adoption of an alias of AWS's, which the operator refuses", {"adopt": {"alias": "alias/aws/ebs"}}),
    ("adoption or creation", {"adopt": {"alias": "orders", "policy": "AdoptOrCreate"}, "managementPolicy": "Full"}),
    ("observation", {"adopt": {"keyId": "k"}, "managementPolicy": "Observe"}),
    ("another namespace's provider", {"providerRef": {"name": "a", "namespace": "b"}}),
]

BAD_KEYS: list[tuple[str, Spec, str]] = [
    ("observation of nothing", {"managementPolicy": "Observe"}, "managementPolicy Observe needs a key to observe: name it in adopt"),
    ("adoption of nothing", {"adopt": {}}, "name the key once: write keyId, arn or alias"),
    ("adoption under two names", {"adopt": {"keyId": "k", "alias": "a"}}, "name the key once: write keyId, arn or alias"),
    ("adoption by an alias in place of an id", {"adopt": {"keyId": "alias/aws/ebs"}}, "write the id of a key"),
    ("adoption by the ARN of an alias", {"adopt": {"arn": "arn:aws:kms:us-east-1:123456789012:alias/a"}}, "write the ARN of a key"),
    ("adoption by a wildcard", {"adopt": {"alias": "a*"}}, "an alias takes letters, digits"),
    ("another policy of adoption", {"adopt": {"keyId": "k", "policy": "Steal"}}, "supported values"),
    ("another management", {"adopt": {"keyId": "k"}, "managementPolicy": "None"}, "supported values"),
    ("two names, two specs", {"keySpec": "RSA_2048", "customerMasterKeySpec": "RSA_3072"}, "two names of one field: write keySpec only"),
    ("no MACs of a symmetric key", {"keyUsage": "GENERATE_VERIFY_MAC"}, "needs a keySpec for MACs: HMAC_224, HMAC_256, HMAC_384 or"),
    ("nor agree", {"keyUsage": "KEY_AGREEMENT"}, "agree on keys: ECC_NIST_P256, ECC_NIST_P384 or ECC_NIST_P521"),
    ("nor encapsulate", {"keyUsage": "ENCAPSULATE_DECAPSULATE"}, "SYMMETRIC_DEFAULT takes keyUsage ENCRYPT_DECRYPT only"),
    ("Ed25519 does not encrypt", pair("ECC_NIST_EDWARDS25519", None), "this keySpec can only sign: write keyUsage: SIGN_VERIFY"),
    ("nor ML-DSA", pair("ML_DSA_44", "ENCRYPT_DECRYPT"), "this keySpec can only sign: write keyUsage: SIGN_VERIFY"),
    ("RSA makes no MACs", pair("RSA_2048", "GENERATE_VERIFY_MAC"), "takes keyUsage ENCRYPT_DECRYPT or SIGN_VERIFY: write one of them"),
    ("the pair under its older name", {"customerMasterKeySpec": "HMAC_256"}, "write keyUsage: GENERATE_VERIFY_MAC"),
    ("RSA on demand", pair("RSA_2048", None) | {"rotateOnDemand": "1"}, "remove rotateOnDemand, or use keySpec: SYMMETRIC_DEFAULT"),
    ("a rotating store", {"origin": "AWS_CLOUDHSM", "customKeyStoreId": "a", "enableKeyRotation": True}, "rotates material of its own only"),
    ("nor does imported material, on demand", {"origin": "EXTERNAL", "rotateOnDemand": "1"}, "remove rotateOnDemand, or use origin: AWS_KMS"),
    ("an origin of tomorrow", {"origin": "MOON"}, 'supported values: "AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"'),
    *(
        (f"{origin} without a store", {"origin": origin} | ({"xksKeyId": "x"} if "STORE" in origin else {}), "need a customKeyStoreId")
        for origin in ("AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")
    ),
    *(
        (f"{origin} with a store", {"customKeyStoreId": "a"} | ({"origin": origin} if origin else {}), "no other origin takes one")
        for origin in (None, "AWS_KMS", "EXTERNAL")
    ),
    ("an external store without a key", {"origin": "EXTERNAL_KEY_STORE", "customKeyStoreId": "a"}, "needs an xksKeyId"),
    ("a CloudHSM store with one", {"origin": "AWS_CLOUDHSM", "customKeyStoreId": "a", "xksKeyId": "b"}, "no other origin takes one"),
    ("a store of RSA keys", {"origin": "AWS_CLOUDHSM", "customKeyStoreId": "a", "keySpec": "RSA_2048"}, "hold SYMMETRIC_DEFAULT keys only"),
    ("a store in two regions", {"origin": "AWS_CLOUDHSM", "customKeyStoreId": "a", "multiRegion": True}, "hold no multi-Region keys"),
    ("a store's id with a space", {"origin": "AWS_CLOUDHSM", "customKeyStoreId": "a b"}, "write the id of a custom key store"),
    ("no token", {"rotateOnDemand": ""}, "spec.rotateOnDemand in body should be at least 1 chars long"),
    ("a token of 65", {"rotateOnDemand": "x" * 65}, "spec.rotateOnDemand: Too long: may not be more than 64"),
    ("a token with a line break", {"rotateOnDemand": "a\x00"}, "write a token without control characters"),
    ("a tag value of emoji", {"tags": {"k": "\U0001f511"}}, "a tag value takes letters, digits, spaces inside"),
    ("drift that is obeyed", {"driftPolicy": "Obey"}, 'Unsupported value: "Obey": supported values: "Correct", "Report"'),
    ("drift of a field that cannot drift", {"ignoreDrift": ["keySpec"]}, "write description, enabled, policy, rotation, tags, tags.KEY"),
    ("drift of a tag without a name", {"ignoreDrift": ["tags."]}, "tags.KEY, aliases, grants or deletionState"),
    ("drift ignored twice", {"ignoreDrift": ["tags", "tags"]}, "Duplicate value"),
    ("a resync of a second", {"resyncInterval": "1s"}, "write a duration of at least 30s, such as 5m or 1h30m"),
    ("a resync in words", {"resyncInterval": "5 minutes"}, "write a duration of at least 30s, such as 5m or 1h30m"),
    ("suspend in words", {"suspend": "yes"}, "spec.suspend in body must be of type boolean"),
    ("an empty namespace", {"providerRef": {"name": "a", "namespace": ""}}, "spec.providerRef.namespace in body should be at least"),
]

GOOD_PROVIDERS: list[tuple[str, Spec]] = [
    ("a region", REGION),
    *((f"region {name}", {"region": name}) for name in ("us-gov-west-1", "cn-north-1", "ap-southeast-5", "us-iso-east-1")),
    *(
        (f"endpoint {url}", REGION | {"endpoint": url})
        for url in ("http://localhost:4566", "https://vpce-1.kms.us-east-1.vpce.amazonaws.com/", "http://[::1]:4566")
    ),
    ("a role", REGION | {"roleARN": ROLE}),
    ("a role with a path", REGION | {"roleARN": "arn:aws-cn:iam::123456789012:role/a/b+c=d,e.f@g-h_i"}),
    ("a further role", REGION | {"assumeRoleARN": ROLE, "externalID": "a:b/c-9", "sessionName": "me", "sessionTags": {"team": "shop"}}),
    ("a role with a Secret's credentials", REGION | {"assumeRoleARN": ROLE, "credentialsSecret": {"name": "aws"}}),
    ("keys of a Secret", REGION | SECRET_REFS),
    ("keys of a Secret, with a token", REGION | SECRET_REFS | {"sessionTokenRef": KEY_REF}),
    ("a Secret", REGION | {"credentialsSecret": {"name": "aws"}}),
    ("an account", REGION | {"accountID": "000000000012"}),
    ("the longest externalID", REGION | {"assumeRoleARN": ROLE, "externalID": "x" * 1224}),
    *(
        (f"a queue at {host}", {"region": region, "events": {"queueURL": f"https://{host}/{ACCOUNT}/kms-events"}})
        for host, region in (
            ("sqs.us-east-1.amazonaws.com", "us-east-1"),
            ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("vpce-1-ab.sqs.us-east-1.vpce.amazonaws.com", "us-east-1"),
        )
    ),
    ("47 default tags", REGION | {"defaultTags": tags(47)}),
]

BAD_PROVIDERS: list[tuple[str, Spec, str]] = [
    ("no region", {}, "spec.region: Required value"),
    ("two ways to name a Secret", REGION | {"credentialsSecret": {"name": "a"}} | SECRET_REFS, "two ways to say the same: write one"),
    ("half of the keys", REGION | {"accessKeyIDRef": KEY_REF}, "accessKeyIDRef and secretAccessKeyRef go together: write both or neither"),
    ("the other half", REGION | {"secretAccessKeyRef": KEY_REF}, "go together: write both or neither"),
    ("a token alone", REGION | {"sessionTokenRef": KEY_REF}, "sessionTokenRef needs accessKeyIDRef and secretAccessKeyRef"),
    ("a Secret without a name", REGION | {"credentialsSecret": {}}, "spec.credentialsSecret.name: Required value"),
    ("an externalID for nothing", REGION | {"externalID": "abc"}, "externalID needs assumeRoleARN"),
    ("session tags for nothing", REGION | {"sessionTags": {"a": "b"}}, "sessionTags need assumeRoleARN"),
    ("a sessionName with a space", REGION | {"sessionName": "a b"}, "a session name takes letters, digits and"),
    ("an account of 11 digits", REGION | {"accountID": "12345678901"}, "write the account's 12 digits, in quotes"),
    ("an account without quotes", REGION | {"accountID": 123456789012}, "spec.accountID in body must be of type string"),
    ("events from nowhere", REGION | {"events": {}}, "spec.events.queueURL: Required value"),
    *(
        (f"the queue {url}", REGION | {"events": {"queueURL": url}}, "write the URL of a standard SQS queue, such as https://sqs.")
        for url in (
            f"arn:aws:sqs:us-east-1:{ACCOUNT}:kms-events",
            f"http://sqs.us-east-1.amazonaws.com/{ACCOUNT}/kms-events",
            f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/kms-events.fifo",
            "https://sqs.us-east-1.amazonaws.com/kms-events",
        )
    ),
    (
        "a queue of another region",
        REGION | {"events": {"queueURL": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/kms-events"}},
        "the queue must be in the provider's region",
    ),
    ("a default tag of AWS", REGION | {"defaultTags": {"aws:x": "y"}}, "belong to AWS: choose another prefix"),
    ("48 default tags", REGION | {"defaultTags": tags(48)}, "spec.defaultTags: Too many: 48"),
]


@pytest.mark.parametrize("spec", [pytest.param(spec, id=name) for name, spec in GOOD_KEYS])
def test_a_good_key_is_stored_as_it_was_written(cluster: Cluster, spec: Spec) -> None:
    assert stored(cluster, "KMSKey", spec) == spec


@pytest.mark.parametrize(("spec", "words"), rows(BAD_KEYS))
def test_a_bad_key_is_refused_with_the_way_out(cluster: Cluster, spec: Spec, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        stored(cluster, "KMSKey", spec)
    assert words in str(refused.value)


@pytest.mark.parametrize("spec", [pytest.param(spec, id=name) for name, spec in GOOD_PROVIDERS])
def test_a_good_provider_is_stored_as_it_was_written(cluster: Cluster, spec: Spec) -> None:
    assert stored(cluster, "AWSProvider", spec) == spec


@pytest.mark.parametrize(("spec", "words"), rows(BAD_PROVIDERS))
def test_a_bad_provider_is_refused_with_the_way_out(cluster: Cluster, spec: Spec, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        stored(cluster, "AWSProvider", spec)
    assert words in str(refused.value)


@pytest.mark.parametrize("field", ["keyUsage", "tags", "providerRef", "enabled", "pendingWindowInDays", "keyPolicy"])
def test_null_is_unset(cluster: Cluster, field: str) -> None:
    """B8: the server itself drops a null that a schema does not ask for, before anybody could refuse it."""
    assert stored(cluster, "KMSKey", {field: None}) == {}


def test_a_tag_without_a_value_is_no_tag(cluster: Cluster) -> None:
    assert stored(cluster, "KMSKey", {"tags": {"team": None, "env": "test"}}) == {"tags": {"env": "test"}}


def test_a_client_that_does_not_ask_for_strictness_loses_unknown_fields(cluster: Cluster) -> None:
    assert stored(cluster, "KMSKey", {"keyUse": "x", "enabled": False}, validation="Warn") == {"enabled": False}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_an_example_of_the_product_s_document_is_stored_as_it_was_written(cluster: Cluster, document: Path) -> None:
    told = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(document), "-o", "json")
    stored = json.loads(told)
    specs = [item.get("spec") for item in (stored["items"] if stored["kind"] == "List" else [stored])]
    assert specs == [item.get("spec") for item in yaml.safe_load_all(document.read_text())]
