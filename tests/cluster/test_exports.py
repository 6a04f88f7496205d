"""exportTo on a real API server, with the operator's own rights, and an emulated AWS."""

import base64

from tests.cluster.processes import wait_until
from tests.cluster.tenant import SOON_SECONDS, Object, Tenant, secret

RSA: Object = {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}


def test_a_key_is_exported_repaired_moved_and_nobody_else_s_object_is_touched(tenant: Tenant) -> None:
    tenant.apply(secret("theirs", password="hush"))
    tenant.declare("k", **RSA, exportTo={"kind": "ConfigMap", "name": "key"})
    tenant.declare("late", exportTo={"kind": "Secret", "name": "theirs"})
    status = tenant.until_settled("k")
    made = tenant.get("key", "configmap")
    der = tenant.kms.get_public_key(KeyId=status["keyId"])["PublicKey"]
    lines = made["data"].pop("publicKey.pem").split("\n")
    assert base64.b64decode("".join(lines[1:-2])) == der
    told = {"keyId": status["keyId"], "keyArn": status["keyArn"], "region": "us-east-1", "accountId": status["accountId"]}
    assert made["data"] == told
    assert made["metadata"]["ownerReferences"][0]["uid"] == tenant.get("k")["metadata"]["uid"]
    tenant.kubectl("patch", "configmap", "key", "--type=merge", "-p", '{"data":{"keyId":"x"}}')
    wait_until(lambda: tenant.get("key", "configmap")["data"]["keyId"] == status["keyId"], SOON_SECONDS, "the id to be put back")
    tenant.change("k", {"exportTo": {"kind": "Secret", "name": "key"}})
    tenant.until_settled("k")
    assert base64.b64decode(tenant.get("key", "secret")["data"]["keyArn"]).decode() == status["keyArn"]
    assert "key" not in [one["metadata"]["name"] for one in tenant.all("configmaps")]
    assert "theirs" in tenant.until_ready("ExportConflict", "late")["message"]
    assert base64.b64decode(tenant.get("theirs", "secret")["data"]["password"]) == b"hush"
