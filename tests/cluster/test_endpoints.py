"""The listeners of a running operator: what probes and Prometheus get."""

import re
import socket
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.operator_process import Operator
from tests.cluster.pages import page
from tests.cluster.processes import ProcessError
from tests.cluster.tenant import Tenant

LEASE = "infra-operator.aws-infra-operator.runner.codes"
# As stock dashboards of controller-runtime and client-go ask for them, and our own.
SERIES = [
    'controller_runtime_reconcile_total{controller="kmskey",result="success"}',
    'controller_runtime_reconcile_total{controller="kmskey",result="error"}',
    'controller_runtime_reconcile_total{controller="kmskey",result="requeue"}',
    'controller_runtime_reconcile_total{controller="kmskey",result="requeue_after"}',
    'controller_runtime_reconcile_total{controller="awsprovider",result="success"}',
    'controller_runtime_reconcile_errors_total{controller="kmskey"}',
    'controller_runtime_terminal_reconcile_errors_total{controller="kmskey"}',
    'controller_runtime_reconcile_panics_total{controller="kmskey"}',
    'controller_runtime_reconcile_timeouts_total{controller="kmskey"}',
    'controller_runtime_reconcile_time_seconds_count{controller="kmskey"}',
    'controller_runtime_max_concurrent_reconciles{controller="kmskey"}',
    'controller_runtime_active_workers{controller="kmskey"}',
    'workqueue_depth{controller="kmskey",name="kmskey",priority="user"}',
    'workqueue_adds_total{controller="kmskey",name="kmskey"}',
    'workqueue_queue_duration_seconds_count{controller="kmskey",name="kmskey"}',
    'workqueue_work_duration_seconds_count{controller="kmskey",name="kmskey"}',
    'workqueue_unfinished_work_seconds{controller="kmskey",name="kmskey"}',
    'workqueue_longest_running_processor_seconds{controller="kmskey",name="kmskey"}',
    'workqueue_retries_total{controller="kmskey",name="kmskey"}',
    f'leader_election_master_status{{name="{LEASE}"}}',
    f'leader_election_slowpath_total{{name="{LEASE}"}}',
    'aws_request_total{code="OK",operation="CreateKey",service="kms"}',
    'aws_request_duration_seconds_count{operation="CreateKey",service="kms"}',
    'resource_condition{kind="KMSKey",reason="Available",status="True",type="Ready"}',
    'resource_condition{kind="AWSProvider",reason="AuthenticationSucceeded",status="True",type="Ready"}',
    'watch_relist_total{reason="',
    'watch_last_event_timestamp_seconds{resource="kmskeys"}',
    "event_loop_lag_seconds_count",
    "create_intents_unresolved",
    'rest_client_requests_total{code="200",host="127.0.0.1:',
    'rest_client_request_duration_seconds_count{host="127.0.0.1:',
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "python_gc_collections_total",
]


@pytest.fixture(scope="module")
def operator(cluster: Cluster) -> Iterator[Operator]:
    with cluster.operator() as running:
        yield running
        assert running.process.terminate(30) == 0


@pytest.fixture
def tenant(operator: Operator, cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    """A user with one key that is ready."""
    assert operator
    user = Tenant(cluster, namespace)
    user.provide()
    user.declare("k")
    user.until_settled("k")
    yield user
    user.leave()


@pytest.mark.parametrize("probe", ["healthz", "readyz"])
def test_a_probe_says_ok(probe: str, operator: Operator) -> None:
    assert page(f"{operator.health_url}/{probe}") == (200, "ok\n")


def test_a_verbose_probe_names_its_checks(operator: Operator) -> None:
    assert "[+]event-loop ok\n[+]watches ok\n" in page(f"{operator.health_url}/healthz?verbose")[1]
    assert "[+]caches ok\n" in page(f"{operator.health_url}/readyz?verbose")[1]


@pytest.mark.parametrize("series", SERIES)
def test_a_series_that_dashboards_ask_for_is_there(series: str, metrics: str) -> None:
    assert f"\n{series}" in metrics


@pytest.fixture(scope="module")
def metrics(operator: Operator, cluster: Cluster) -> str:
    """/metrics, once there was something to count."""
    cluster.kubectl("create", "namespace", "counted")
    user = Tenant(cluster, "counted")
    user.provide()
    user.declare("k")
    user.until_settled("k")
    status, text = page(operator.metrics_url)
    user.leave_nothing()
    assert status == 200
    return text


def test_metrics_name_no_object_and_no_key(operator: Operator, tenant: Tenant) -> None:
    """One series for each object is a price that nobody has agreed to pay."""
    _, text = page(operator.metrics_url)
    assert tenant.key_id("k") not in text
    assert tenant.get("k")["metadata"]["uid"] not in text
    assert "arn:aws" not in text
    assert f'"{tenant.namespace}"' not in text


def test_no_pass_has_panicked(operator: Operator, tenant: Tenant) -> None:
    assert tenant
    _, text = page(operator.metrics_url)
    assert set(re.findall(r"^controller_runtime_reconcile_panics_total\{.*\} (.*)$", text, re.MULTILINE)) == {"0.0"}


@pytest.mark.parametrize("flag", ["metrics_bind_address", "health_bind_address"])
def test_an_address_that_is_taken_ends_it_with_the_address(flag: str, cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rival:
        address = f"127.0.0.1:{rival.getsockname()[1]}"
        with pytest.raises(ProcessError, match="ended with code 1") as ended, cluster.operator(replica=9, **{flag: address}):
            raise AssertionError("it is ready without its address")
    assert address.rpartition(":")[2] in str(ended.value)
    assert "Traceback" not in str(ended.value)
