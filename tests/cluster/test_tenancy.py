"""A hostile tenant of one namespace beside another one's provider, Secret and keys: each attempt is refused, and nothing is read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reconcilers.names import API_VERSION
from tests.cluster.cluster import Cluster
from tests.cluster.kubectl import Kubectl, KubectlError
from tests.cluster.proxy import AwsProxy, aws_proxy, operator_behind
from tests.cluster.tenant import Object, Tenant, key, provider, secret

VICTIM, MALLORY = "tenancy-victim", "tenancy-mallory"
READING = {"granteeRoleArn": "arn:aws:iam::123456789012:role/mallory", "operations": ["Decrypt"]}


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[AwsProxy]:
    """An operator that lets only the victim's namespace use its own identity."""
    with aws_proxy(cluster.aws_endpoint) as between:
        flags: dict[str, str | bool] = {"allow_custom_endpoints": True, "ambient_credentials_namespaces": VICTIM, "resync_interval": "1h"}
        with operator_behind(between, cluster, "tenancy", **flags):
            yield between


@pytest.fixture(scope="module")
def victim(cluster: Cluster, proxy: AwsProxy) -> Iterator[Tenant]:
    assert proxy.calls == []
    for name in (VICTIM, MALLORY):
        cluster.kubectl("create", "namespace", name)
    user = Tenant(cluster, VICTIM)
    user.provide()
    user.apply(secret("aws", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"))
    user.declare("orders", description="the victim's", aliases=["victims"], tags={"team": "victim"})
    user.until_settled("orders")
    yield user
    user.leave_nothing()


@pytest.fixture(scope="module")
def mallory(cluster: Cluster, victim: Tenant) -> Iterator[Kubectl]:
    """Somebody with the role `edit` in a namespace of her own, beside the victim's."""
    assert victim.namespace != MALLORY
    cluster.kubectl("create", "serviceaccount", "mallory", "-n", MALLORY)
    account = f"--serviceaccount={MALLORY}:mallory"
    # The controller that fills the role `edit` is not among the servers of the tests: these are its parts that matter here.
    cluster.kubectl("create", "role", "secrets", "--verb=*", "--resource=secrets", "-n", MALLORY)
    for role in ("--role=secrets", "--clusterrole=infra-operator-edit", "--clusterrole=infra-operator-view"):
        cluster.kubectl("create", "rolebinding", role.rpartition("=")[2], role, account, "-n", MALLORY)
    yield cluster.kubectl_as(MALLORY, "mallory")
    Tenant(cluster, MALLORY).leave_nothing()


def of_kind(kind: str, name: str, **spec: Any) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def attempts(key_id: str) -> dict[str, tuple[Object, str]]:
    """By what is tried: an object, and the reason of its refusal."""
    elsewhere = {"name": "main", "namespace": VICTIM}
    target = {"name": "orders", "namespace": VICTIM}
    return {
        "the victim's provider": (key("a", providerRef=elsewhere), "ProviderNotAllowed"),
        "the victim's key through the victim's provider": (key("b", providerRef=elsewhere, adopt={"keyId": key_id}), "ProviderNotAllowed"),
        "the operator's own identity": (provider("own"), "AmbientCredentialsNotAllowed"),
        "a role of the operator's": (provider("role", roleARN="arn:aws:iam::123456789012:role/admin"), "AmbientCredentialsNotAllowed"),
        "a Secret of the victim's by its name": (provider("theirs", credentialsSecret={"name": "aws"}), "CredentialsInvalid"),
        "an endpoint with the operator's identity": (provider("catch", endpoint="http://127.0.0.1:9"), "EndpointNotAllowed"),
        "the metadata service": (
            provider("metadata", endpoint="http://169.254.169.254", credentialsSecret={"name": "mine"}),
            "EndpointNotAllowed",
        ),
        "a name for the victim's key": (of_kind("KMSAlias", "name", aliasName="stolen", targetRef=target), "TargetNotAllowed"),
        "a grant on the victim's key": (of_kind("KMSGrant", "grant", targetRef=target, **READING), "TargetNotAllowed"),
    }


def test_every_attempt_is_refused_and_nothing_is_asked_of_aws(
    cluster: Cluster, proxy: AwsProxy, victim: Tenant, mallory: Kubectl
) -> None:
    tried = attempts(victim.key_id("orders"))
    own = Tenant(cluster, MALLORY)
    calls = len(proxy.calls)
    documents = [secret("mine", AWS_ACCESS_KEY_ID="mine", AWS_SECRET_ACCESS_KEY="mine"), *(document for document, _ in tried.values())]
    mallory("apply", "-n", MALLORY, "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
    seen = {
        what: own.until_ready(reason, document["metadata"]["name"], kind=document["kind"].lower()) for what, (document, reason) in tried.items()
    }
    assert all(ready["status"] == "False" for ready in seen.values())
    assert proxy.calls[calls:] == []
    told = json.dumps([own.all(kind) for kind in ("kmskeys", "awsproviders", "kmsaliases", "kmsgrants")])
    assert victim.get("orders")["status"]["keyArn"] not in told


def test_with_an_identity_of_her_own_she_gets_no_key_that_is_another_s(cluster: Cluster, victim: Tenant, mallory: Kubectl) -> None:
    """The same AWS account, by credentials of hers: the worst case, in which only the owner tags are in between."""
    key_id, before = victim.key_id("orders"), victim.described(victim.key_id("orders"))
    own = Tenant(cluster, MALLORY)
    documents = [
        secret("account", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"),
        provider("account", credentialsSecret={"name": "account"}),
        key("adopted", providerRef={"name": "account"}, adopt={"keyId": key_id}, description="mallory's"),
        key("named", providerRef={"name": "account"}, aliases=["victims"]),
        of_kind("KMSAlias", "direct", aliasName="stolen", targetKeyId=key_id, providerRef={"name": "account"}),
        of_kind("KMSGrant", "direct", targetKeyId=key_id, providerRef={"name": "account"}, **READING),
    ]
    mallory("apply", "-n", MALLORY, "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
    own.until_ready("AdoptionRefused", "adopted")
    own.until_ready("AliasConflict", "named")
    own.until_ready("TargetNotAllowed", "direct", kind="kmsalias")
    own.until_ready("TargetNotAllowed", "direct", kind="kmsgrant")
    assert victim.described(key_id) == before
    assert victim.tags(key_id) == {"team": "victim"}
    assert victim.kms.list_grants(KeyId=key_id)["Grants"] == []
    assert [alias["AliasName"] for alias in victim.kms.list_aliases(KeyId=key_id)["Aliases"]] == ["alias/victims"]


def test_an_export_does_not_overwrite_what_the_key_object_did_not_make(victim: Tenant) -> None:
    victim.apply(of_config("precious", "keep"))
    victim.declare("exporting", exportTo={"kind": "ConfigMap", "name": "precious"})
    victim.until(
        "exporting", lambda obj: any(one["reason"] == "ExportConflict" for one in obj.get("status", {}).get("conditions", []))
    )
    assert victim.get("precious", "configmap")["data"] == {"value": "keep"}


def of_config(name: str, value: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}}


@pytest.mark.parametrize("kind", ["kmskeys", "awsproviders", "kmsaliases", "kmsgrants"])
def test_a_tenant_can_write_no_status(mallory: Kubectl, kind: str) -> None:
    with pytest.raises(KubectlError, match="no"):
        mallory("auth", "can-i", "patch", kind, "--subresource=status", "-n", MALLORY)


@pytest.mark.parametrize("what", ["kmskeys", "awsproviders", "secrets"])
def test_a_tenant_sees_nothing_of_another_namespace(mallory: Kubectl, what: str) -> None:
    with pytest.raises(KubectlError, match="Forbidden"):
        mallory("get", what, "-n", VICTIM)
