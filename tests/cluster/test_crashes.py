"""kill -9 and SIGTERM at every point of a key's life: one key for each object, whatever the operator was doing."""

import contextlib
import os
import random
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.operator_process import Operator
from tests.cluster.processes import ProcessError, wait_until
from tests.cluster.proxy import AwsProxy, Fault, Kind, aws_proxy, operator_behind
from tests.cluster.tenant import SOON_SECONDS, Tenant, is_settled, key

KEYS, KILLS = 50, 20
# Two keys a second, of AWS's five: with more, all keys would be there after the first few kills.
SLOWLY = "0.4"
# Within it the attempts that a kill left without an answer are looked for; 5 minutes are shipped.
GRACE = "3s"
WORKERS = 10  # as shipped
STORM_SECONDS = 60.0  # after the last kill

Start = Callable[[], contextlib.AbstractContextManager[Operator]]


def kill(operator: Operator) -> None:
    """kill -9."""
    os.kill(operator.process.pid, signal.SIGKILL)
    assert operator.process.wait(SOON_SECONDS) == -signal.SIGKILL


def lives_for(operator: Operator, seconds: float) -> None:
    """Lets it work for so long; it must not end by itself."""
    with pytest.raises(ProcessError, match="still runs"):
        operator.process.wait(seconds)


@pytest.mark.holds("F12")
def test_killed_twenty_times_it_makes_one_key_for_each_object(cluster: Cluster, namespace: str) -> None:
    seed = random.randrange(2**32)  # noqa: S311 - chooses moments, guards nothing
    moments = random.Random(seed)  # noqa: S311 - as above
    tenant = Tenant(cluster, namespace)
    tenant.provide()
    tenant.apply(*(key(f"k-{number}", description=f"number {number}") for number in range(KEYS)))
    made = []
    for _ in range(KILLS):
        with cluster.operator(leader_elect=False, create_grace=GRACE, quota_fraction=SLOWLY) as operator:
            lives_for(operator, moments.uniform(0, 1.0))
            kill(operator)
        made.append(len(tenant.owned()))
    print(f"seed {seed}: keys after each kill {made}")
    with cluster.operator(leader_elect=False, create_grace=GRACE, quota_fraction="1.0"):
        wait_until(lambda: all(map(is_settled, tenant.all())), STORM_SECONDS, f"{KEYS} objects ready (seed {seed})")
        remembered = sorted(obj["status"]["keyId"] for obj in tenant.all())
        tenant.kubectl("delete", "kmskeys", "--all", f"--timeout={STORM_SECONDS:.0f}s")
    assert remembered == sorted(tenant.owned()), f"seed {seed}"
    assert len(set(remembered)) == KEYS, f"seed {seed}"
    assert {tenant.described(key_id)["KeyState"] for key_id in remembered} == {"PendingDeletion"}


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[AwsProxy]:
    with aws_proxy(cluster.aws_endpoint) as between:
        yield between


@pytest.fixture
def start(cluster: Cluster, proxy: AwsProxy) -> Start:
    """Starts an operator behind the proxy."""
    return lambda: operator_behind(proxy, cluster, leader_elect=False, create_grace=GRACE, resync_interval="1s")


@pytest.fixture
def tenant(cluster: Cluster, namespace: str) -> Tenant:
    user = Tenant(cluster, namespace)
    user.provide()
    return user


def killed_inside(start: Start, proxy: AwsProxy, fault: Fault) -> None:
    """Kills an operator while its call waits for an answer that it will not hear."""
    proxy.faults.append(fault)
    with start() as operator:
        wait_until(lambda: proxy.held == [fault.operation], SOON_SECONDS, f"{fault.operation} under way")
        kill(operator)


@pytest.mark.holds("F3", "F4")
@pytest.mark.parametrize(("kind", "calls"), [(Kind.HOLD_AFTER, 1), (Kind.HOLD_BEFORE, 2)], ids=["that AWS has", "that AWS never saw"])
def test_killed_inside_a_createkey_it_finds_out_whether_there_is_a_key(
    kind: Kind, calls: int, start: Start, proxy: AwsProxy, tenant: Tenant
) -> None:
    tenant.declare("k")
    killed_inside(start, proxy, Fault("CreateKey", kind))
    assert tenant.get("k")["status"]["creationAttempt"]["count"] == 1
    with start():
        status = tenant.until_settled("k")
    assert tenant.owned() == [status["keyId"]]
    assert proxy.writes == ["CreateKey"] * calls


# In the order in which they are made.
CHANGES = ["UpdateKeyDescription", "TagResource", "UntagResource", "EnableKeyRotation", "DisableKey"]


@pytest.mark.holds("F7")
def test_killed_after_each_of_its_writes_it_makes_each_of_them_once(start: Start, proxy: AwsProxy, tenant: Tenant) -> None:
    with start():
        tenant.declare("k", description="old", tags={"a": "1"})
        key_id = tenant.until_settled("k")["keyId"]
    tenant.change("k", {"description": "new", "tags": {"a": None, "b": "2"}, "enableKeyRotation": True, "enabled": False})
    for operation in CHANGES:
        proxy.held.clear()
        killed_inside(start, proxy, Fault(operation, Kind.HOLD_AFTER))
    with start():
        tenant.until_settled("k")
    assert proxy.writes == ["CreateKey", *CHANGES]
    assert tenant.tags(key_id) == {"b": "2"}
    assert tenant.rotates(key_id)


@pytest.mark.holds("F9")
def test_killed_after_scheduling_a_deletion_it_asks_for_it_again_before_it_lets_the_object_go(
    start: Start, proxy: AwsProxy, tenant: Tenant
) -> None:
    with start():
        tenant.declare("k")
        tenant.until_settled("k")
    tenant.kubectl("delete", "kmskey", "k", "--wait=false")
    killed_inside(start, proxy, Fault("ScheduleKeyDeletion", Kind.HOLD_AFTER))
    assert tenant.get("k")["metadata"]["finalizers"]
    with start():
        tenant.kubectl("wait", "--for=delete", "kmskey/k", f"--timeout={SOON_SECONDS:.0f}s")
    assert proxy.writes == ["CreateKey", "ScheduleKeyDeletion", "ScheduleKeyDeletion"]  # KMS itself refuses the second one


@pytest.mark.holds("F11")
def test_asked_to_stop_inside_a_createkey_it_stores_the_answer_first(start: Start, proxy: AwsProxy, tenant: Tenant) -> None:
    proxy.faults.append(Fault("CreateKey", Kind.HOLD_AFTER))
    with start() as operator:
        tenant.declare("k")
        wait_until(lambda: proxy.held == ["CreateKey"], SOON_SECONDS, "CreateKey under way")
        os.kill(operator.process.pid, signal.SIGTERM)
        lives_for(operator, 3.0)  # longer than any other pass may take to its end
        proxy.let_go.set()
        assert operator.process.wait(SOON_SECONDS) == 0
    assert tenant.owned() == [tenant.key_id("k")]
    assert "creationAttempt" not in tenant.get("k")["status"]


@pytest.mark.holds("F45")
def test_asked_to_stop_with_work_waiting_it_begins_no_more_and_leaves_no_key_unknown(
    cluster: Cluster, proxy: AwsProxy, tenant: Tenant
) -> None:
    keys = 2 * WORKERS
    tenant.apply(*(key(f"k-{number}") for number in range(keys)))
    with operator_behind(proxy, cluster, leader_elect=False, quota_fraction=SLOWLY) as operator:
        wait_until(lambda: len(proxy.writes) >= 3, SOON_SECONDS, "the first keys")
        assert operator.process.terminate(SOON_SECONDS) == 0
    known = [obj["status"].get("keyId") for obj in tenant.all() if obj["status"]["observedGeneration"] > 0]  # -1: not looked at
    assert sorted(known) == sorted(tenant.owned())
    assert len(known) < keys


@pytest.mark.holds("F45")
def test_a_second_signal_ends_it_where_it_stands(start: Start, proxy: AwsProxy, tenant: Tenant) -> None:
    proxy.faults.append(Fault("CreateKey", Kind.HOLD_AFTER))
    with start() as operator:
        tenant.declare("k")
        wait_until(lambda: proxy.held == ["CreateKey"], SOON_SECONDS, "CreateKey under way")
        os.kill(operator.process.pid, signal.SIGTERM)
        wait_until(lambda: "stopping" in operator.process.tail(), SOON_SECONDS, "the first signal noticed")
        assert operator.process.terminate(3) == 1
