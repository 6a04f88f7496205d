"""The optional admission policies on the real API server: what they refuse, in which words, and what they let pass.

Their bindings are narrowed to one namespace here, so that no other test meets them.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.emulator import REPOSITORY
from tests.cluster.kubectl import Kubectl, KubectlError
from tests.cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT

FOLDER = REPOSITORY / "manifests" / "components" / "admission-policies"
POLICIES = [FOLDER / f"{name}.yaml" for name in ("deletion-protection", "exports", "open-key-policies", "providers")]
API = "aws-infra-operator.runner.codes/v1alpha1"
PRESENT_SECONDS = 30.0  # the server looks for new policies about once a second

OPEN = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
CLOSED = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}
LIMITED = {**OPEN, "Condition": {"StringEquals": {"kms:CallerAccount": "123456789012"}}}


def provider(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": API, "kind": "AWSProvider", "metadata": {"name": "a"}, "spec": {"region": "us-east-1", **spec}}


def key(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": API, "kind": "KMSKey", "metadata": {"name": "a"}, "spec": spec}


def key_with(statement: dict[str, Any], **layout: Any) -> dict[str, Any]:
    return key(keyPolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}, **layout))


@pytest.fixture(scope="module")
def guarded(cluster: Cluster) -> Iterator[str]:
    """A namespace in which the policies hold."""
    name = "guarded"
    cluster.kubectl("create", "namespace", name)
    documents = [document for path in POLICIES for document in yaml.safe_load_all(path.read_text())]
    for document in documents:
        if document["kind"] == "ValidatingAdmissionPolicyBinding":
            only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
            document["spec"]["matchResources"] = only
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))
    until_refused(lambda: tried(cluster, name, provider(endpoint="http://127.0.0.1:1")))
    until_refused(lambda: tried(cluster, name, key_with(OPEN)))
    yield name
    cluster.kubectl("delete", "-f", "-", stdin=yaml.safe_dump_all(documents))
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def until_refused(attempt: Callable[[], str]) -> None:
    """A policy holds some moments after it was created."""
    deadline = time.monotonic() + PRESENT_SECONDS
    while attempt() == "":
        assert time.monotonic() < deadline, "the policy does not take effect"


def tried(cluster: Cluster, namespace: str, document: dict[str, Any]) -> str:
    """The words of the refusal, or nothing."""
    try:
        cluster.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=json.dumps(document))
    except KubectlError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (provider(), "write credentialsSecret"),
        (provider(roleARN="arn:aws:iam::123456789012:role/keys"), "write credentialsSecret"),
        (provider(credentialsSecret={"name": "aws"}, endpoint="https://kms.example"), "remove spec.endpoint"),
        (provider(credentialsSecret={"name": "aws"}), ""),
        (key_with(OPEN), "spec.keyPolicy allows everybody"),
        (key_with({**OPEN, "Principal": {"AWS": "*"}}), "spec.keyPolicy allows everybody"),
        (key_with({**OPEN, "Principal": {"AWS": ["*"]}}, indent=2), "spec.keyPolicy allows everybody"),
        (key_with(LIMITED), ""),
        (key_with(CLOSED), ""),
        (key(), ""),
    ],
    ids=lambda value: json.dumps(value["spec"])[:60] if isinstance(value, dict) else None,
)
def test_what_the_policies_refuse(cluster: Cluster, guarded: str, document: dict[str, Any], words: str) -> None:
    refusal = tried(cluster, guarded, document)
    assert words in refusal if words else refusal == ""


def test_a_trusted_namespace_may_use_the_operator_s_own_identity(cluster: Cluster, guarded: str) -> None:
    cluster.kubectl("label", "namespace", guarded, "infra-operator/trusted=true")
    deadline = time.monotonic() + PRESENT_SECONDS
    try:
        while refusal := tried(cluster, guarded, provider()):
            assert time.monotonic() < deadline, refusal
    finally:
        cluster.kubectl("label", "namespace", guarded, "infra-operator/trusted-")


def test_a_protected_key_is_not_deleted_until_it_is_no_longer_protected(cluster: Cluster, guarded: str) -> None:
    cluster.kubectl("create", "-n", guarded, "-f", "-", stdin=json.dumps(key(deletionProtection=True)))
    with pytest.raises(KubectlError, match=r"spec\.deletionProtection is true: set it to false first"):
        cluster.kubectl("delete", "kmskey", "a", "-n", guarded)
    cluster.kubectl("patch", "kmskey", "a", "-n", guarded, "--type=merge", "-p", '{"spec":{"deletionProtection":false}}')
    cluster.kubectl("delete", "kmskey", "a", "-n", guarded, "--timeout=30s")


def exported(*owners: str) -> str:
    """A ConfigMap of these owners, by their kinds."""
    references = [{"apiVersion": API, "kind": kind, "name": "a", "uid": "0b6c7ad2-52a5-4d9e-9a52-0d6f6c1f4f01"} for kind in owners]
    metadata = {"name": "exported", "ownerReferences": references}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}})


def test_the_operator_writes_only_what_belongs_to_a_key(cluster: Cluster, guarded: str) -> None:
    operator = cluster.kubectl_as(NAMESPACE, SERVICE_ACCOUNT)
    create = ("create", "-n", guarded, "--validate=false", "-f", "-")
    deadline = time.monotonic() + PRESENT_SECONDS
    while not_done(operator, *create, "--dry-run=server", stdin=exported()) == "":
        assert time.monotonic() < deadline, "the policy does not take effect"
    assert "belong to a KMSKey" in not_done(operator, *create, stdin=exported("AWSProvider"))
    assert not_done(operator, *create, "--dry-run=server", stdin=exported("KMSKey")) == ""
    patch = ("patch", "configmap", "theirs", "-n", guarded, "--type=merge", "-p", '{"data":{"a":"x"}}')
    cluster.kubectl("create", "configmap", "theirs", "-n", guarded, "--from-literal=a=b")
    assert "belong to a KMSKey" in not_done(operator, *patch)
    assert "belong to a KMSKey" in not_done(operator, "delete", "configmap", "theirs", "-n", guarded)
    cluster.kubectl(*patch)  # everybody else as before


def not_done(kubectl: Kubectl, *args: str, stdin: str | None = None) -> str:
    """The words of the refusal, or nothing."""
    try:
        kubectl(*args, stdin=stdin)
    except KubectlError as error:
        return str(error)
    return ""


def test_every_policy_of_the_folder_is_tried_here() -> None:
    assert {path.name for path in POLICIES} == {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
