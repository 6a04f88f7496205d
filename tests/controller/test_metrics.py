import pytest
from prometheus_client import REGISTRY, generate_latest

from controller import metrics

# What dashboards and alerts ask for: the name as it is exposed, its type and its labels.
CONTRACT = [
    ("controller_runtime_reconcile_total", "counter", ("controller", "result")),
    ("controller_runtime_reconcile_errors_total", "counter", ("controller",)),
    ("controller_runtime_terminal_reconcile_errors_total", "counter", ("controller",)),
    ("controller_runtime_reconcile_panics_total", "counter", ("controller",)),
    ("controller_runtime_reconcile_timeouts_total", "counter", ("controller",)),
    ("controller_runtime_reconcile_time_seconds", "histogram", ("controller",)),
    ("controller_runtime_max_concurrent_reconciles", "gauge", ("controller",)),
    ("controller_runtime_active_workers", "gauge", ("controller",)),
    ("workqueue_depth", "gauge", ("name", "controller", "priority")),
    ("workqueue_adds_total", "counter", ("name", "controller")),
    ("workqueue_queue_duration_seconds", "histogram", ("name", "controller")),
    ("workqueue_work_duration_seconds", "histogram", ("name", "controller")),
    ("workqueue_unfinished_work_seconds", "gauge", ("name", "controller")),
    ("workqueue_longest_running_processor_seconds", "gauge", ("name", "controller")),
    ("workqueue_retries_total", "counter", ("name", "controller")),
    ("rest_client_requests_total", "counter", ("code", "method", "host")),
    ("rest_client_request_duration_seconds", "histogram", ("verb", "host")),
    ("watch_last_event_timestamp_seconds", "gauge", ("resource",)),
    ("watch_relist_total", "counter", ("resource", "reason")),
    ("leader_election_master_status", "gauge", ("name",)),
    ("leader_election_slowpath_total", "counter", ("name",)),
    ("aws_request_total", "counter", ("service", "operation", "code")),
    ("aws_request_attempts_total", "counter", ("service", "operation")),
    ("aws_request_duration_seconds", "histogram", ("service", "operation")),
    ("aws_quota_wait_seconds", "histogram", ("operation", "priority")),
    ("resource_condition", "gauge", ("kind", "type", "status", "reason")),
    ("create_intents_unresolved", "gauge", ()),
    ("orphan_keys", "gauge", ()),
    ("key_events_total", "counter", ("outcome",)),
    ("kubernetes_events_dropped_total", "counter", ()),
    ("controller_ring_shards", "gauge", ()),
    ("controller_resync_interval_seconds", "gauge", ()),
    ("controller_resync_stretch_ratio", "gauge", ()),
    ("event_loop_lag_seconds", "histogram", ()),
]
MINE = "a controller of this test"


def exposed() -> str:
    return generate_latest(REGISTRY).decode()


@pytest.mark.parametrize(("name", "kind", "labels"), CONTRACT)
def test_a_metric_is_exposed_with_the_labels_that_dashboards_use(name: str, kind: str, labels: tuple[str, ...]) -> None:
    assert f"# TYPE {name} {kind}\n" in exposed()
    metric = getattr(metrics, name.removesuffix("_total").upper())
    assert metric._labelnames == labels


def test_no_metric_is_missing_from_the_contract() -> None:
    defined = {name for name in vars(metrics) if name.isupper() and hasattr(getattr(metrics, name), "_labelnames")}
    assert defined == {name.removesuffix("_total").upper() for name, _, _ in CONTRACT}


def test_what_a_controller_will_count_is_zero_from_the_start() -> None:
    metrics.start_at_zero([MINE])
    for result in ("success", "error", "requeue", "requeue_after"):
        labels = {"controller": MINE, "result": result}
        assert REGISTRY.get_sample_value("controller_runtime_reconcile_total", labels) == 0.0
    for name, kind, labels_of_it in CONTRACT:
        sample = f"{name}_count" if kind == "histogram" else name
        if labels_of_it in {("controller",), ("name", "controller")}:
            assert REGISTRY.get_sample_value(sample, dict.fromkeys(labels_of_it, MINE)) == 0.0, name


def test_what_was_counted_before_stays() -> None:
    metrics.CONTROLLER_RUNTIME_RECONCILE_ERRORS.labels(controller="an earlier one").inc(3)
    metrics.start_at_zero(["an earlier one"])
    assert REGISTRY.get_sample_value("controller_runtime_reconcile_errors_total", {"controller": "an earlier one"}) == 3.0


def test_there_is_one_series_for_each_counter() -> None:
    metrics.start_at_zero([MINE])
    assert not [line for line in exposed().splitlines() if line.partition("{")[0].endswith("_created")]


def test_the_calls_of_aws_are_zero_from_the_start() -> None:
    metrics.start_calls_at_zero("kms", ["CreateKeyOfThisTest"])
    started = exposed()
    assert 'aws_request_total{code="OK",operation="CreateKeyOfThisTest",service="kms"} 0.0' in started
    assert 'aws_request_attempts_total{operation="CreateKeyOfThisTest",service="kms"} 0.0' in started
    assert 'aws_request_duration_seconds_count{operation="CreateKeyOfThisTest",service="kms"} 0.0' in started
