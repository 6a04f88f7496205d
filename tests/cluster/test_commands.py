"""plan, status and orphans beside a real operator: what they tell is true, and they themselves change nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.emulator import CREDENTIALS, REPOSITORY
from tests.cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT, Operator
from tests.cluster.tenant import OWNER_TAGS, Object, Tenant, key, provider, secret
from tests.reconcilers.test_migration_ack import KEY as ACK
from tests.reconcilers.test_migration_crossplane import COMMUNITY, UPBOUND
from tests.reconcilers.test_migration_terraform import KEY as TERRAFORM
from tests.reconcilers.test_migration_terraform import state

SECONDS = 60  # two imports of the clients on a busy machine, and a few calls


class Shell:
    """A user's shell: this cluster, this AWS, and `infra-operator`."""

    def __init__(self, cluster: Cluster, tenant: Tenant, kubeconfig: Path | None) -> None:
        self._namespace = tenant.namespace
        self._folder, self._kubectl = cluster.folder, cluster.kubectl.binary
        self._environment = {
            "AWS_ENDPOINT_URL": cluster.aws_endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(cluster.folder),
            "PYTHONPATH": str(REPOSITORY),
            **CREDENTIALS,
            **({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}),
        }

    def run(self, *arguments: str, stdin: str = "", is_talkative: bool = False) -> tuple[int, str]:
        """Exit code and report; nothing may stand on the standard error, unless the command is talkative."""
        command = [sys.executable, "-m", "controller", *arguments]
        done = subprocess.run(
            command, check=False, env=self._environment, input=stdin, capture_output=True, text=True, timeout=SECONDS
        )
        assert done.stderr == "" or is_talkative
        return done.returncode, done.stdout

    def plugin(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of kubectl kms, as kubectl finds it on the PATH."""
        plugins = self._folder / "plugins"
        plugins.mkdir(exist_ok=True)
        (plugins / "kubectl-kms").write_text(f'#!/bin/sh\nexec {sys.executable} -m controller.kubectl_kms "$@"\n')
        (plugins / "kubectl-kms").chmod(0o755)
        environment = {**self._environment, "PATH": f"{plugins}:/usr/bin:/bin"}
        command = [str(self._kubectl), "kms", *arguments]
        done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=SECONDS)
        return done.returncode, done.stdout + done.stderr

    def plan(self, *objects: Object) -> tuple[int, Any]:
        """Exit code and report of a plan for these objects."""
        text = "\n---\n".join(json.dumps(one) for one in objects)
        code, told = self.run("plan", "-n", self._namespace, "-o", "json", "-f", "-", stdin=text)
        return code, json.loads(told)

    def plan_one(self, one: Object) -> tuple[int, Any]:
        """Exit code and the one object of the report."""
        code, told = self.plan(one)
        (found,) = told["objects"]
        return code, found

    def orphans(self) -> tuple[int, Any]:
        """Exit code and report."""
        code, told = self.run("orphans", "-o", "json")
        return code, json.loads(told)


@pytest.fixture(scope="module", autouse=True)
def operator(cluster: Cluster) -> Iterator[Operator]:
    with cluster.operator(resync_interval="1s", quota_fraction="1.0") as running:
        yield running


@pytest.fixture
def tenant(cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    user = Tenant(cluster, namespace)
    yield user
    user.provide()
    user.leave()


@pytest.fixture
def shell(cluster: Cluster, tenant: Tenant) -> Shell:
    """The administrator's."""
    return Shell(cluster, tenant, cluster.kubeconfig)


def actions(outcome: Any) -> list[str]:
    return [step["action"] for step in outcome["actions"]]


def test_a_plan_comes_true_and_changes_nothing_itself(shell: Shell, tenant: Tenant) -> None:
    tenant.provide()
    wish = key("orders", description="Orders", enableKeyRotation=True, tags={"team": "shop"})
    code, outcome = shell.plan_one(wish)
    assert (code, actions(outcome)) == (2, ["AddFinalizer", "CreateKey", "EnableKeyRotation"])
    assert (tenant.all(), tenant.owned()) == ([], [])

    tenant.apply(wish)
    tenant.until_settled("orders")
    code, outcome = shell.plan_one(wish)
    assert (code, outcome["verdict"], actions(outcome)) == (0, "unchanged", [])

    before = tenant.get("orders")
    code, outcome = shell.plan_one(key("orders", description="Invoices", enableKeyRotation=True, enabled=False))
    assert (code, actions(outcome)) == (2, ["UpdateKeyDescription", "UntagResource", "DisableKey"])
    assert {step["key"] for step in outcome["actions"]} == {tenant.key_id("orders")}
    now = tenant.get("orders")  # which the operator itself may have annotated with the key's id meanwhile
    assert (now["spec"], now["status"], now["metadata"]["generation"]) == (before["spec"], before["status"], before["metadata"]["generation"])
    assert tenant.described(tenant.key_id("orders"))["Description"] == "Orders"


def test_the_key_of_a_deleted_object_is_foretold_to_come_back(shell: Shell, tenant: Tenant) -> None:
    tenant.provide()
    wish = key("orders", deletionPolicy="Delete", pendingWindowInDays=7)
    tenant.apply(wish)
    tenant.until_settled("orders")
    key_id = tenant.key_id("orders")
    tenant.delete("orders")
    code, outcome = shell.plan_one(wish)
    assert code == 2
    assert actions(outcome)[:3] == ["AddFinalizer", "RecordKey", "CancelKeyDeletion"]
    assert "CreateKey" not in actions(outcome)
    assert {step["key"] for step in outcome["actions"]} == {None, key_id}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"keyUsage": "SIGN_VERIFY"}, "keyUsage SIGN_VERIFY needs a keySpec that can sign"),
        ({"tags": {"aws:mine": "x"}}, "tag keys that start with aws: belong to AWS"),
        ({"keyspec": "RSA_2048"}, "Unknown fields: spec.keyspec"),
        ({"pendingWindowInDays": 31}, "Input should be less than or equal to 30"),
    ],
)
def test_what_admission_would_refuse_is_refused(shell: Shell, tenant: Tenant, spec: Object, words: str) -> None:
    tenant.provide()
    code, outcome = shell.plan_one(key("bad", **spec))
    assert (code, outcome["verdict"]) == (1, "refused")
    assert words in outcome["message"]


def test_what_is_fixed_once_the_key_exists_is_refused(shell: Shell, tenant: Tenant) -> None:
    tenant.provide()
    tenant.declare("orders")
    tenant.until_settled("orders")
    code, outcome = shell.plan_one(key("orders", keySpec="RSA_2048"))
    assert (code, outcome["verdict"]) == (1, "refused")
    assert "keySpec cannot change once the key exists" in outcome["message"]


def test_provider_and_secret_may_come_with_the_key(shell: Shell, tenant: Tenant) -> None:
    credentials = secret("aws", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    code, told = shell.plan(credentials, provider("own", credentialsSecret={"name": "aws"}), key("orders"))
    found, orders = told["objects"]
    assert (code, found["verdict"], found["reason"]) == (2, "unchanged", "AuthenticationSucceeded")
    assert actions(orders) == ["AddFinalizer", "CreateKey"]
    assert (tenant.all("awsproviders"), tenant.all("secrets")) == ([], [])


def test_whoever_may_only_look_gets_the_plan_with_a_note(cluster: Cluster, tenant: Tenant) -> None:
    tenant.provide()
    reader = Shell(cluster, tenant, cluster.kubeconfig_for(NAMESPACE, SERVICE_ACCOUNT))
    code, told = reader.plan(key("orders"))
    assert (code, actions(told["objects"][0])) == (2, ["AddFinalizer", "CreateKey"])
    (note,) = told["notes"]
    assert note.startswith(f"The API server did not judge KMSKey {tenant.namespace}/orders: kmskeys")


def test_without_a_cluster_the_samples_can_be_planned(cluster: Cluster, tenant: Tenant) -> None:
    shell = Shell(cluster, tenant, None)
    code, told = shell.run("plan", "-f", str(REPOSITORY / "manifests" / "samples" / "quickstart" / "keys.yaml"))
    assert code == 2
    assert "Plan: 2 change. Nothing was written." in told
    assert "Note: No cluster: every object is taken for new" in told


@pytest.mark.holds("I24")
def test_the_retained_key_of_a_deleted_object_is_an_orphan(shell: Shell, tenant: Tenant) -> None:
    tenant.provide()
    for name in ("kept", "left"):
        tenant.declare(name, deletionPolicy="Retain")
        tenant.until_settled(name)
    left = tenant.key_id("left")
    tenant.delete("left")
    code, told = shell.orphans()
    ours = [orphan for orphan in told["orphans"] if orphan["owner"].startswith(f"{tenant.namespace}/")]
    assert code == 2
    assert [(orphan["keyId"], orphan["keyState"], orphan["monthlyUSD"]) for orphan in ours] == [(left, "Enabled", 1)]
    assert told["totalMonthlyUSD"] >= 1
    assert tenant.described(left)["KeyState"] == "Enabled"


@pytest.mark.holds("F68")
def test_keys_of_another_cluster_are_none_of_our_orphans(shell: Shell, tenant: Tenant) -> None:
    tenant.provide()
    foreign = tenant.kms.create_key(Tags=[{"TagKey": OWNER_TAGS[0], "TagValue": "another cluster"}])["KeyMetadata"]["KeyId"]
    _, told = shell.orphans()
    assert foreign not in [orphan["keyId"] for orphan in told["orphans"]]


def test_status_tells_how_all_stand_and_what_the_operator_asks_of_aws(shell: Shell, tenant: Tenant, operator: Operator) -> None:
    tenant.provide()
    tenant.declare("orders")
    tenant.declare("lost", providerRef={"name": "nowhere"})
    tenant.until_settled("orders")
    tenant.until_ready("ProviderNotFound", "lost")
    tenant.until("main", lambda obj: obj["status"].get("keysInUse") == 1, kind="awsprovider")
    code, text = shell.run("status", "-n", tenant.namespace, "-o", "json", "--metrics-url", operator.metrics_url)
    told = json.loads(text)
    assert code == 2
    assert [(one["name"], one["ready"], one["keysInUse"]) for one in told["providers"]] == [("main", True, 1)]
    assert {(one["state"], one["reason"], one["count"]) for one in told["objects"]} == {
        ("Enabled", "Available", 1),
        (None, "ProviderNotFound", 1),
    }
    assert [(one["name"], one["reason"]) for one in told["stuck"]] == [("lost", "ProviderNotFound")]
    calls = {one["operation"]: one["calls"] for one in told["quota"]["operations"]}
    assert told["quota"]["leads"] is True
    assert calls["CreateKey"] >= 1
    code, text = shell.run("status", "-n", tenant.namespace)
    assert code == 2
    assert "\x1b" not in text
    assert f"kmskey/{tenant.namespace}/lost" in text


def test_what_terraform_has_is_taken_over_as_it_is(shell: Shell, tenant: Tenant) -> None:
    tenant.provide()
    made = tenant.kms.create_key(Description="Of Terraform", Tags=[{"TagKey": "team", "TagValue": "shop"}])["KeyMetadata"]
    tenant.kms.enable_key_rotation(KeyId=made["KeyId"])
    alias = f"alias/{tenant.namespace}-terraform"
    tenant.kms.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])
    key_values = {
        "arn": made["Arn"], "key_id": made["KeyId"], "description": "Of Terraform", "enable_key_rotation": True, "is_enabled": True,
        "key_usage": "ENCRYPT_DECRYPT", "customer_master_key_spec": "SYMMETRIC_DEFAULT", "tags_all": {"team": "shop"},
        "policy": json.dumps(tenant.policy(made["KeyId"])),
    }
    resources = [
        {"address": "aws_kms_key.main", "mode": "managed", "type": "aws_kms_key", "values": key_values},
        {
            "address": "aws_kms_alias.main", "mode": "managed", "type": "aws_kms_alias",
            "values": {"name": alias, "target_key_id": made["KeyId"]},
        },
    ]
    shown = json.dumps({"format_version": "1.0", "values": {"root_module": {"resources": resources}}})
    arguments = ("migrate", "--from", "terraform", "-n", tenant.namespace, "--provider", "main", "-o", "json")
    code, text = shell.run(*arguments, stdin=shown, is_talkative=True)
    assert code == 0
    (taken,) = json.loads(text)["items"]
    code, outcome = shell.plan_one(taken)
    assert (code, actions(outcome)) == (2, ["AddFinalizer", "RecordKey", "TagResource"])
    tenant.apply(taken)
    status = tenant.until_settled("main")
    assert (status["keyId"], status["rotationEnabled"]) == (made["KeyId"], True)
    assert shell.plan_one(taken)[0] == 0


def test_the_plugin_does_for_a_user_what_it_says(shell: Shell, tenant: Tenant) -> None:
    tenant.provide()
    tenant.declare("orders", description="Orders", tags={"team": "shop"}, deletionPolicy="Delete", pendingWindowInDays=7)
    tenant.until_settled("orders")
    key_id = tenant.key_id("orders")
    where = ("-n", tenant.namespace)

    code, told = shell.plugin("reconcile", "orders", *where, "--wait")
    assert (code, told.partition(";")[0]) == (0, "kmskey/orders: Ready=True Available: The key is as declared and can be used.")
    assert tenant.get("orders")["status"]["lastHandledReconcileAt"]

    code, told = shell.plugin("rotate", "orders", *where, "--wait")
    assert (code, tenant.get("orders")["status"]["onDemandRotations"]) == (0, 1), told
    writers = {entry["manager"] for entry in tenant.managers("orders") if "f:rotateOnDemand" in json.dumps(entry)}
    assert writers == {"kubectl-kms"}

    code, told = shell.plugin("restore", f"{tenant.namespace}/orders")
    assert (code, told) == (1, f"Error: the KMSKey {tenant.namespace}/orders is there: there is nothing to restore\n")
    tenant.delete("orders")
    assert tenant.described(key_id)["KeyState"] == "PendingDeletion"
    code, told = shell.plugin("restore", f"{tenant.namespace}/orders", "--apply")
    assert code == 0, told
    assert "kmskey/orders created\n" in told
    status = tenant.until_settled("orders")
    assert (status["keyId"], tenant.described(key_id)["KeyState"]) == (key_id, "Enabled")
    assert tenant.get("orders")["spec"]["tags"] == {"team": "shop"}

    foreign = tenant.kms.create_key(Description="Of nobody")["KeyMetadata"]["KeyId"]
    code, told = shell.plugin("adopt", "foreign", *where, "--key-id", foreign, "--apply")
    assert (code, told) == (0, "kmskey/foreign created\n")
    assert tenant.until_settled("foreign")["keyId"] == foreign
    code, told = shell.plugin("adopt", "foreign", *where, "--key-id", foreign, "--apply")
    assert code == 1
    assert "already exists" in told


@pytest.mark.parametrize(
    ("source", "document"),
    [("ack", ACK), ("crossplane", UPBOUND), ("crossplane", COMMUNITY), ("terraform", state("aws_kms_key", TERRAFORM))],
)
def test_what_migrate_prints_is_admitted(shell: Shell, cluster: Cluster, tenant: Tenant, source: str, document: Object) -> None:
    arguments = ("migrate", "--from", source, "-n", tenant.namespace, "-o", "json")
    code, printed = shell.run(*arguments, stdin=json.dumps(document).replace('"shop"', f'"{tenant.namespace}"'), is_talkative=True)
    assert code == 0
    assert cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=printed).endswith("created (server dry run)\n")
