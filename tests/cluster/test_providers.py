"""Providers that lead nowhere: what the user reads, that nothing is written meanwhile, and that a mended one is enough."""

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kubectl import KubectlError
from tests.cluster.proxy import AwsProxy, Fault, Kind, aws_proxy, operator_behind
from tests.cluster.tenant import SOON_SECONDS, Object, Tenant, key, provider, secret

# "A rotated Secret takes effect within a minute": one look each minute, and the pass that follows.
MENDED_SECONDS = 75.0
GOOD = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[AwsProxy]:
    with aws_proxy(cluster.aws_endpoint) as between, operator_behind(between, cluster) as operator:
        yield between
        assert operator.process.terminate(30) == 0


@pytest.fixture
def tenant(proxy: AwsProxy, cluster: Cluster, namespace: str) -> Iterator[Tenant]:
    proxy.calls.clear()
    user = Tenant(cluster, namespace)
    yield user
    proxy.faults.clear()
    for left in user.all():  # Retain needs no provider
        user.change(left["metadata"]["name"], {"deletionPolicy": "Retain"})
    user.leave()


def with_secret(name: str, **data: str) -> list[Object]:
    """A provider, its Secret (none without data), and a key of it; all of one name."""
    held = [secret(name, **data)] if data else []
    return [*held, provider(name, credentialsSecret={"name": name}), key(name, providerRef={"name": name})]


BROKEN: dict[str, dict[str, str]] = {
    "missing": {},
    "incomplete": {"AWS_ACCESS_KEY_ID": "test"},
    "empty": {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": " \n"},
    "unreadable": {"AWS_ACCESS_KEY_ID": "tést", "AWS_SECRET_ACCESS_KEY": "test"},
}
MESSAGES = {
    "missing": "There is no Secret missing in the namespace {namespace}: create it.",
    "incomplete": "The Secret incomplete has no key AWS_SECRET_ACCESS_KEY: add it, or correct the provider.",
    "empty": "The key AWS_SECRET_ACCESS_KEY of the Secret empty is empty: fill it.",
    "unreadable": "The key AWS_ACCESS_KEY_ID of the Secret unreadable is not plain text: write it anew.",
}


def test_a_mended_secret_is_enough(proxy: AwsProxy, tenant: Tenant) -> None:
    """Also one that AWS refuses. One look each half minute finds all of them, so that they wait together."""
    proxy.faults.append(Fault("GetCallerIdentity", Kind.REFUSE, "InvalidClientTokenId", "The security token is invalid", times=-1))
    tenant.apply(*(obj for name, data in BROKEN.items() for obj in with_secret(name, **data)), *with_secret("refused", **GOOD))
    for name, template in MESSAGES.items():
        message = template.format(namespace=tenant.namespace)
        assert tenant.until_ready("CredentialsInvalid", name, kind="awsprovider")["message"] == message
        assert tenant.until_ready("ProviderNotReady", name)["message"] == f"AWSProvider {name} is not ready: {message}"
    refused = tenant.until_ready("AuthenticationFailed", "refused", kind="awsprovider")
    assert "InvalidClientTokenId" in refused["message"]
    assert refused["message"].endswith("Put valid credentials where the provider takes them from.")
    tenant.until_ready("ProviderNotReady", "refused")
    assert set(proxy.calls) == {"GetCallerIdentity"}
    proxy.faults.clear()
    padded = {name: f"{value}\n" for name, value in GOOD.items()}
    tenant.apply(*(secret(name, **padded) for name in BROKEN), secret("refused", **dict.fromkeys(GOOD, "other")))
    for name in (*BROKEN, "refused"):
        tenant.until_ready("AuthenticationSucceeded", name, MENDED_SECONDS, kind="awsprovider")
        tenant.until_settled(name)


def test_a_provider_whose_aws_does_not_answer_says_so(proxy: AwsProxy, tenant: Tenant) -> None:
    proxy.faults.append(Fault("GetCallerIdentity", Kind.CUT_BEFORE, times=-1))
    tenant.provide()
    assert "The operator tries again" in tenant.until_ready("AWSUnavailable", "main", kind="awsprovider")["message"]
    proxy.faults.clear()
    tenant.provide(defaultTags={"mended": "yes"})
    tenant.until_ready("AuthenticationSucceeded", "main", kind="awsprovider")


@pytest.mark.holds("F39")
def test_an_account_that_is_not_the_pinned_one_is_not_written_to(proxy: AwsProxy, tenant: Tenant) -> None:
    tenant.apply(provider("main", accountID="999999999999"), key("k"))
    message = tenant.until_ready("AccountMismatch", "main", kind="awsprovider")["message"]
    assert message.startswith("spec.accountID is 999999999999, but the credentials belong to account 123456789012")
    tenant.until_ready("ProviderNotReady", "k")
    assert proxy.writes == []
    tenant.provide(accountID="123456789012")
    tenant.until_settled("k")
    tenant.until("main", lambda obj: obj["status"].get("keysInUse") == 1, kind="awsprovider")
    with pytest.raises(KubectlError, match="accountID cannot name another account while keys use this provider"):
        tenant.provide(accountID="999999999999")
    with pytest.raises(KubectlError, match="region cannot change while keys use this provider"):
        tenant.provide(accountID="123456789012", region="us-east-2")


def test_an_endpoint_is_refused_that_the_operator_does_not_allow(proxy: AwsProxy, tenant: Tenant) -> None:
    tenant.apply(provider("main", endpoint="http://169.254.169.254"), key("k"))
    assert "--allow-custom-endpoints" in tenant.until_ready("EndpointNotAllowed", "main", kind="awsprovider")["message"]
    tenant.until_ready("ProviderNotReady", "k")
    assert proxy.calls == []


def test_a_provider_serves_another_namespace_only_while_it_says_so(proxy: AwsProxy, tenant: Tenant, cluster: Cluster) -> None:
    """The real authorizer lets the operator read the labels, too."""
    allowed = {"names": ["somebody-else"], "selector": {"matchExpressions": [{"key": "kms", "operator": "In", "values": ["shared"]}]}}
    other = Tenant(cluster, f"{tenant.namespace}-other")
    cluster.kubectl("create", "namespace", other.namespace)
    cluster.kubectl("label", "namespace", other.namespace, "kms=shared")
    tenant.apply(secret("aws", **GOOD), provider("main", credentialsSecret={"name": "aws"}))
    tenant.until_ready("AuthenticationSucceeded", "main", kind="awsprovider")
    other.declare("k", providerRef={"name": "main", "namespace": tenant.namespace}, deletionPolicy="Retain")
    assert f"allowedNamespaces of {tenant.namespace}/main" in other.until_ready("ProviderNotAllowed", "k")["message"]
    assert proxy.writes == []
    tenant.provide(credentialsSecret={"name": "aws"}, allowedNamespaces=allowed)
    other.until_settled("k")
    made = list(proxy.writes)
    tenant.provide(credentialsSecret={"name": "aws"}, allowedNamespaces={"names": ["somebody-else"]})
    other.until_ready("ProviderNotAllowed", "k")
    other.change("k", {"description": "not written any more"})
    other.until_ready("ProviderNotAllowed", "k")
    assert proxy.writes == made
    other.leave()


def test_what_is_deleted_together_goes_in_the_right_order(tenant: Tenant) -> None:
    """Providers, their Secrets and their keys, as with their namespace."""
    names = ("a", "b")
    tenant.apply(*(obj for name in names for obj in with_secret(name, **GOOD)))
    keys = []
    for name in names:
        tenant.change(name, {"deletionPolicy": "Delete"})
        tenant.until_settled(name)
        keys.append(tenant.key_id(name))
    tenant.kubectl("delete", "secrets,awsproviders,kmskeys", "--all", f"--timeout={SOON_SECONDS:.0f}s")
    assert [tenant.described(key_id)["KeyState"] for key_id in keys] == ["PendingDeletion"] * 2


def test_a_key_that_came_before_its_provider_is_made_when_that_comes(tenant: Tenant) -> None:
    tenant.declare("k")
    tenant.until_ready("ProviderNotResolved", "k")
    tenant.provide()
    tenant.until_settled("k")
