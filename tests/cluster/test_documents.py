"""The examples of the product's document, and samples as the older operator's users have them: applied as they are, they become keys."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.emulator import REPOSITORY, Backend
from tests.cluster.tenant import Object, Tenant, key, provider, secret

DOCUMENTS = REPOSITORY / "tests" / "cluster" / "documents"
PROVIDERS = {"production-aws": "provider-irsa.yaml", "localstack": "provider-static-credentials.yaml"}
KEYS = sorted(path.name for path in DOCUMENTS.glob("*.yaml") if "\nkind: KMSKey\n" in path.read_text())


def documents(name: str) -> list[Object]:
    """The objects of one file."""
    return list(yaml.safe_load_all((DOCUMENTS / name).read_text()))


@pytest.fixture(scope="module", params=[Backend.MOTO, Backend.MINISTACK])
def aws(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with one of the emulators, and an operator as it ships."""
    with cluster.beside(request.param) as beside, beside.operator() as running:
        yield beside
        assert running.process.terminate(30) == 0


@pytest.fixture
def tenant(aws: Cluster, namespace: str) -> Tenant:
    return Tenant(aws, namespace)


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
        tenant.leave_nothing()


class Example:
    """A document of the product in a namespace that has the provider which it names, or one that it need not name."""

    def __init__(self, aws: Cluster, name: str) -> None:
        (wanted,) = documents(name)
        self.file = DOCUMENTS / name
        self.spec, self.name = wanted["spec"], wanted["metadata"]["name"]
        self.user = Tenant(aws, wanted["metadata"].get("namespace") or self.file.stem)
        self.provider = self.spec.get("providerRef", {}).get("name", "production-aws")

    def apply(self) -> None:
        """Applies it as it is."""
        place = self.user.namespace
        needed = documents(PROVIDERS[self.provider])
        for one in needed:
            one["metadata"]["namespace"] = place
        if place != "default":
            needed.insert(0, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
        self.user.apply(*needed)
        self.user.apply_file(self.file)


def test_the_examples_become_the_keys_that_their_readers_expect_and_go_the_way_that_they_name(aws: Cluster) -> None:
    examples = [Example(aws, name) for name in KEYS]
    for example in examples:
        example.apply()
    keys = {example.file.stem: (example, example.user.until_settled(example.name)) for example in examples}
    for example, status in keys.values():
        assert status["ready"] is True
        check(example.user, status["keyId"], example.spec)
        example.user.kubectl("delete", "kmskey", example.name, "--wait=false")
    states = {}
    for name, (example, status) in keys.items():
        example.user.leave_nothing()
        states[name] = example.user.described(status["keyId"])["KeyState"]
    retained = {name: example.spec.get("deletionPolicy") == "Retain" for name, (example, _) in keys.items()}
    assert states == {name: "Enabled" if stays else "PendingDeletion" for name, stays in retained.items()}


def check(user: Tenant, key_id: str, spec: dict[str, Any]) -> None:
    """Whether AWS has what the spec says."""
    seen = user.described(key_id)
    assert seen["Description"] == spec.get("description", "")
    assert (seen["KeySpec"], seen["KeyUsage"]) == (spec["keySpec"], spec["keyUsage"])
    assert seen.get("MultiRegion", False) is spec.get("multiRegion", False)  # moto leaves it out where it was not asked for
    assert user.rotates(key_id) is spec.get("enableKeyRotation", False)
    assert user.tags(key_id).items() >= spec.get("tags", {}).items()
    assert user.tags(key_id)["managed-by"] == "infra-operator"
    granted = {grant["Name"]: sorted(grant["Operations"]) for grant in user.kms.list_grants(KeyId=key_id)["Grants"]}
    assert granted == {grant["name"]: sorted(grant["operations"]) for grant in spec.get("grants", [])}
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
def test_a_sample_of_the_older_operator_works(objects: list[Object], region: str, tenant: Tenant, aws: Cluster) -> None:
    user = Tenant(aws, tenant.namespace, region)
    user.apply(*objects, older_key(objects[-1]["metadata"]["name"]))
    status = user.until_settled("app-data")
    assert status["keyArn"].startswith(f"arn:aws:kms:{region}:")
    assert user.described(status["keyId"])["Description"] == "Data of the application"
    assert user.tags(status["keyId"])["Name"] == "app-data"
    user.leave()
