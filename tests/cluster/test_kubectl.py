"""What users read: kubectl's own output about keys and providers."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.emulator import REPOSITORY
from tests.cluster.kubectl import KubectlError
from tests.cluster.operator_process import Operator
from tests.cluster.processes import Process
from tests.cluster.tenant import SOON_SECONDS, Tenant, key

KEY_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def operator(cluster: Cluster) -> Iterator[Operator]:
    with cluster.operator() as running:
        yield running
        assert running.process.terminate(30) == 0


def with_key(user: Tenant) -> Tenant:
    """The user, who has a provider and a key that is ready."""
    user.provide()
    user.declare("orders", providerRef={"name": "main"}, description="Orders", enableKeyRotation=True)
    user.until_settled("orders")
    return user


@pytest.fixture
def tenant(operator: Operator, cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    """A user with a key of their own."""
    assert operator
    user = with_key(Tenant(cluster, namespace))
    yield user
    user.leave()


@pytest.fixture(scope="module")
def onlooker(operator: Operator, cluster: Cluster) -> Iterator[Tenant]:
    """A user who only looks at a key, the same one for all tests."""
    assert operator
    cluster.kubectl("create", "namespace", "onlookers")
    user = with_key(Tenant(cluster, "onlookers"))
    yield user
    user.leave_nothing()


def rows(table: str) -> list[list[str]]:
    """The words of each line of a table, columns without spaces."""
    return [line.split() for line in table.splitlines()]


@pytest.mark.parametrize("name", ["kmskeys", "kmskey", "kms", "kmskeys.aws-infra-operator.runner.codes"])
def test_keys_are_listed_under_each_of_their_names(name: str, onlooker: Tenant) -> None:
    head, row = rows(onlooker.kubectl("get", name))
    assert head == ["NAME", "KEYID", "STATE", "READY", "AGE"]
    assert row[:4] == ["orders", onlooker.key_id("orders"), "Enabled", "True"]


@pytest.mark.parametrize("category", ["aws", "infra"])
def test_keys_and_providers_are_listed_by_category(category: str, onlooker: Tenant) -> None:
    assert re.findall(r"^(\S+)/\S+", onlooker.kubectl("get", category), re.MULTILINE) == [
        "awsprovider.aws-infra-operator.runner.codes",
        "kmskey.aws-infra-operator.runner.codes",
    ]


def test_the_wide_list_tells_more(onlooker: Tenant) -> None:
    head, row = onlooker.kubectl("get", "kms", "-o", "wide").splitlines()
    starts = [found.start() for found in re.finditer(r"\S+", head)]  # a key without an alias leaves a gap
    told = {head[a:b].strip(): row[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)}
    assert {"REASON", "SPEC", "USAGE", "ROTATION", "ALIAS", "PROVIDER"} <= told.keys()
    assert (told["SPEC"], told["USAGE"], told["ROTATION"], told["PROVIDER"]) == (
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
        "true",
        "main",
    )
    assert told["REASON"] == "Available"


def test_providers_are_listed_with_their_account(onlooker: Tenant) -> None:
    head, row = rows(onlooker.kubectl("get", "awsp"))
    assert head == ["NAME", "REGION", "READY", "ACCOUNT", "AGE"]
    assert row[:4] == ["main", "us-east-1", "True", "123456789012"]


def test_describe_tells_the_conditions_and_what_was_done(onlooker: Tenant) -> None:
    onlooker.until_event("orders", "KeyCreated")
    text = onlooker.kubectl("describe", "kmskey", "orders")
    key_id = onlooker.key_id("orders")
    assert re.search(r"Message: +The key is as declared and can be used\.", text)
    events = text.rpartition("Events:")[2]
    done = "create a SYMMETRIC_DEFAULT key for ENCRYPT_DECRYPT, enable automatic rotation"
    assert re.search(rf"Normal +KeyCreated .* infra-operator +{key_id}: {done}\. The key is as declared and can be used\.", events)
    assert "Warning" not in events


def test_wait_ends_when_the_key_is_ready(tenant: Tenant) -> None:
    tenant.declare("second")
    assert tenant.kubectl("wait", "--for=condition=Ready", "kmskey/second", "--timeout=20s").endswith("condition met\n")
    assert tenant.kubectl("wait", "--for=condition=Synced", "kms", "--all", "--timeout=20s").count("condition met") == 2


def test_wait_for_a_change_ends_when_the_change_is_made(tenant: Tenant) -> None:
    """kubectl looks at observedGeneration, so that the readiness of the former spec does not count."""
    tenant.change("orders", {"description": "Changed"})
    tenant.kubectl("wait", "--for=condition=Ready", "kmskey/orders", "--timeout=20s")
    assert tenant.described(tenant.key_id("orders"))["Description"] == "Changed"


def test_wait_with_a_jsonpath_works(tenant: Tenant) -> None:
    tenant.change("orders", {"enabled": False})
    tenant.kubectl("wait", "--for=jsonpath={.status.keyState}=Disabled", "kmskey/orders", "--timeout=20s")


def test_a_watch_shows_a_key_becoming_ready(tenant: Tenant, cluster: Cluster) -> None:
    kubectl = cluster.kubectl
    command = [str(kubectl.binary), "--kubeconfig", str(kubectl.kubeconfig), "get", "kms", "-w", "-n", tenant.namespace]
    with Process(command, cluster.folder / "watch.log") as watch:
        watch.wait_ready(lambda: "orders" in watch.tail(), SOON_SECONDS)
        tenant.declare("watched")
        watch.wait_ready(lambda: "True" in last_line(watch, "watched"), SOON_SECONDS)
        states = [line.split() for line in watch.tail().splitlines() if line.startswith("watched")]
    assert re.fullmatch(KEY_ID, states[-1][1])
    assert states[-1][2:4] == ["Enabled", "True"]


def last_line(process: Process, beginning: str) -> str:
    """The last line of its output that begins so."""
    return next((line for line in reversed(process.tail().splitlines()) if line.startswith(beginning)), "")


def test_explain_documents_a_field(onlooker: Tenant) -> None:
    assert "7 days" in onlooker.kubectl("explain", "kmskey.spec.deletionPolicy")


def test_a_typing_error_is_refused_with_the_name_of_the_field(tenant: Tenant) -> None:
    with pytest.raises(KubectlError, match='unknown field "enableRotation"'):
        tenant.declare("typo", enableRotation=True)


def test_a_problem_is_the_first_thing_that_the_list_shows(tenant: Tenant) -> None:
    tenant.declare("lost", providerRef={"name": "nowhere"})
    tenant.until_ready("ProviderNotFound", "lost")
    (row,) = [row for row in rows(tenant.kubectl("get", "kms", "-o", "wide")) if row[0] == "lost"]
    assert row[1:2] + row[3:4] == ["False", "ProviderNotFound"]
    warning = tenant.until_event("lost", "ProviderNotFound")
    assert warning["note"] == (
        f"There is no AWSProvider nowhere in the namespace {tenant.namespace}: create it, or correct spec.providerRef."
    )


def test_an_applier_and_the_operator_never_own_the_same_field(tenant: Tenant, cluster: Cluster) -> None:
    """What Argo CD and Flux do: server-side apply, again and again, without a conflict and without force."""
    spec = {"enableKeyRotation": True, "tags": {"team": "shop"}, "aliases": [f"{tenant.namespace}-applied"]}
    for description in ("Applied", "Applied again"):
        wish = key("applied", description=description, **spec)
        arguments = ("apply", "--server-side", "--field-manager=argocd", "-n", tenant.namespace, "-f", "-")
        cluster.kubectl(*arguments, stdin=json.dumps(wish))
        tenant.until_settled("applied")
    written: dict[tuple[str, str], set[str]] = {}
    for entry in tenant.managers("applied"):
        written.setdefault((entry["manager"], entry.get("subresource", "")), set()).update(fields(entry["fieldsV1"]))
    assert written.keys() == {("argocd", ""), ("infra-operator", ""), ("infra-operator", "status")}
    assert {field.split(".")[0] for field in written["argocd", ""]} == {"spec"}
    assert written["infra-operator", ""] <= {
        "metadata.annotations.aws-infra-operator.runner.codes/key-id",
        "metadata.finalizers.kmskey.aws-infra-operator.runner.codes/finalizer",
    }
    assert {field.split(".")[0] for field in written["infra-operator", "status"]} == {"status"}


def test_argo_cd_is_told_how_to_judge_our_kinds_beside_what_it_knows(tenant: Tenant) -> None:
    """The command of docs/gitops.md, in another namespace."""
    tenant.kubectl("create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example")
    text = (REPOSITORY / "manifests/gitops/argocd-health.yaml").read_text().replace("namespace: argocd", f"namespace: {tenant.namespace}")
    tenant.kubectl("patch", "configmap", "argocd-cm", "--type=merge", "--patch", text)
    data = tenant.get("argocd-cm", "configmap")["data"]
    assert data.pop("url") == "https://argocd.example"
    assert len(data) == 4
    assert all('status = "Healthy"' in script for script in data.values())


def fields(owned: dict[str, Any], path: str = "") -> Iterator[str]:
    """The leaves of fieldsV1, with dots between; a member of a set by its value."""
    for name, below in owned.items():
        if name == ".":
            continue
        kind, _, rest = name.partition(":")
        here = ".".join(part for part in (path, rest.strip('"') if kind in "fv" else rest) if part)
        deeper = list(fields(below, here))
        yield from deeper or [here]
