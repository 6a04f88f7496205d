"""KMSAliases on a real API server and an emulated AWS: what admission says, and an alias's whole life."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reconcilers.names import API_VERSION
from tests.cluster.cluster import Cluster
from tests.cluster.kubectl import KubectlError
from tests.cluster.processes import wait_until
from tests.cluster.tenant import SOON_SECONDS, Object, Tenant, is_settled, key

ONE = {"targetRef": {"name": "one"}}
ARN = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BAD: list[tuple[str, Object, str]] = [
    ("no target", {}, "there is one target"),
    ("two targets", {**ONE, "targetKeyId": ARN}, "there is one target"),
    ("an alias as a target", {"targetKeyId": "alias/other"}, "write the id or the ARN of a key"),
    ("another thing's ARN", {"targetKeyId": ARN.replace("kms", "s3")}, "write the id or the ARN of a key"),
    ("AWS's own name", {**ONE, "aliasName": "aws/s3"}, "belong to AWS: choose another name"),
    ("no name", {**ONE, "aliasName": None}, "Required value"),
    ("a policy of keys", {**ONE, "deletionPolicy": "DisableKey"}, "Unsupported value"),
]


def alias(name: str, **spec: Any) -> Object:
    return {"apiVersion": API_VERSION, "kind": "KMSAlias", "metadata": {"name": name}, "spec": {"aliasName": name, **spec}}


@pytest.mark.parametrize(("spec", "words"), [pytest.param(*rest, id=name) for name, *rest in BAD])
def test_what_cannot_be_is_refused_with_what_to_write(cluster: Cluster, spec: Object, words: str) -> None:
    path = f"/apis/{API_VERSION}/namespaces/default/kmsaliases?dryRun=All&fieldValidation=Strict"
    with pytest.raises(KubectlError) as refused:
        cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(alias("probe", **spec)))
    assert words in str(refused.value)


@pytest.fixture
def tenant(tenant: Tenant) -> Iterator[Tenant]:
    """Its kmsaliases go before the keys."""
    yield tenant
    tenant.kubectl("delete", "kmsaliases", "--all", f"--timeout={SOON_SECONDS:.0f}s")


def test_an_alias_comes_moves_is_repaired_and_goes(tenant: Tenant) -> None:
    name = f"{tenant.namespace}-front"

    def leads_to(key_id: str) -> bool:
        return name in {one["AliasName"].removeprefix("alias/") for one in tenant.kms.list_aliases(KeyId=key_id)["Aliases"]}

    tenant.apply(alias(name, **ONE), key("one"), key("two"), key("signing", keySpec="ECC_NIST_P256", keyUsage="SIGN_VERIFY"))
    tenant.until(name, is_settled, kind="kmsalias")
    keys = {known: tenant.until_settled(known)["keyId"] for known in ("one", "two", "signing")}
    assert leads_to(keys["one"])
    assert [name, f"{name}", keys["one"], "True"] == tenant.kubectl("get", "kmsa").splitlines()[1].split()[:4]
    for target in ("two", "signing"):
        tenant.apply(alias(name, targetRef={"name": target}))
        tenant.until(name, is_settled, kind="kmsalias")
        assert leads_to(keys[target])
    tenant.kms.delete_alias(AliasName=f"alias/{name}")
    wait_until(lambda: leads_to(keys["signing"]), SOON_SECONDS, "the alias to be made again")
    with pytest.raises(KubectlError, match="aliasName cannot change"):
        tenant.apply(alias(name, aliasName="other", **ONE))
    tenant.apply(alias("same", aliasName=name, targetRef={"name": "two"}))
    tenant.until_ready("AliasConflict", "same", kind="kmsalias")
    tenant.apply(alias("far", targetRef={"name": "one", "namespace": "somebody-elses"}))
    tenant.until_ready("TargetNotAllowed", "far", kind="kmsalias")
    tenant.kubectl("delete", "kmsalias", name, f"--timeout={SOON_SECONDS:.0f}s")
    assert not leads_to(keys["signing"])
