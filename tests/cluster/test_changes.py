"""What a real API server lets users change in a KMSKey, before its key exists and after."""

from typing import Any

import pytest

from reconcilers.names import API_VERSION
from tests.cluster.api import RefusedError
from tests.cluster.cluster import Cluster

Spec = Any  # as a user may write it: of any type

POLICY = '{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}'
RSA, SIGNING_RSA = {"keySpec": "RSA_2048"}, {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}

FIXED: list[tuple[str, Spec, Spec, str]] = [
    ("B16", {}, {"keySpec": "HMAC_256", "keyUsage": "GENERATE_VERIFY_MAC"}, "keySpec cannot change once the key exists"),
    ("another name", {}, {"customerMasterKeySpec": "RSA_2048"}, "keySpec cannot change once the key exists"),
    ("set to unset", RSA, {"keySpec": None}, "keySpec cannot change once the key exists"),
    ("B17", RSA, {"keyUsage": "SIGN_VERIFY"}, "keyUsage cannot change once the key exists"),
    ("B17, unset", SIGNING_RSA, {"keyUsage": None}, "keyUsage cannot change once the key exists"),
    ("B19", {}, {"origin": "EXTERNAL"}, "origin cannot change once the key exists"),
    ("B19, unset", {"origin": "EXTERNAL"}, {"origin": None}, "origin cannot change once the key exists"),
    ("another store", {"origin": "AWS_CLOUDHSM", "customKeyStoreId": "a"}, {"customKeyStoreId": "b"}, "customKeyStoreId cannot change once"),
    (
        "another external key",
        {"origin": "EXTERNAL_KEY_STORE", "customKeyStoreId": "a", "xksKeyId": "a"},
        {"xksKeyId": "b"},
        "xksKeyId cannot change once the key exists",
    ),
    ("B18", {}, {"multiRegion": True}, "multiRegion cannot change once the key exists"),
    ("B18, back", {"multiRegion": True}, {"multiRegion": False}, "multiRegion cannot change once the key exists"),
    ("B18, unset", {"multiRegion": True}, {"multiRegion": None}, "multiRegion cannot change once the key exists"),
]
FREE: list[tuple[str, Spec, Spec]] = [
    ("the default, said", {}, {"keySpec": "SYMMETRIC_DEFAULT", "keyUsage": "ENCRYPT_DECRYPT", "multiRegion": False}),
    ("the default, unsaid", {"keySpec": "SYMMETRIC_DEFAULT", "multiRegion": False}, {"keySpec": None, "multiRegion": None}),
    ("the older name", RSA, {"keySpec": None, "customerMasterKeySpec": "RSA_2048"}),
    ("the newer name", {"customerMasterKeySpec": "RSA_2048"}, {"keySpec": "RSA_2048", "customerMasterKeySpec": None}),
    ("B20: providerRef", {"providerRef": {"name": "a"}}, {"providerRef": {"name": "b"}}),
    ("what KMS can change", {}, {"description": "x", "enabled": False, "tags": {"a": "b"}, "keyPolicy": POLICY}),
    ("the default origin, said", {}, {"origin": "AWS_KMS"}),
    ("the token", {"rotateOnDemand": "1"}, {"rotateOnDemand": "2"}),
    ("rotation", {}, {"enableKeyRotation": True, "rotationPeriodInDays": 90}),
    ("deletion", {"deletionPolicy": "Delete"}, {"deletionPolicy": "Retain", "pendingWindowInDays": 7}),
    ("everything unset", {"description": "x", "enabled": False, "tags": {"a": "b"}}, {"description": None, "enabled": None, "tags": None}),
]


def path(namespace: str, name: str = "") -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/kmskeys{name}"


def make(cluster: Cluster, namespace: str, spec: Spec) -> None:
    cluster.api.post(path(namespace), {"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": {"name": "probe"}, "spec": spec})


def give_key(cluster: Cluster, namespace: str) -> None:
    """As the operator does it when the key is made."""
    cluster.api.merge(path(namespace, "/probe/status"), {"status": {"keyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}})


def changed(cluster: Cluster, namespace: str, change: Spec) -> Spec:
    """The spec as it would become. Raises RefusedError with the refusal."""
    return cluster.api.merge(path(namespace, "/probe?dryRun=All"), {"spec": change})["spec"]


@pytest.mark.parametrize(("before", "change", "words"), [pytest.param(*row[1:], id=row[0]) for row in FIXED])
def test_what_kms_cannot_change_is_fixed_once_the_key_exists(
    cluster: Cluster, namespace: str, before: Spec, change: Spec, words: str
) -> None:
    make(cluster, namespace, before)
    changed(cluster, namespace, change)  # a typo can be set right until then
    give_key(cluster, namespace)
    with pytest.raises(RefusedError) as refused:
        changed(cluster, namespace, change)
    assert words in str(refused.value)
    assert "make a new KMSKey" in str(refused.value)

@pytest.mark.parametrize(("before", "change"), [pytest.param(*row[1:], id=row[0]) for row in FREE])
def test_everything_else_stays_free(cluster: Cluster, namespace: str, before: Spec, change: Spec) -> None:
    make(cluster, namespace, before)
    give_key(cluster, namespace)
    wanted = {name: value for name, value in {**before, **change}.items() if value is not None}
    assert changed(cluster, namespace, change) == wanted

def test_a_change_is_judged_like_a_new_key(cluster: Cluster, namespace: str) -> None:
    make(cluster, namespace, {})
    give_key(cluster, namespace)
    with pytest.raises(RefusedError, match="should be less than or equal to 30"):
        changed(cluster, namespace, {"pendingWindowInDays": 31})


def test_the_columns_of_kubectl_get_are_there_before_the_operator_is(cluster: Cluster, namespace: str) -> None:
    make(cluster, namespace, {})
    assert cluster.kubectl("get", "kms", "-n", namespace).split()[:5] == ["NAME", "KEYID", "STATE", "READY", "AGE"]
    assert "probe" in cluster.kubectl("get", "aws", "-n", namespace)
