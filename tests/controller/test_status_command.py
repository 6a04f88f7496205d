from typing import Any

import pytest

from controller.dry_run import DryRun
from controller.kube import Kube, Unavailable
from controller.status_command import survey
from controller.status_report import Report
from reconcilers.fields import UNSEEN
from tests.controller.clouds import SmallCluster, kubernetes


def status(ready: bool, reason: str, **more: Any) -> dict[str, Any]:
    found = {
        "type": "Ready",
        "status": str(ready),
        "reason": reason,
        "message": "Words.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {"observedGeneration": 1, "conditions": [found], **more}


PROVIDER = kubernetes(
    "AWSProvider",
    "main",
    {"region": "eu-central-1"},
    status=status(True, "AuthenticationSucceeded", accountID="111122223333", keysInUse=1),
)
KEY = kubernetes("KMSKey", "orders", {}, status=status(True, "Available", keyState="Enabled"))
ELSEWHERE = kubernetes("KMSKey", "lost", {}, namespace="other", status=status(False, "KeyLost"))
ALIAS = kubernetes("KMSAlias", "name", {"aliasName": "a"}, status=status(False, "TargetNotFound"))


async def look(cluster: SmallCluster, namespace: str | None = None, metrics_url: str | None = None) -> Report:
    return await survey(Kube(DryRun(cluster, {})), namespace, metrics_url)


def stuck(report: Report) -> list[tuple[str, str, str]]:
    return [(one.told.kind, one.told.name, one.reason) for one in report.stuck]


async def test_objects_of_all_kinds_and_namespaces_are_judged_by_their_status() -> None:
    report = await look(SmallCluster(PROVIDER, KEY, ELSEWHERE, ALIAS))
    assert stuck(report) == [("KMSAlias", "name", "TargetNotFound"), ("KMSKey", "lost", "KeyLost")]
    (provider,) = report.providers
    assert (provider.region, provider.account_id, provider.keys_in_use) == ("eu-central-1", "111122223333", 1)
    assert {one.told.state for one in report.objects} == {"Enabled", None}
    assert report.exit_code == 2


async def test_one_namespace_can_be_asked_for() -> None:
    assert stuck(await look(SmallCluster(PROVIDER, KEY, ELSEWHERE), namespace="shop")) == []


async def test_an_object_that_nobody_has_looked_at_is_told() -> None:
    new = kubernetes("KMSKey", "new", {}, status=UNSEEN)
    bare = kubernetes("KMSKey", "of an older CRD", {})
    changed = kubernetes("KMSKey", "changed", {}, status=status(True, "Available"), generation=2)
    report = await look(SmallCluster(new, bare, changed))
    assert [reason for _, _, reason in stuck(report)] == ["Unseen"] * 3


async def test_a_kind_that_the_cluster_does_not_serve_has_no_objects() -> None:
    cluster = SmallCluster(KEY)
    cluster.unknown_kinds = {"kmsgrants", "kmsaliases"}
    assert (await look(cluster)).exit_code == 0


async def test_metrics_that_cannot_be_read_leave_the_rest_and_are_a_problem() -> None:
    report = await look(SmallCluster(KEY), metrics_url="http://127.0.0.1:1/metrics")
    assert (len(report.objects), report.quota, report.exit_code) == (1, None, 1)
    (problem,) = report.problems
    assert problem.startswith("The use of AWS's quotas is unknown: http://127.0.0.1:1/metrics cannot be read: ")


async def test_a_cluster_that_cannot_be_reached_is_an_error() -> None:
    cluster = SmallCluster()
    cluster.down = True
    with pytest.raises(Unavailable):
        await look(cluster)
