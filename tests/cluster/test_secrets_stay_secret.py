"""Canaries: values that must appear in nothing that the operator says, at its most talkative level and in all kinds of trouble."""

import base64
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.operator_process import Operator
from tests.cluster.pages import page
from tests.cluster.processes import wait_until
from tests.cluster.proxy import AwsProxy, Fault, Kind, aws_proxy, operator_behind
from tests.cluster.tenant import SOON_SECONDS, Tenant, key, provider, secret

ACCESS_KEY, SECRET_KEY, TOKEN = "AKIACANARY0ACCESS0KEY", "canary0secret0access0key0of0forty0letters", "canary0session0token"
EXTERNAL_ID = "canary0external0id"
CANARIES = (ACCESS_KEY, SECRET_KEY, TOKEN, EXTERNAL_ID)
OTHER_SHAPES = tuple(base64.b64encode(canary.encode()).decode().rstrip("=")[:-1] for canary in CANARIES)


@pytest.fixture(scope="module")
def running(cluster: Cluster) -> Iterator[tuple[AwsProxy, Operator]]:
    with (
        aws_proxy(cluster.aws_endpoint) as proxy,
        operator_behind(proxy, cluster, log_level="debug", resync_interval="1s") as operator,
    ):
        yield proxy, operator
        assert operator.process.terminate(30) == 0


@pytest.fixture
def tenant(running: tuple[AwsProxy, Operator], cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    user = Tenant(cluster, namespace)
    yield user
    running[0].faults.clear()
    user.leave()


# A Secret full of canaries, a provider of it, and a key.
OBJECTS = [
    secret("canaries", id=ACCESS_KEY, secret=SECRET_KEY, token=TOKEN),
    provider(
        "main",
        accessKeyIDRef={"name": "canaries", "key": "id"},
        secretAccessKeyRef={"name": "canaries", "key": "secret"},
        sessionTokenRef={"name": "canaries", "key": "token"},
        assumeRoleARN="arn:aws:iam::123456789012:role/canary",
        externalID=EXTERNAL_ID,
    ),
    key("k", enableKeyRotation=True, tags={"a": "1"}),
]


def everything_said(operator: Operator, tenant: Tenant) -> dict[str, str]:
    """All that the operator wrote anywhere: its log, events, statuses, metrics."""
    statuses = [obj.get("status") for kind in ("kmskeys", "awsproviders") for obj in tenant.all(kind)]
    return {
        "log": operator.process.log.read_text(),
        "events": str(tenant.all("events.events.k8s.io")),
        "statuses": str(statuses),
        "metrics": page(operator.metrics_url)[1],
    }


def leaks(operator: Operator, tenant: Tenant) -> list[str]:
    """Which canary was said where."""
    said = everything_said(operator, tenant).items()
    return [f"{canary} in {place}" for place, text in said for canary in (*CANARIES, *OTHER_SHAPES) if canary in text]


def test_the_log_is_talkative_enough_to_prove_anything(running: tuple[AwsProxy, Operator], tenant: Tenant) -> None:
    tenant.apply(*OBJECTS)
    tenant.until_settled("k")
    log = running[1].process.log.read_text()
    assert '"level": "debug"' in log
    assert "aws_connected" in log


@pytest.mark.holds("I15")
def test_a_key_s_whole_life_says_no_secret(running: tuple[AwsProxy, Operator], tenant: Tenant) -> None:
    tenant.apply(*OBJECTS)
    tenant.until_settled("k")
    tenant.change("k", {"description": "new", "enabled": False})
    tenant.until_settled("k")
    tenant.delete("k")
    assert leaks(running[1], tenant) == []


# AWS's answers about credentials may quote them, or the whole signed request.
QUOTING = [
    ("GetCallerIdentity", "SignatureDoesNotMatch", f"The request signature for {ACCESS_KEY} with token {TOKEN} does not match"),
    ("GetCallerIdentity", "InvalidClientTokenId", f"The token {TOKEN} of {ACCESS_KEY} is invalid"),
    ("AssumeRole", "AccessDenied", f"User with key {ACCESS_KEY} may not assume the role"),
    ("CreateKey", "AccessDeniedException", f"{ACCESS_KEY} may not"),
    ("CreateKey", "IncompleteSignatureException", f"Credential={ACCESS_KEY}/20260101/us-east-1/kms/aws4_request {TOKEN}"),
    ("DescribeKey", "ExpiredTokenException", f"The security token {TOKEN} included in the request is expired"),
]


@pytest.mark.holds("I15")
@pytest.mark.parametrize(("operation", "code", "words"), QUOTING, ids=[f"{operation} {code}" for operation, code, _ in QUOTING])
def test_a_refusal_that_quotes_credentials_is_told_without_them(
    operation: str, code: str, words: str, running: tuple[AwsProxy, Operator], tenant: Tenant
) -> None:
    proxy, operator = running
    # Twice, because after the first refusal of a role's credentials the role is assumed anew.
    proxy.faults.append(Fault(operation, Kind.REFUSE, code, words, times=2))
    tenant.apply(*OBJECTS)
    told = (f"{operation}: {code}: ", f"{operation} failed with {code}: ")
    wait_until(lambda: any(word in text for text in everything_said(operator, tenant).values() for word in told), SOON_SECONDS, code)
    assert leaks(operator, tenant) == []


def test_a_secret_that_cannot_be_used_is_told_without_its_value(running: tuple[AwsProxy, Operator], tenant: Tenant) -> None:
    tenant.apply(secret("broken", AWS_ACCESS_KEY_ID=f"é{ACCESS_KEY}", AWS_SECRET_ACCESS_KEY=SECRET_KEY))
    tenant.apply(provider("broken", credentialsSecret={"name": "broken"}))
    tenant.until_ready("CredentialsInvalid", "broken", kind="awsprovider")
    assert leaks(running[1], tenant) == []
