"""Whole plans: files in, a report out, with both clouds faked at the wire."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.kube import Unavailable
from controller.manifests import Manifest, ManifestError
from controller.objects import Ref
from controller.plan_command import NO_CLUSTER, Options, Planner, given_secrets, run
from controller.plan_report import Outcome, Report, Verdict
from reconcilers.forecast import NOT_YET
from reconcilers.names import API_VERSION, GROUP, KMSKEY_FINALIZER
from tests.aws.worlds import FakeAws
from tests.controller.clouds import (
    ACCOUNT,
    CALLER,
    DENIED,
    REGION,
    SmallAws,
    SmallCluster,
    SmallKey,
    key_arn,
    kubernetes,
    looking,
    owner_tags,
    status,
)

OPTIONS = Options(None, "ScheduleKeyDeletion", timedelta(minutes=5), False, False, False, ("*",))
PROVIDER = kubernetes("AWSProvider", "main", {"region": REGION})
KNOWN = {"keyId": "k", "keyArn": key_arn("k"), "accountId": ACCOUNT, "region": REGION, "creationDate": "2026-01-01T12:00:00Z"}


def manifest(kind: str, name: str, spec: Mapping[str, Any] | None = None, namespace: str = "shop", **more: Any) -> Manifest:
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec or {}, **more}
    return Manifest("file.yaml", API_VERSION, kind, Ref(namespace, name), {}, body)


def secret(name: str, **texts: str) -> Manifest:
    return replace(manifest("Secret", name, stringData=texts), api_version="v1")


def live_key(spec: Mapping[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """The object shop/orders with the key k."""
    return kubernetes("KMSKey", "orders", dict(spec or {}), **{"finalizers": [KMSKEY_FINALIZER], "status": KNOWN, **metadata})


def account(**key: Any) -> SmallAws:
    """An account with the key k of shop/orders."""
    return SmallAws(keys={"k": SmallKey(owner_tags("orders"), **key)})


async def plan(cluster: SmallCluster | None, aws: FakeAws, *manifests: Manifest, options: Options = OPTIONS) -> Report:
    async with looking(cluster, aws, given_secrets(manifests)) as clouds:
        return await Planner(clouds, options, has_cluster=cluster is not None).plan(manifests)


async def plan_key(cluster: SmallCluster, aws: FakeAws, spec: Mapping[str, Any] | None = None) -> Outcome:
    """The plan for shop/orders with this spec."""
    (outcome,) = (await plan(cluster, aws, manifest("KMSKey", "orders", spec))).outcomes
    return outcome


def actions(outcome: Outcome) -> list[str]:
    return [step.action for step in outcome.steps]


# -- with a cluster


async def test_a_new_key_is_planned_to_its_end() -> None:
    outcome = await plan_key(SmallCluster(PROVIDER), SmallAws(), {"enableKeyRotation": True})
    assert (outcome.verdict, actions(outcome)) == (Verdict.CHANGE, ["AddFinalizer", "CreateKey", "EnableKeyRotation"])
    assert [step.key for step in outcome.steps] == [None, NOT_YET, NOT_YET]


async def test_a_key_that_is_there_is_compared_with_the_file() -> None:
    cluster = SmallCluster(PROVIDER, live_key())
    outcome = await plan_key(cluster, account(), {"description": "Orders", "enableKeyRotation": True, "rotationPeriodInDays": 90})
    assert (outcome.verdict, actions(outcome)) == (Verdict.CHANGE, ["UpdateKeyDescription", "EnableKeyRotation"])
    assert {step.key for step in outcome.steps} == {"k"}
    assert outcome.reason is None


async def test_a_key_that_is_as_declared_stays() -> None:
    outcome = await plan_key(SmallCluster(PROVIDER, live_key()), account())
    assert (outcome.verdict, outcome.steps, outcome.reason) == (Verdict.UNCHANGED, (), "Available")


async def test_the_key_of_an_earlier_object_comes_back() -> None:
    outcome = await plan_key(SmallCluster(PROVIDER), account(state="PendingDeletion"))
    assert actions(outcome) == ["AddFinalizer", "RecordKey", "CancelKeyDeletion", "TagResource", "EnableKey"]
    assert {step.key for step in outcome.steps} == {None, "k"}


async def test_an_object_that_is_being_deleted_is_planned_as_that() -> None:
    cluster = SmallCluster(PROVIDER, live_key(deletionTimestamp="2026-02-01T00:00:00Z"))
    outcome = await plan_key(cluster, account(), {"pendingWindowInDays": 7})
    assert (outcome.verdict, actions(outcome)) == (Verdict.CHANGE, ["ScheduleKeyDeletion", "RemoveFinalizer"])


async def test_annotations_of_the_file_count() -> None:
    held = replace(manifest("KMSKey", "orders", {"description": "x"}), annotations={f"{GROUP}/paused": "true"})
    (outcome,) = (await plan(SmallCluster(PROVIDER, live_key()), account(), held)).outcomes
    assert (outcome.verdict, outcome.steps, outcome.reason) == (Verdict.WAITS, (), "Suspended")


async def test_an_object_that_is_retained_needs_no_provider() -> None:
    cluster = SmallCluster(live_key(deletionTimestamp="2026-02-01T00:00:00Z"))
    outcome = await plan_key(cluster, SmallAws(), {"deletionPolicy": "Retain"})
    assert (outcome.verdict, actions(outcome)) == (Verdict.CHANGE, ["RemoveFinalizer"])


async def test_a_key_of_somebody_else_is_refused() -> None:
    aws = SmallAws(keys={"k": SmallKey(owner_tags("another", cluster="another cluster"))})
    outcome = await plan_key(SmallCluster(PROVIDER, live_key()), aws, {"description": "x"})
    assert (outcome.verdict, outcome.steps, outcome.reason) == (Verdict.REFUSED, (), "KeyNotOwned")


async def test_a_policy_that_is_none_is_refused_before_aws_is_asked_about_the_key() -> None:
    aws = SmallAws()
    outcome = await plan_key(SmallCluster(PROVIDER), aws, {"keyPolicy": "{}"})
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, "InvalidPolicy")
    assert aws.operations() == ["GetCallerIdentity"]


async def test_a_key_without_a_provider_is_refused() -> None:
    outcome = await plan_key(SmallCluster(), SmallAws())
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, "ProviderNotResolved")


async def test_what_aws_does_not_tell_is_unknown_and_leaves_the_other_plans() -> None:
    aws = SmallAws(keys={"k": SmallKey(owner_tags("orders"))}, refused={"DescribeKey": DENIED})
    cluster = SmallCluster(PROVIDER, live_key())
    report = await plan(cluster, aws, manifest("KMSKey", "orders"), manifest("KMSKey", "new"))
    known, new = report.outcomes
    assert (known.verdict, known.reason) == (Verdict.UNKNOWN, "AccessDenied")
    assert known.message is not None
    assert "Allow kms:DescribeKey" in known.message
    assert new.verdict is Verdict.CHANGE
    assert report.exit_code == 1


async def test_the_api_server_judges_each_object() -> None:
    cluster = SmallCluster(PROVIDER, live_key())
    cluster.refusals["PATCH"] = status(422, "Invalid", "keySpec cannot change", causes=[{"reason": "FieldValueInvalid"}])
    report = await plan(cluster, account(), manifest("KMSKey", "orders", {"keySpec": "RSA_2048"}), manifest("KMSKey", "new"))
    refused, new = report.outcomes
    assert (refused.verdict, refused.reason, refused.message) == (Verdict.REFUSED, "InvalidSpec", "keySpec cannot change")
    assert new.verdict is Verdict.CHANGE


async def test_what_the_api_server_does_not_judge_is_noted() -> None:
    cluster = SmallCluster(PROVIDER)
    cluster.refusals["POST"] = status(403, "Forbidden", "you may not create kmskeys")
    report = await plan(cluster, SmallAws(), manifest("KMSKey", "orders"))
    assert report.outcomes[0].verdict is Verdict.CHANGE
    assert report.notes == ("The API server did not judge KMSKey shop/orders: you may not create kmskeys",)


async def test_an_object_that_the_models_refuse_is_not_sent_to_the_server() -> None:
    cluster = SmallCluster(PROVIDER)
    outcome = await plan_key(cluster, SmallAws(), {"keyspec": "RSA_2048"})
    assert (outcome.verdict, outcome.message) == (Verdict.REFUSED, "Unknown fields: spec.keyspec. Correct or remove them.")
    assert cluster.judged == []


async def test_a_cluster_that_cannot_be_reached_is_an_error() -> None:
    cluster = SmallCluster()
    cluster.down = True
    with pytest.raises(Unavailable):
        await plan(cluster, SmallAws(), manifest("KMSKey", "orders"))


async def test_the_flags_of_the_operator_count() -> None:
    provider = kubernetes("AWSProvider", "main", {"region": REGION}, "platform")
    cluster = SmallCluster(live_key(deletionTimestamp="2026-02-01T00:00:00Z"), provider)
    options = replace(OPTIONS, default_provider=Ref("platform", "main"), default_deletion_policy="DisableKey")
    (outcome,) = (await plan(cluster, account(), manifest("KMSKey", "orders"), options=options)).outcomes
    assert actions(outcome) == ["DisableKey", "RemoveFinalizer"]


# -- providers and Secrets


async def test_a_provider_is_tried_and_nothing_else_is_done_for_it() -> None:
    (outcome,) = (await plan(SmallCluster(), SmallAws(), manifest("AWSProvider", "main", {"region": REGION}))).outcomes
    assert (outcome.verdict, outcome.steps, outcome.reason) == (Verdict.UNCHANGED, (), "AuthenticationSucceeded")
    assert outcome.message == f"It leads to account {ACCOUNT}, region {REGION}, as {CALLER}."


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"region": REGION, "accountID": "999999999999"}, "ProviderNotReady"),
        ({"region": REGION, "credentialsSecret": {"name": "absent"}}, "ProviderNotReady"),
        ({"region": REGION, "endpoint": "http://127.0.0.1:1"}, "ProviderNotReady"),
        ({"region": "Mars"}, "InvalidSpec"),
    ],
)
async def test_a_provider_that_leads_nowhere_is_refused(spec: Mapping[str, Any], reason: str) -> None:
    (outcome,) = (await plan(SmallCluster(), SmallAws(), manifest("AWSProvider", "main", spec))).outcomes
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, reason)


async def test_secrets_of_the_files_are_used_whether_there_is_a_cluster_or_not() -> None:
    provider = manifest("AWSProvider", "main", {"region": REGION, "credentialsSecret": {"name": "aws"}})
    credentials = secret("aws", AWS_ACCESS_KEY_ID="AKIAFILE", AWS_SECRET_ACCESS_KEY="s")
    for cluster in (None, SmallCluster()):
        aws = SmallAws()
        report = await plan(cluster, aws, credentials, provider, manifest("KMSKey", "orders"))
        assert [outcome.kind for outcome in report.outcomes] == ["AWSProvider", "KMSKey"]
        assert {who for who, _, _ in aws.asked} == {"AKIAFILE"}


def test_a_secret_is_given_as_the_server_shows_it() -> None:
    both = replace(secret("aws", one="plain"), body={"data": {"two": "c2Vj"}, "stringData": {"one": "plain"}})
    (given,) = given_secrets([both]).values()
    assert json.loads(given)["data"] == {"one": "cGxhaW4=", "two": "c2Vj"}


# -- without a cluster


async def test_without_a_cluster_every_object_is_new_and_the_reader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", REGION)
    aws = account()
    report = await plan(None, aws, manifest("KMSKey", "orders", {"providerRef": {"name": "production"}}, status=KNOWN))
    (outcome,) = report.outcomes
    assert actions(outcome) == ["AddFinalizer", "CreateKey"]
    assert not report.has_cluster
    assert report.notes == (
        NO_CLUSTER,
        "AWSProvider shop/production is in none of the files: the AWS environment of this shell stands in for it.",
    )
    assert aws.operations() == ["GetCallerIdentity"]


async def test_files_without_objects_of_ours_are_a_mistake() -> None:
    with pytest.raises(ManifestError, match="none of KMSKey, AWSProvider, KMSAlias, KMSGrant"):
        await plan(SmallCluster(), SmallAws(), secret("aws"))


async def test_a_kind_that_is_not_planned_is_judged_by_admission_and_said_to_be_unknown() -> None:
    good = {"aliasName": "orders", "targetRef": {"name": "orders"}}
    aliases = [manifest("KMSAlias", name, spec) for name, spec in (("good", good), ("bad", {**good, "aliasName": "a:b"}))]
    report = await plan(SmallCluster(), SmallAws(), *aliases)
    assert [(one.verdict, one.reason) for one in report.outcomes] == [(Verdict.UNKNOWN, "NotPlanned"), (Verdict.REFUSED, "InvalidSpec")]
    assert report.exit_code == 1


# -- the command


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A shell that knows neither a cluster nor an account."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


async def test_without_a_kubeconfig_there_is_no_cluster(nowhere: Path) -> None:
    (nowhere / "key.yaml").write_text(yaml.safe_dump(manifest("KMSKey", "orders").body))
    report = await run([str(nowhere / "key.yaml")], "default", OPTIONS)
    (outcome,) = report.outcomes
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, "ProviderNotResolved")
    assert report.notes == (
        NO_CLUSTER,
        "AWS_REGION is not set: with it, the AWS environment of this shell stands in for missing AWSProviders.",
    )


@pytest.mark.parametrize("kubeconfig", ["/nonexistent", "broken"])
async def test_a_kubeconfig_that_leads_nowhere_is_an_error(nowhere: Path, kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "key.yaml").write_text(yaml.safe_dump(manifest("KMSKey", "orders").body))
    (nowhere / "broken").write_text("clusters: []")
    monkeypatch.setenv("KUBECONFIG", str(nowhere / kubeconfig))
    with pytest.raises(OSError, match="kubeconfig"):
        await run([str(nowhere / "key.yaml")], "default", OPTIONS)
