"""Every alert fires in its scenario and in no quieter one, by promtool, in virtual hours."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from controller import metrics
from tests.cluster.emulator import REPOSITORY
from tests.monitoring.prometheus import prometheus_folder

RULES = yaml.safe_load((REPOSITORY / "manifests/components/prometheus-rules/rules.yaml").read_text())["spec"]
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
LEASE = 'leader_election_master_status{name="infra-operator.aws-infra-operator.runner.codes",pod="%s"}'
JOB = 'job="infra-operator-metrics"'


class Scenario(NamedTuple):
    """Series by name, in promtool's notation, a value a minute; when to look; and whether the alert fires then."""

    alert: str
    series: dict[str, str]
    minute: int
    fires: bool


def kms(operation: str, code: str) -> str:
    return f'aws_request_total{{service="kms",operation="{operation}",code="{code}"}}'


def reconcile(name: str, more: str = "") -> str:
    return f'controller_runtime_reconcile_{name}{{controller="kmskey"{more}}}'


def condition(kind: str, kind_of: str, status: str, reason: str) -> str:
    return f'resource_condition{{kind="{kind}",type="{kind_of}",status="{status}",reason="{reason}"}}'


LAG = 'event_loop_lag_seconds_bucket{le="%s"}'
WAIT = 'workqueue_queue_duration_seconds_bucket{controller="kmskey",name="kmskey",le="%s"}'

SCENARIOS = [
    Scenario("InfraOperatorNoLeader", {LEASE % "a": "0x20", LEASE % "b": "0x20"}, 10, fires=True),
    Scenario("InfraOperatorNoLeader", {}, 10, fires=True),
    Scenario("InfraOperatorNoLeader", {LEASE % "a": "1x20", LEASE % "b": "0x20"}, 10, fires=False),
    Scenario("InfraOperatorNoLeader", {LEASE % "a": "1x4 0 1x20"}, 6, fires=False),  # a failover
    Scenario("InfraOperatorTwoLeaders", {LEASE % "a": "1x20", LEASE % "b": "1x20"}, 10, fires=True),
    Scenario("InfraOperatorTwoLeaders", {LEASE % "a": "1x20", LEASE % "b": "0x20"}, 10, fires=False),
    Scenario("InfraOperatorReconcileErrors", {reconcile("errors_total"): "0+2x40", reconcile("total"): "0+10x40"}, 30, fires=True),
    Scenario("InfraOperatorReconcileErrors", {reconcile("errors_total"): "0x40", reconcile("total"): "0+10x40"}, 30, fires=False),
    Scenario("InfraOperatorReconcileErrors", {reconcile("errors_total"): "0x40", reconcile("total"): "0x40"}, 30, fires=False),
    Scenario("InfraOperatorPanic", {reconcile("panics_total"): "0x5 1x20"}, 10, fires=True),
    Scenario("InfraOperatorPanic", {reconcile("panics_total"): "0x5 1x40"}, 40, fires=False),
    Scenario(
        "InfraOperatorKubernetesErrors",
        {f'rest_client_requests_total{{code="503",{JOB}}}': "0+1x40", f'rest_client_requests_total{{code="200",{JOB}}}': "0+50x40"},
        30,
        fires=True,
    ),
    Scenario(
        "InfraOperatorKubernetesErrors",
        {f'rest_client_requests_total{{code="409",{JOB}}}': "0+9x40", f'rest_client_requests_total{{code="200",{JOB}}}': "0+50x40"},
        30,
        fires=False,
    ),
    Scenario("InfraOperatorWatchSilent", {'watch_last_event_timestamp_seconds{resource="kmskeys"}': "0x40"}, 10, fires=True),
    Scenario("InfraOperatorWatchSilent", {'watch_last_event_timestamp_seconds{resource="kmskeys"}': "0+60x40"}, 10, fires=False),
    Scenario("InfraOperatorQueueSlow", {WAIT % "10": "0x60", WAIT % "100": "0+5x60", WAIT % "+Inf": "0+5x60"}, 40, fires=True),
    Scenario("InfraOperatorQueueSlow", {WAIT % "10": "0+5x60", WAIT % "100": "0+5x60", WAIT % "+Inf": "0+5x60"}, 40, fires=False),
    Scenario(
        "InfraOperatorPassStuck", {'workqueue_longest_running_processor_seconds{controller="kmskey"}': "0+60x20"}, 10, fires=True
    ),
    Scenario("InfraOperatorPassStuck", {'workqueue_longest_running_processor_seconds{controller="kmskey"}': "9x20"}, 10, fires=False),
    Scenario("InfraOperatorCreationUnresolved", {"create_intents_unresolved": "1x40"}, 30, fires=True),
    Scenario("InfraOperatorCreationUnresolved", {"create_intents_unresolved": "1x9 0x40"}, 30, fires=False),
    Scenario("InfraOperatorKeyDeletionScheduled", {kms("ScheduleKeyDeletion", "OK"): "0x5 1x20"}, 10, fires=True),
    Scenario("InfraOperatorKeyDeletionScheduled", {kms("ScheduleKeyDeletion", "AccessDeniedException"): "0x5 1x20"}, 10, fires=False),
    Scenario("InfraOperatorOrphanKeys", {"orphan_keys": "0x5 1x20"}, 10, fires=True),
    Scenario("InfraOperatorOrphanKeys", {"orphan_keys": "0x20"}, 10, fires=False),
    Scenario(
        "InfraOperatorThrottled",
        {kms("CreateKey", "ThrottlingException"): "0+1x40", kms("CreateKey", "OK"): "0+9x40"},
        30,
        fires=True,
    ),
    Scenario(
        "InfraOperatorThrottled",
        {kms("CreateKey", "ThrottlingException"): "0+1x40", kms("CreateKey", "OK"): "0+99x40"},
        30,
        fires=False,
    ),
    Scenario(
        "InfraOperatorProviderNotReady", {condition("AWSProvider", "Ready", "False", "AuthenticationFailed"): "1x40"}, 20, fires=True
    ),
    Scenario(
        "InfraOperatorProviderNotReady",
        {condition("AWSProvider", "Ready", "True", "AuthenticationSucceeded"): "3x40"},
        20,
        fires=False,
    ),
    Scenario("InfraOperatorKeyLost", {condition("KMSKey", "Ready", "False", "KeyLost"): "0x5 1x20"}, 10, fires=True),
    Scenario("InfraOperatorKeyLost", {condition("KMSKey", "Ready", "True", "Available"): "9x20"}, 10, fires=False),
    Scenario("InfraOperatorKeysStalled", {condition("KMSKey", "Stalled", "True", "InvalidPolicy"): "2x60"}, 50, fires=True),
    Scenario("InfraOperatorKeysStalled", {condition("KMSKey", "Stalled", "True", "InvalidPolicy"): "2x10 0x60"}, 50, fires=False),
    Scenario("InfraOperatorEventLoopSlow", {LAG % "0.1": "0x60", LAG % "0.5": "0+9x60", LAG % "+Inf": "0+9x60"}, 40, fires=True),
    Scenario("InfraOperatorEventLoopSlow", {LAG % "0.1": "0+9x60", LAG % "0.5": "0+9x60", LAG % "+Inf": "0+9x60"}, 40, fires=False),
]


@pytest.fixture(scope="module")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the rules lie as promtool reads them."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules.yaml").write_text(json.dumps(RULES))
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [prometheus_folder() / "promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def as_test(scenario: Scenario, expected: list[dict[str, Any]]) -> dict[str, Any]:
    series = [{"series": name, "values": values} for name, values in scenario.series.items()]
    check = {"eval_time": f"{scenario.minute}m", "alertname": scenario.alert, "exp_alerts": expected}
    return {"interval": "1m", "input_series": series, "alert_rule_test": [check]}


def test_the_rules_are_good_promql(promtool: Path) -> None:
    checked = run(promtool, "check", "rules", "rules.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda it: f"{it.alert}-{it.minute}-{'fires' if it.fires else 'rests'}")
def test_an_alert_fires_in_its_scenario_and_not_otherwise(promtool: Path, scenario: Scenario) -> None:
    """promtool wants every label and annotation of an alert; that it expects none and gets one is a failure either way."""
    (promtool / "test.yaml").write_text(json.dumps({"rule_files": ["rules.yaml"], "tests": [as_test(scenario, [])]}))
    told = run(promtool, "test", "rules", "test.yaml")
    fired = "got:[" in re.sub(r"\s", "", told.stdout + told.stderr) and told.returncode != 0
    assert fired is scenario.fires, told.stdout + told.stderr


def test_every_alert_has_a_scenario_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    assert {(scenario.alert, scenario.fires) for scenario in SCENARIOS} >= {(name, fires) for name in ALERTS for fires in (True, False)}


def test_every_metric_in_a_rule_is_one_that_the_operator_exposes() -> None:
    exposed = {name.lower() for name, metric in vars(metrics).items() if isinstance(metric, (Counter, Gauge, Histogram))}
    asked = {name for rule in ALERTS.values() for name in re.findall(r"\b([a-z_]+_[a-z_]+)(?:\{|\[|\)| )", rule["expr"])}
    names = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in asked} - {"histogram_quantile", "sum"}
    assert names <= exposed


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_its_runbook(alert: str) -> None:
    runbooks = (REPOSITORY / "docs/runbooks.md").read_text()
    assert ALERTS[alert]["annotations"]["runbook_url"].endswith(f"#{alert.lower()}")
    assert f"\n## {alert}\n" in runbooks
