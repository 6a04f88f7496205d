"""KMSGrants on a real API server and an emulated AWS: what admission says, and a grant's whole life, across namespaces too."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reconcilers.names import API_VERSION
from tests.cluster.cluster import Cluster
from tests.cluster.kubectl import KubectlError
from tests.cluster.processes import wait_until
from tests.cluster.tenant import SOON_SECONDS, Object, Tenant, is_settled, key

ROLE = {"granteeRoleArn": "arn:aws:iam::123456789012:role/app"}
READ = {"targetRef": {"name": "one"}, **ROLE, "operations": ["Decrypt"]}
BAD: list[tuple[str, Object, str]] = [
    ("no target", {"targetRef": None}, "there is one target"),
    ("nobody", {"granteeRoleArn": None}, "a grant is for one principal"),
    ("everybody", {"granteeRoleArn": None, "granteePrincipal": "*"}, "there is no grant to everybody"),
    ("nothing", {"operations": []}, "should have at least 1 items"),
    ("an unknown operation", {"operations": ["Delete"]}, "Unsupported value"),
    ("a bad name", {"name": "a b"}, "a grant's name takes letters, digits and :/_- only"),
]


def grant(called: str, **spec: Any) -> Object:
    return {"apiVersion": API_VERSION, "kind": "KMSGrant", "metadata": {"name": called}, "spec": {**READ, **spec}}


@pytest.mark.parametrize(("spec", "words"), [pytest.param(*rest, id=name) for name, *rest in BAD])
def test_what_cannot_be_is_refused_with_what_to_write(cluster: Cluster, spec: Object, words: str) -> None:
    path = f"/apis/{API_VERSION}/namespaces/default/kmsgrants?dryRun=All&fieldValidation=Strict"
    with pytest.raises(KubectlError) as refused:
        cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(grant("probe", **spec)))
    assert words in str(refused.value)


@pytest.fixture
def tenant(tenant: Tenant) -> Iterator[Tenant]:
    """Its kmsgrants go before the keys."""
    yield tenant
    tenant.kubectl("delete", "kmsgrants", "--all", f"--timeout={SOON_SECONDS:.0f}s")


def test_a_grant_comes_changes_is_repaired_and_goes(tenant: Tenant, cluster: Cluster) -> None:
    def operations() -> list[list[str]]:
        listed = tenant.kms.list_grants(KeyId=tenant.key_id("one"))["Grants"]
        return [one["Operations"] for one in listed if one["Name"].startswith("kmsgrant-")]

    tenant.apply(grant("app"), key("one"), key("signing", keySpec="ECC_NIST_P256", keyUsage="SIGN_VERIFY"))
    tenant.until("app", is_settled, kind="kmsgrant")
    assert operations() == [["Decrypt"]]
    assert tenant.kubectl("get", "kmsg").splitlines()[1].split()[:3] == ["app", tenant.key_id("one"), "True"]
    tenant.apply(grant("app", operations=["Decrypt", "Encrypt"]))
    tenant.until("app", is_settled, kind="kmsgrant")
    assert operations() == [["Decrypt", "Encrypt"]]
    grant_id = tenant.get("app", "kmsgrant")["status"]["grantId"]
    tenant.kms.revoke_grant(KeyId=tenant.key_id("one"), GrantId=grant_id)
    wait_until(lambda: operations() == [["Decrypt", "Encrypt"]], SOON_SECONDS, "the grant to be made again")
    tenant.apply(grant("strange", targetRef={"name": "signing"}))
    tenant.until_ready("UnsupportedOperations", "strange", kind="kmsgrant")
    _from_another_namespace(tenant, cluster)
    tenant.kubectl("delete", "kmsgrant", "app", f"--timeout={SOON_SECONDS:.0f}s")
    assert operations() == []


def _from_another_namespace(tenant: Tenant, cluster: Cluster) -> None:
    """Refused until the key permits it, by the label that every namespace has."""
    other = Tenant(cluster, f"{tenant.namespace}-guest")
    cluster.kubectl("create", "namespace", other.namespace)
    there = {"name": "one", "namespace": tenant.namespace}
    other.apply(grant("guest", targetRef=there, name="guest"))
    other.until_ready("TargetNotAllowed", "guest", kind="kmsgrant")
    labels = {"kubernetes.io/metadata.name": other.namespace}
    tenant.change("one", {"grantableFrom": {"selector": {"matchLabels": labels}}})
    other.until("guest", is_settled, kind="kmsgrant")
    assert "guest" in {one["Name"] for one in tenant.kms.list_grants(KeyId=tenant.key_id("one"))["Grants"]}
    other.kubectl("delete", "kmsgrants", "--all", f"--timeout={SOON_SECONDS:.0f}s")
