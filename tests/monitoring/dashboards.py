"""The two Grafana dashboards, from a table of panels: operations (is the operator well?) and keys (are the keys?).

`make dashboards` writes manifests/dashboards; a test fails when the files are stale, another when a query finds nothing at a real Prometheus.
The panels ask by names that other operators on controller-runtime share, so each has the controllers of this one in its selector.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "manifests" / "dashboards"
OURS = 'controller=~"awsprovider|kms.*"'
LEASE = 'name="infra-operator.aws-infra-operator.runner.codes"'
COLUMNS, WIDTH, HEIGHT = 2, 12, 8  # Grafana's grid is 24 wide


@dataclass(frozen=True)
class Panel:
    """queries: by legend, as Grafana fills it in. kind: a graph, or one number."""

    title: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    told: str = ""


def _quantile(share: float, metric: str, by: str, selector: str = "") -> str:
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({metric}_bucket{{{selector}}}[5m])))"


OPERATIONS = [
    Panel("Leaders", {"leaders": f"sum(leader_election_master_status{{{LEASE}}})"}, kind="stat", told="One, always."),
    Panel("Passes", {"{{controller}} {{result}}": f"sum by (controller, result) (rate(controller_runtime_reconcile_total{{{OURS}}}[5m]))"}),
    Panel(
        "Failed passes",
        {
            "{{controller}} errors": f"sum by (controller) (rate(controller_runtime_reconcile_errors_total{{{OURS}}}[5m]))",
            "{{controller}} bugs": f"sum by (controller) (rate(controller_runtime_reconcile_panics_total{{{OURS}}}[5m]))",
            "{{controller}} cut off": f"sum by (controller) (rate(controller_runtime_reconcile_timeouts_total{{{OURS}}}[5m]))",
        },
    ),
    Panel(
        "Duration of a pass",
        {
            "{{controller}} p50": _quantile(0.5, "controller_runtime_reconcile_time_seconds", "controller", OURS),
            "{{controller}} p99": _quantile(0.99, "controller_runtime_reconcile_time_seconds", "controller", OURS),
        },
        "s",
    ),
    Panel("Waiting objects", {"{{controller}} {{priority}}": f"sum by (controller, priority) (workqueue_depth{{{OURS}}})"}),
    Panel("Wait for a worker, p99", {"{{controller}}": _quantile(0.99, "workqueue_queue_duration_seconds", "controller", OURS)}, "s"),
    Panel("Workers at work", {"{{controller}}": f"sum by (controller) (controller_runtime_active_workers{{{OURS}}})"}),
    Panel("AWS calls", {"{{operation}}": 'sum by (operation) (rate(aws_request_total{service="kms"}[5m])) > 0'}, "reqps"),
    Panel(
        "AWS refusals",
        {"{{operation}} {{code}}": 'sum by (operation, code) (rate(aws_request_total{code!="OK"}[5m])) or vector(0)'},
        "reqps",
    ),
    Panel("Duration of an AWS call, p99", {"{{operation}}": _quantile(0.99, "aws_request_duration_seconds", "operation")}, "s"),
    Panel(
        "Wait for AWS quotas, p99",
        {"{{operation}} {{priority}}": _quantile(0.99, "aws_quota_wait_seconds", "operation, priority")},
        "s",
    ),
    Panel(
        "Kubernetes requests",
        {"{{method}} {{code}}": 'sum by (method, code) (rate(rest_client_requests_total{job=~".*infra-operator.*"}[5m]))'},
        "reqps",
    ),
    Panel("Resync interval in force", {"interval": "max(controller_resync_interval_seconds)"}, "s"),
    Panel("Silence of the watches", {"{{resource}}": "time() - max by (resource) (watch_last_event_timestamp_seconds)"}, "s"),
    Panel("Event loop lag, p99", {"lag": _quantile(0.99, "event_loop_lag_seconds", "job")}, "s"),
    Panel("Memory", {"{{instance}}": 'process_resident_memory_bytes{job=~".*infra-operator.*"}'}, "bytes"),
    Panel("CPU", {"{{instance}}": 'rate(process_cpu_seconds_total{job=~".*infra-operator.*"}[5m])'}),
]

KEYS = [
    Panel("Keys", {"keys": 'sum(resource_condition{kind="KMSKey",type="Ready"})'}, kind="stat"),
    Panel("Ready", {"ready": 'sum(resource_condition{kind="KMSKey",type="Ready",status="True"})'}, kind="stat"),
    Panel(
        "Not ready, by reason",
        {"{{reason}}": 'sum by (reason) (resource_condition{kind="KMSKey",type="Ready",status!="True"}) or vector(0)'},
    ),
    Panel("Synced, by reason", {"{{status}} {{reason}}": 'sum by (status, reason) (resource_condition{kind="KMSKey",type="Synced"})'}),
    Panel(
        "Wait for somebody, by reason",
        {"{{reason}}": 'sum by (reason) (resource_condition{kind="KMSKey",type="Stalled",status="True"}) or vector(0)'},
    ),
    Panel("AWSProviders", {"{{reason}}": 'sum by (reason) (resource_condition{kind="AWSProvider",type="Ready"})'}),
    Panel("Keys made", {"CreateKey": 'increase(aws_request_total{operation="CreateKey",code="OK"}[1h])'}),
    Panel(
        "Deletions scheduled",
        {"ScheduleKeyDeletion": 'increase(aws_request_total{operation="ScheduleKeyDeletion",code="OK"}[1h])'},
        told="Can be taken back while the window lasts.",
    ),
    Panel("Creations without an answer", {"unresolved": "max(create_intents_unresolved)"}, kind="stat", told="Nought, but for minutes."),
    Panel("Keys without an object", {"orphans": "max(orphan_keys)"}, kind="stat", told="See: infra-operator orphans."),
]

DASHBOARDS = {
    "infra-operator-operations": ("infra-operator: operations", OPERATIONS),
    "infra-operator-keys": ("infra-operator: keys", KEYS),
}


def files() -> dict[str, str]:
    """The text of each dashboard by its file's name."""
    return {f"{uid}.json": json.dumps(_dashboard(uid, *told), indent=1) + "\n" for uid, told in DASHBOARDS.items()}


def _dashboard(uid: str, title: str, panels: list[Panel]) -> dict[str, Any]:
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    return {
        "uid": uid,
        "title": title,
        "tags": ["infra-operator", "kms"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.told,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + at), "expr": query, "legendFormat": legend}
            for at, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def write() -> None:
    """Write the files: `make dashboards`."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text)
