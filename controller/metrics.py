"""The metrics of the operator: their names, labels and buckets, and nothing else.

Whoever counts something imports the metric from here; the server exposes the default registry.

Rules:
1. Where controller-runtime or client-go has a metric, ours has its name and its labels, so that stock dashboards and alerts work.
2. A Python name is the exposed name in upper case without `_total`, which the library appends to every counter.
3. No label holds a key id, an ARN, a uid, a message or an object's name: how many series there are is bounded by this program's
   text and by the watched kinds, not by what users create.
4. Series whose labels are known at start exist at start, as 0: a rate over a counter that appears with its first event misses it.
   Waits for quotas are excepted: two thousand lines that are mostly 0, for a quantile that the first wait does not change.

process_* and python_gc_* come with the library. Durations are in seconds.
"""

from collections.abc import Callable, Iterable

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# Each counter and histogram would get a second series, `_created`, which no dashboard of controller-runtime's asks for.
_disable_created: Callable[[], None] = disable_created_metrics  # named, because the library gives it no types
_disable_created()

# controller-runtime's buckets, so that quantiles of both can be compared.
_RECONCILE_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    *(1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0),
)
# client-go's: each power of ten from 10 ns to 1000 s.
_QUEUE_BUCKETS = tuple(10.0**exponent for exponent in range(-8, 4))
# client-go's for its requests.
_REQUEST_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
# A KMS call takes 5 to 100 ms, and is given up after 10 s.
_AWS_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# The slowest KMS quotas allow a few calls a second, so a thousand objects at once wait for minutes.
_QUOTA_WAIT_BUCKETS = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
# 50 ms is the lag that 99 of 100 ticks shall stay below, 250 ms the lag that none shall exceed.
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

RECONCILE_RESULTS = ("success", "error", "requeue", "requeue_after")
_QUEUE_LABELS = ("name", "controller")

CONTROLLER_RUNTIME_RECONCILE = Counter(
    "controller_runtime_reconcile", "Reconciliations, by their result.", ("controller", "result")
)
CONTROLLER_RUNTIME_RECONCILE_ERRORS = Counter(
    "controller_runtime_reconcile_errors", "Reconciliations that ended with an error.", ("controller",)
)
CONTROLLER_RUNTIME_TERMINAL_RECONCILE_ERRORS = Counter(
    "controller_runtime_terminal_reconcile_errors", "Reconciliations whose error is not retried.", ("controller",)
)
CONTROLLER_RUNTIME_RECONCILE_PANICS = Counter(
    "controller_runtime_reconcile_panics", "Reconciliations that ended with an error nobody expected: a bug.", ("controller",)
)
CONTROLLER_RUNTIME_RECONCILE_TIMEOUTS = Counter(
    "controller_runtime_reconcile_timeouts", "Reconciliations cut off at their deadline.", ("controller",)
)
CONTROLLER_RUNTIME_RECONCILE_TIME_SECONDS = Histogram(
    "controller_runtime_reconcile_time_seconds", "Duration of a reconciliation.", ("controller",), buckets=_RECONCILE_BUCKETS
)
CONTROLLER_RUNTIME_MAX_CONCURRENT_RECONCILES = Gauge(
    "controller_runtime_max_concurrent_reconciles", "Workers of the controller.", ("controller",)
)
CONTROLLER_RUNTIME_ACTIVE_WORKERS = Gauge(
    "controller_runtime_active_workers", "Workers that are reconciling now.", ("controller",)
)

WORKQUEUE_DEPTH = Gauge("workqueue_depth", "Items that are ready and wait for a worker.", (*_QUEUE_LABELS, "priority"))
WORKQUEUE_ADDS = Counter("workqueue_adds", "Items added.", _QUEUE_LABELS)
WORKQUEUE_QUEUE_DURATION_SECONDS = Histogram(
    "workqueue_queue_duration_seconds", "How long a ready item waited for a worker.", _QUEUE_LABELS, buckets=_QUEUE_BUCKETS
)
WORKQUEUE_WORK_DURATION_SECONDS = Histogram(
    "workqueue_work_duration_seconds", "How long a worker had an item.", _QUEUE_LABELS, buckets=_QUEUE_BUCKETS
)
WORKQUEUE_UNFINISHED_WORK_SECONDS = Gauge(
    "workqueue_unfinished_work_seconds", "Seconds spent so far on all items that workers have now.", _QUEUE_LABELS
)
WORKQUEUE_LONGEST_RUNNING_PROCESSOR_SECONDS = Gauge(
    "workqueue_longest_running_processor_seconds", "Seconds that the slowest worker has had its item.", _QUEUE_LABELS
)
WORKQUEUE_RETRIES = Counter("workqueue_retries", "Items put back with a backoff.", _QUEUE_LABELS)

REST_CLIENT_REQUESTS = Counter("rest_client_requests", "Answers of the Kubernetes API.", ("code", "method", "host"))
REST_CLIENT_REQUEST_DURATION_SECONDS = Histogram(
    "rest_client_request_duration_seconds", "Duration of a Kubernetes request.", ("verb", "host"), buckets=_REQUEST_BUCKETS
)
WATCH_LAST_EVENT_TIMESTAMP_SECONDS = Gauge(
    "watch_last_event_timestamp_seconds", "Unix time when a watch last delivered anything, bookmarks included.", ("resource",)
)
WATCH_RELIST = Counter("watch_relist", "Full lists, by what made them necessary.", ("resource", "reason"))

LEADER_ELECTION_MASTER_STATUS = Gauge("leader_election_master_status", "1 while this process holds the lease, else 0.", ("name",))
LEADER_ELECTION_SLOWPATH = Counter(
    "leader_election_slowpath", "Renewals that had to read the lease first, because the fast update failed.", ("name",)
)

AWS_REQUEST = Counter("aws_request", "AWS answers, by code: OK or the name of the error.", ("service", "operation", "code"))
AWS_REQUEST_ATTEMPTS = Counter(
    "aws_request_attempts", "Requests sent to AWS: one for each call, because the client repeats nothing.", ("service", "operation")
)
AWS_REQUEST_DURATION_SECONDS = Histogram(
    "aws_request_duration_seconds", "Duration of an AWS request.", ("service", "operation"), buckets=_AWS_REQUEST_BUCKETS
)
AWS_QUOTA_WAIT_SECONDS = Histogram(
    "aws_quota_wait_seconds",
    "How long a call waited for our share of its quota.",
    ("operation", "priority"),
    buckets=_QUOTA_WAIT_BUCKETS,
)

RESOURCE_CONDITION = Gauge(
    "resource_condition", "Objects whose condition has this status and reason.", ("kind", "type", "status", "reason")
)
CREATE_INTENTS_UNRESOLVED = Gauge(
    "create_intents_unresolved", "Objects whose key may or may not have been created: nobody knows yet."
)
ORPHAN_KEYS = Gauge("orphan_keys", "Keys whose object went away without their being dealt with, since the process began.")
KEY_EVENTS = Counter("key_events", "Messages from the queues of AWSProviders, by what became of them.", ("outcome",))
KUBERNETES_EVENTS_DROPPED = Counter("kubernetes_events_dropped", "Kubernetes events that were not written.")
CONTROLLER_RING_SHARDS = Gauge("controller_ring_shards", "Living shards of the ring, which divide the request quotas among them.")
CONTROLLER_RESYNC_INTERVAL_SECONDS = Gauge(
    "controller_resync_interval_seconds",
    "How long an unchanged object that asks for no interval goes unseen, where too many objects stretch it most.",
)
CONTROLLER_RESYNC_STRETCH_RATIO = Gauge(
    "controller_resync_stretch_ratio",
    "By what factor the resync intervals are stretched where they are stretched most: 1 while all resyncs fit quotas and CPU.",
)
EVENT_LOOP_LAG_SECONDS = Histogram("event_loop_lag_seconds", "How late the event loop woke a timer.", buckets=_LAG_BUCKETS)

_PER_CONTROLLER = (
    CONTROLLER_RUNTIME_RECONCILE_ERRORS,
    CONTROLLER_RUNTIME_TERMINAL_RECONCILE_ERRORS,
    CONTROLLER_RUNTIME_RECONCILE_PANICS,
    CONTROLLER_RUNTIME_RECONCILE_TIMEOUTS,
    CONTROLLER_RUNTIME_RECONCILE_TIME_SECONDS,
    CONTROLLER_RUNTIME_MAX_CONCURRENT_RECONCILES,
    CONTROLLER_RUNTIME_ACTIVE_WORKERS,
)
_PER_QUEUE = (
    WORKQUEUE_ADDS,
    WORKQUEUE_QUEUE_DURATION_SECONDS,
    WORKQUEUE_WORK_DURATION_SECONDS,
    WORKQUEUE_UNFINISHED_WORK_SECONDS,
    WORKQUEUE_LONGEST_RUNNING_PROCESSOR_SECONDS,
    WORKQUEUE_RETRIES,
)


def start_calls_at_zero(service: str, operations: Iterable[str]) -> None:
    """Creates the series of these operations and of their successes: an alert on their increase would miss the first one."""
    for operation in operations:
        AWS_REQUEST.labels(service=service, operation=operation, code="OK")
        AWS_REQUEST_ATTEMPTS.labels(service=service, operation=operation)
        AWS_REQUEST_DURATION_SECONDS.labels(service=service, operation=operation)


def start_at_zero(controllers: Iterable[str]) -> None:
    """Creates the series of these controllers, and of their queues, which bear the same names.

    A gauge or counter that has a value keeps it. The depth of a queue is set by the queue, which knows its priorities.
    """
    for controller in controllers:
        for result in RECONCILE_RESULTS:
            CONTROLLER_RUNTIME_RECONCILE.labels(controller=controller, result=result)
        for metric in _PER_CONTROLLER:
            metric.labels(controller=controller)
        for metric in _PER_QUEUE:
            metric.labels(name=controller, controller=controller)
