"""When all is as declared, looking at it changes nothing: not in AWS, and not in Kubernetes."""

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.processes import wait_until
from tests.cluster.proxy import AwsProxy, aws_proxy, operator_behind
from tests.cluster.tenant import Tenant, is_settled, key

KEYS, ROUNDS = 20, 15
READY_SECONDS = 30.0
# A round takes a second and a little jitter; the rest is for a busy machine.
ROUNDS_SECONDS = 60.0
POLICY = '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "kms:*", "Resource": "*"}]}'


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[AwsProxy]:
    with (
        aws_proxy(cluster.aws_endpoint) as between,
        operator_behind(between, cluster, resync_interval="1s", quota_fraction="1.0") as operator,
    ):
        yield between
        assert operator.process.terminate(30) == 0


@pytest.fixture
def tenant(proxy: AwsProxy, cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    assert proxy
    user = Tenant(cluster, namespace)
    user.provide(defaultTags={"team": "platform"})
    yield user
    user.leave()


def versions(tenant: Tenant) -> dict[str, str]:
    """The resource versions of everything that the operator writes to, events included."""
    kinds = ("kmskeys", "awsproviders", "events.events.k8s.io")
    return {obj["metadata"]["name"]: obj["metadata"]["resourceVersion"] for kind in kinds for obj in tenant.all(kind)}


def until_looked_at(proxy: AwsProxy, rounds: int) -> None:
    """Waits until each key was compared with AWS so many times, from now on."""
    proxy.calls.clear()
    wait_until(lambda: proxy.calls.count("DescribeKey") >= rounds * KEYS, ROUNDS_SECONDS, f"{rounds} looks at each key")


@pytest.mark.holds("I17")
def test_a_resync_that_finds_everything_in_order_writes_nothing(proxy: AwsProxy, tenant: Tenant) -> None:
    plain = [key(f"plain-{number}", tags={"number": str(number)}) for number in range(KEYS - 3)]
    full = key("full", description="all", enableKeyRotation=True, rotationPeriodInDays=100, keyPolicy=POLICY)
    disabled, signing = key("disabled", enabled=False), key("signing", keySpec="ECC_NIST_P256", keyUsage="SIGN_VERIFY")
    tenant.apply(*plain, full, disabled, signing)
    wait_until(lambda: all(map(is_settled, tenant.all())), READY_SECONDS, f"{KEYS} keys ready")
    wait_until(lambda: len(tenant.all("events.events.k8s.io")) >= KEYS, READY_SECONDS, "all events written")
    until_looked_at(proxy, 2)  # the first look may tell more than the answers to the writes did: moto forgets the rotation period
    before = versions(tenant)
    until_looked_at(proxy, ROUNDS)
    assert proxy.writes == []
    assert versions(tenant) == before
