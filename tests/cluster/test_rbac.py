"""What the operator's ServiceAccount may do, asked of the real authorizer with the ServiceAccount's own token."""

import json
from typing import NamedTuple

import pytest
import yaml

from tests.cluster.cluster import BASE, Cluster
from tests.cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT

KINDS = ("kmskeys", "kmsaliases", "kmsgrants", "awsproviders")
OURS = "aws-infra-operator.runner.codes"
LEASE = "infra-operator.aws-infra-operator.runner.codes"


class Access(NamedTuple):
    """One thing that somebody may try; no namespace means in all of them."""

    verb: str
    group: str
    resource: str
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.verb, self.resource, self.name, self.namespace and f"in {self.namespace}") if part)


NEEDED = [
    *(Access(verb, OURS, kind) for kind in KINDS for verb in ("get", "list", "watch")),
    *(Access("patch", OURS, kind) for kind in KINDS),
    *(Access("patch", OURS, f"{kind}/status") for kind in KINDS),
    *(Access(verb, "events.k8s.io", "events") for verb in ("create", "patch")),
    Access("get", "", "secrets"),
    Access("get", "", "namespaces"),
    *(Access(verb, "", kind) for kind in ("configmaps", "secrets") for verb in ("get", "create", "patch", "delete")),
    Access("create", "coordination.k8s.io", "leases", namespace=NAMESPACE),
    *(Access(verb, "coordination.k8s.io", "leases", LEASE, NAMESPACE) for verb in ("get", "update")),
]

DENIED = [
    # Secrets are read by name, where an AWSProvider or an exportTo names one; nobody who steals the token can look around.
    *(Access(verb, "", kind) for kind in ("configmaps", "secrets") for verb in ("list", "watch", "update", "deletecollection")),
    # The objects are the users': they are neither made nor removed, and never replaced as a whole.
    *(Access(verb, OURS, kind) for kind in KINDS for verb in ("create", "update", "delete", "deletecollection")),
    *(Access("update", OURS, f"{kind}/{part}") for kind in KINDS for part in ("status", "finalizers")),
    # Other leases lead other programs.
    *(Access(verb, "coordination.k8s.io", "leases", "another", NAMESPACE) for verb in ("get", "update", "patch", "delete")),
    *(Access(verb, "coordination.k8s.io", "leases", LEASE, NAMESPACE) for verb in ("patch", "delete")),
    Access("create", "coordination.k8s.io", "leases", namespace="kube-system"),
    Access("list", "coordination.k8s.io", "leases", namespace=NAMESPACE),
    # Nothing leads to more rights than these.
    Access("create", "", "serviceaccounts/token", namespace=NAMESPACE),
    Access("impersonate", "", "users"),
    *(Access(verb, "rbac.authorization.k8s.io", "clusterroles") for verb in ("bind", "escalate", "patch")),
    Access("create", "", "pods", namespace=NAMESPACE),
    Access("create", "", "pods/exec", namespace=NAMESPACE),
    Access("patch", "apps", "deployments", namespace=NAMESPACE),
    Access("list", "", "namespaces"),
    Access("patch", "apiextensions.k8s.io", "customresourcedefinitions"),
]


@pytest.fixture(scope="module")
def verdicts(cluster: Cluster) -> dict[Access, bool]:
    """The authorizer's answer to each of them."""
    asked = [*NEEDED, *DENIED]
    reviews = "\n---\n".join(json.dumps(_review(access)) for access in asked)
    operator = cluster.kubectl_as(NAMESPACE, SERVICE_ACCOUNT)
    # --validate=false: kubectl would look at the CRDs first, which this user may not list.
    answers = operator("create", "-f", "-", "--validate=false", "-o", "jsonpath={.status.allowed}{'\\n'}", stdin=reviews).split()
    return {access: answer == "true" for access, answer in zip(asked, answers, strict=True)}


@pytest.mark.parametrize("access", NEEDED, ids=str)
def test_the_operator_may_do_what_it_needs(access: Access, verdicts: dict[Access, bool]) -> None:
    assert verdicts[access]


@pytest.mark.parametrize("access", DENIED, ids=str)
def test_the_operator_may_not_do_what_it_does_not_need(access: Access, verdicts: dict[Access, bool]) -> None:
    assert not verdicts[access]


def test_the_roles_grant_what_is_needed_and_nothing_else() -> None:
    documents = list(yaml.safe_load_all((BASE / "rbac.yaml").read_text()))
    granted = [access for role in documents if "rules" in role for access in _grants(role)]
    assert sorted(granted) == sorted(NEEDED)


def _grants(role: dict[str, object]) -> list[Access]:
    parsed = json.loads(json.dumps(role))
    namespace = parsed["metadata"].get("namespace", "")
    return [
        Access(verb, group, resource, name, namespace)
        for rule in parsed["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    ]


def _review(access: Access) -> dict[str, object]:
    resource, _, subresource = access.resource.partition("/")
    attributes = {
        "verb": access.verb,
        "group": access.group,
        "resource": resource,
        "subresource": subresource,
        "name": access.name,
        "namespace": access.namespace,
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
