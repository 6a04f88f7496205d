"""What a pod finds around itself: no disk that it may write to, a proxy that is dead, an identity that comes and goes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.emulator import REPOSITORY
from tests.cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT, Operator, Surroundings, running_operator
from tests.cluster.processes import free_port
from tests.cluster.proxy import AwsProxy, Fault, Kind, aws_proxy
from tests.cluster.tenant import Object, Tenant, condition, key, provider, secret

MINUTE = 75.0  # each provider is looked at each half minute
ROLE = "arn:aws:iam::123456789012:role/operator"
# By the SDK's own way to the role, and by ours.
PODS = {"main": provider("main"), "role": provider("role", roleARN=ROLE)}
ALL = ("other", *PODS)
OPERATOR = (sys.executable, "-m", "controller")


@contextmanager
def operator_with(cluster: Cluster, aws: str, *program: str) -> Iterator[Operator]:
    """This checkout's, started by a program of its own."""
    around = Surroundings(cluster.folder, cluster.kubeconfig_for(NAMESPACE, SERVICE_ACCOUNT), aws, program)
    with running_operator(around, "surrounded", {"resync_interval": "1s", "leader_elect": False}) as operator:
        yield operator


@pytest.mark.holds("F47", "F48")
def test_it_needs_no_file_that_it_may_write_and_asks_no_dead_proxy_for_what_is_near(cluster: Cluster, namespace: str) -> None:
    """Not a byte may be written to any file: the log goes through a pipe. The proxy refuses every connection."""
    dead = f"http://127.0.0.1:{free_port()}"
    settings = [f"{name}={dead}" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")]
    settings += ["NO_PROXY=127.0.0.1", "HOME=/proc", "TMPDIR=/proc", f"PYTHONPATH={REPOSITORY}"]
    script = '(cd /proc && ulimit -f 0 && exec "$0" "$@") 2>&1 | cat'
    tenant = Tenant(cluster, namespace)
    with operator_with(cluster, cluster.aws_endpoint, "env", *settings, "bash", "-c", script, *OPERATOR):
        tenant.provide()
        tenant.declare("k", enableKeyRotation=True)
        tenant.until_settled("k")
        tenant.delete("k")


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[AwsProxy]:
    with aws_proxy(cluster.aws_endpoint) as between:
        yield between


@pytest.mark.holds("F36")
def test_a_pod_s_own_identity_comes_and_goes_and_its_keys_are_waited_for(
    cluster: Cluster, namespace: str, proxy: AwsProxy, tmp_path: Path
) -> None:
    """As a pod of EKS has it: a role, and a token in a file that somebody else replaces. Another provider has a Secret."""
    token = tmp_path / "token"
    settings = ["-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY", "-u", "AWS_SESSION_TOKEN", f"PYTHONPATH={REPOSITORY}"]
    settings += [f"AWS_WEB_IDENTITY_TOKEN_FILE={token}", f"AWS_ROLE_ARN={ROLE}"]
    user = Tenant(cluster, namespace)
    with operator_with(cluster, proxy.url, "env", *settings, *OPERATOR) as operator:
        user.apply(secret("aws", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test"))
        user.apply(provider("other", credentialsSecret={"name": "aws"}), *PODS.values(), *(key(n, providerRef={"name": n}) for n in ALL))
        for name in PODS:
            user.until_ready("AuthenticationFailed", name, kind="awsprovider")
            user.until_ready("ProviderNotReady", name)
        user.until_settled("other")
        proxy.faults.append(Fault("AssumeRoleWithWebIdentity", Kind.REFUSE, "AccessDenied", "not with this token", times=-1))
        token.write_text("garbage")
        look_again(user, "refused")
        for name in PODS:
            user.until(name, is_refused, kind="awsprovider")
        proxy.faults.clear()
        token.write_text("header.payload.signature")
        look_again(user, "mended")
        for name in PODS:
            user.until_settled(name, MINUTE)
        token.unlink()  # the sessions that there are serve on
        user.change("main", {"description": "new"})
        user.until_settled("main")
        assert "reconcile_panicked" not in operator.process.log.read_text()
        user.leave()


def is_refused(seen: Object) -> bool:
    """Whether the provider tells what STS has said, and what may help."""
    ready = condition(seen, "Ready")
    told = ("AssumeRoleWithWebIdentity failed with AccessDenied", "Allow sts:AssumeRoleWithWebIdentity")
    return ready["reason"] == "AuthenticationFailed" and all(words in ready["message"] for words in told)


def look_again(user: Tenant, mark: str) -> None:
    """Before the half minute is over after which a provider is looked at by itself."""
    user.apply(*(one | {"spec": one["spec"] | {"defaultTags": {"stage": mark}}} for one in PODS.values()))
