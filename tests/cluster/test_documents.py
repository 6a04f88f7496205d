"""The examples of the product's document, and samples as the older operator's users have them: applied as they are, they become keys."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.emulator import REPOSITORY
from tests.cluster.operator_process import Operator
from tests.cluster.tenant import Object, Tenant, key, provider, secret

DOCUMENTS = REPOSITORY / "tests" / "cluster" / "documents"
PROVIDERS = {"production-aws": "provider-irsa.yaml", "localstack": "provider-static-credentials.yaml"}
KEYS = sorted(path.name for path in DOCUMENTS.glob("*.yaml") if "\nkind: KMSKey\n" in path.read_text())


def documents(name: str) -> list[Object]:
    """The objects of one file."""
    return list(yaml.safe_load_all((DOCUMENTS / name).read_text()))


@pytest.fixture(scope="module")
def operator(cluster: Cluster) -> Iterator[Operator]:
    with cluster.operator() as running:
        yield running
        assert running.process.terminate(30) == 0


@pytest.fixture
def tenant(operator: Operator, cluster: Cluster, namespace: str) -> Tenant:
    assert operator
    return Tenant(cluster, namespace)


@contextlib.contextmanager
def with_provider(tenant: Tenant, name: str) -> Iterator[None]:
    """A provider of the document in the user's namespace, and nothing else there when the block ends."""
    objects = documents(PROVIDERS[name])
    for one in objects:
        one["metadata"]["namespace"] = tenant.namespace
    tenant.apply(*objects)
    try:
        yield
    finally:
        tenant.leave()
        tenant.kubectl("delete", "awsproviders", "--all")


@pytest.mark.parametrize("name", KEYS)
def test_an_example_becomes_the_key_that_its_reader_expects_and_goes_the_way_that_it_names(name: str, cluster: Cluster, tenant: Tenant) -> None:
    (wanted,) = documents(name)
    user = Tenant(cluster, wanted["metadata"].get("namespace", tenant.namespace))
    with with_provider(user, wanted["spec"].get("providerRef", {}).get("name", "production-aws")):
        user.apply_file(DOCUMENTS / name)
        status = user.until_settled(wanted["metadata"]["name"])
        assert status["ready"] is True
        check(user, status["keyId"], wanted["spec"])
        user.delete(wanted["metadata"]["name"])
        retained = wanted["spec"].get("deletionPolicy") == "Retain"
        assert user.described(status["keyId"])["KeyState"] == ("Enabled" if retained else "PendingDeletion")


def check(user: Tenant, key_id: str, spec: dict[str, Any]) -> None:
    """Whether AWS has what the spec says."""
    seen = user.described(key_id)
    assert seen["Description"] == spec.get("description", "")
    assert (seen["KeySpec"], seen["KeyUsage"]) == (spec["keySpec"], spec["keyUsage"])
    assert seen.get("MultiRegion", False) is spec.get("multiRegion", False)  # moto leaves it out where it was not asked for
    assert user.rotates(key_id) is spec.get("enableKeyRotation", False)
    assert user.tags(key_id).items() >= spec.get("tags", {}).items()
    assert user.tags(key_id)["managed-by"] == "infra-operator"
    if "keyPolicy" in spec:
        assert user.policy(key_id) == json.loads(spec["keyPolicy"])


@pytest.mark.parametrize(("name", "identity"), [("production-aws", "assumed-role/infra-operator-role/infra-operator"), ("localstack", "")])
def test_a_provider_of_the_document_says_who_it_is(name: str, identity: str, tenant: Tenant) -> None:
    with with_provider(tenant, name):
        tenant.until_ready("AuthenticationSucceeded", name, kind="awsprovider")
        status = tenant.get(name, "awsprovider")["status"]
        assert (status["ready"], status["accountID"]) == (True, "123456789012")
        assert status["callerIdentity"].endswith(identity)


def test_two_providers_are_not_guessed_between(tenant: Tenant) -> None:
    with with_provider(tenant, "production-aws"), with_provider(tenant, "localstack"):
        tenant.apply_file(DOCUMENTS / "use-case-s3.yaml")
        found = tenant.until_ready("ProviderNotResolved", "s3-key")
        assert "localstack, production-aws" in found["message"]


# What users of the older operator have: the same group and kinds, fewer fields.
OLDER_ROLE = provider("aws-production", roleARN="arn:aws:iam::123456789012:role/operator", defaultTags={"managed-by": "operator"})
OLDER_SECRET = secret("aws-static", **{"access-key-id": "AKIAEXAMPLE", "secret-access-key": "example"})
OLDER_STATIC = provider(
    "aws-static",
    region="us-west-2",
    accessKeyIDRef={"name": "aws-static", "key": "access-key-id"},
    secretAccessKeyRef={"name": "aws-static", "key": "secret-access-key"},
)


def older_key(provider_name: str) -> Object:
    """A key as the older operator's users declare it."""
    return key(
        "app-data",
        providerRef={"name": provider_name},
        description="Data of the application",
        keyUsage="ENCRYPT_DECRYPT",
        tags={"Name": "app-data"},
    )


@pytest.mark.parametrize(
    ("objects", "region"), [([OLDER_ROLE], "us-east-1"), ([OLDER_SECRET, OLDER_STATIC], "us-west-2")], ids=["role", "access key"]
)
def test_a_sample_of_the_older_operator_works(objects: list[Object], region: str, tenant: Tenant, cluster: Cluster) -> None:
    user = Tenant(cluster, tenant.namespace, region)
    user.apply(*objects, older_key(objects[-1]["metadata"]["name"]))
    status = user.until_settled("app-data")
    assert status["keyArn"].startswith(f"arn:aws:kms:{region}:")
    assert user.described(status["keyId"])["Description"] == "Data of the application"
    assert user.tags(status["keyId"])["Name"] == "app-data"
    user.leave()
