"""Canaries: credentials that must appear in nothing that the operator says, at its most talkative level and in all kinds of trouble.

The operator works by every way to credentials that there is: a Secret's session, a Secret's session that assumes a role with an external id,
the pod's web identity by the SDK's own chain, and a role by web identity that assumes a further one. What is looked at is all that it says: its
log with its tracebacks, each version that the API server has ever had of each object's status and annotations and of each event, and its
metrics. What is looked for is the eight kinds of tests/strict/canaries.py, and so every session that STS has handed out.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from reconcilers.names import API_VERSION
from tests.cluster.cluster import Cluster
from tests.cluster.emulator import Backend
from tests.cluster.operator_process import Operator, running_operator
from tests.cluster.pages import page
from tests.cluster.processes import wait_until
from tests.cluster.tenant import SOON_SECONDS, Object, Tenant, key, provider, secret
from tests.strict.ask import ask
from tests.strict.canaries import ACCESS_KEY, EXTERNAL_ID, OURS, SECRET, TOKEN, WEB_IDENTITY, found
from tests.strict.http_faults import KINDS

ROLES = POD, KEYS, CHAINED = tuple(f"arn:aws:iam::123456789012:role/{name}" for name in ("pod", "keys", "chained"))
# A short lease makes the bound of a call short (half of it), so that hung ones are over soon.
FLAGS: dict[str, str | bool] = {
    "log_level": "debug",
    "resync_interval": "1m",
    "create_grace": "2s",
    "lease_duration": "8s",
    "renew_deadline": "6s",
    "retry_period": "1s",
    "quota_fraction": "1.0",
}
NAMESPACE = "secretive"
BACKOFF_SECONDS = 80.0  # of keys whose deletion met one fault after another
WATCHED = {
    **dict.fromkeys(("awsproviders", "kmskeys", "kmsaliases", "kmsgrants"), r'jsonpath={.status}{.metadata.annotations}{"\n"}'),
    "events.events.k8s.io": "json",
}


@dataclass
class Ground:
    """An operator that has met the canaries, and all that it says. `user` lives in the one namespace that is listened to."""

    cluster: Cluster
    operator: Operator
    user: Tenant
    bearer: str
    records: list[Path]  # of what the API server had
    series: set[str] = field(default_factory=set)  # of metrics, without their values

    def strict(self, method: str, path: str, body: object = None) -> Any:
        return ask(self.cluster.aws_endpoint, method, path, body)

    def apply(self, *objects: Object) -> None:
        """As kubectl apply, but without an annotation of the user's that quotes the spec."""
        items = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-n", NAMESPACE, "-f", "-", stdin=items)

    def look_at_metrics(self) -> None:
        """A series may be gone later."""
        self.series.update(line.rpartition(" ")[0] for line in page(self.operator.metrics_url)[1].splitlines())

    def said(self) -> dict[str, str]:
        """Everything, by where."""
        self.look_at_metrics()
        records = {path.name: path.read_text() for path in self.records}
        return {"log": self.operator.process.log.read_text(), "metrics": "\n".join(self.series), **records}

    def lent(self) -> list[str]:
        """What STS has handed out."""
        sessions = self.strict("GET", "sessions")["sessions"]
        return [session[part] for session in sessions for part in ("access_key_id", "secret_access_key", "token")]

    def leaks(self, *more: str) -> list[str]:
        """Which canary was said where. more: those that are others each time."""
        canaries = [*OURS, self.bearer, *more]
        return [f"{canary} in {place}" for place, text in self.said().items() for canary in found(text, canaries)]


@pytest.fixture(scope="module")
def ground(cluster: Cluster) -> Iterator[Ground]:
    with contextlib.ExitStack() as stack:
        beside = stack.enter_context(cluster.beside(Backend.STRICT))
        beside.kubectl("create", "namespace", NAMESPACE)
        records = []
        for kind, form in WATCHED.items():
            records.append(beside.folder / f"every-version-of-{kind}")
            stack.enter_context(beside.kubectl.start(records[-1], "get", kind, "-n", NAMESPACE, "-w", "-o", form))
        around = replace(beside.surroundings(), identity=_pod(beside.folder / "web-identity-token"))
        bearer = json.loads(around.kubeconfig.read_text())["users"][0]["user"]["token"]
        operator = stack.enter_context(running_operator(around, "secretive", FLAGS))
        there = Ground(beside, operator, Tenant(beside, NAMESPACE), bearer, records)
        there.strict("PUT", "credentials", {"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET, "sessionToken": TOKEN})
        yield there
        there.strict("DELETE", "faults")
        there.user.leave(within=BACKOFF_SECONDS)
        assert operator.process.terminate(30) == 0
        there.user.sweep()  # aliases whose calls were not answered: for minutes they may be there without being seen


def _pod(token_file: Path) -> dict[str, str]:
    """The identity of a pod whose service account has a role."""
    token_file.write_text(WEB_IDENTITY)
    return {"AWS_ROLE_ARN": POD, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file)}


# Every way to credentials.
WAYS: dict[str, Object] = {
    "secret": {
        "accessKeyIDRef": {"name": "aws", "key": "AWS_ACCESS_KEY_ID"},
        "secretAccessKeyRef": {"name": "aws", "key": "AWS_SECRET_ACCESS_KEY"},
        "sessionTokenRef": {"name": "aws", "key": "AWS_SESSION_TOKEN"},
    },
    "secret-role": {"credentialsSecret": {"name": "aws"}, "assumeRoleARN": CHAINED, "externalID": EXTERNAL_ID},
    "pod": {},
    "pod-role": {"roleARN": KEYS, "assumeRoleARN": CHAINED, "externalID": EXTERNAL_ID},
}
HELD = secret("aws", AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN=TOKEN)
LASTING = "lasting"
# What each generation of objects makes AWS do. Where each call that goes wrong lasts for seconds, few that are made at the same time.
FEW = ("AssumeRole*", "GetCallerIdentity", "CreateKey", "ScheduleKeyDeletion")
OPERATIONS = (
    *(*FEW, "EnableKeyRotation", "CreateAlias", "DeleteAlias", "CreateGrant"),
    *("UpdateKeyDescription", "TagResource", "DescribeKey", "ListResourceTags"),
)


def providers(session: str) -> list[Object]:
    """With a new name of their sessions they connect anew: roles are assumed, and STS is asked who they are."""
    return [provider(way, **spec, sessionName=session) for way, spec in WAYS.items()]


def keys(called: object, alias: object = "", **more: Any) -> list[Object]:
    """A key for each way; the aliases and grants are parts of it."""
    grant = {"name": "app", "granteeRoleArn": "arn:aws:iam::123456789012:role/app", "operations": ["Decrypt"]}
    spec = {"enableKeyRotation": True, "deletionPolicy": "Delete", "grants": [grant], **more}
    return [key(f"{way}-{called}", providerRef={"name": way}, aliases=[f"{way}-{called}{alias}"], **spec) for way in WAYS]


def dependents(generation: int) -> list[Object]:
    """An alias and a grant that are objects of their own."""
    target = {"targetRef": {"name": f"secret-role-{generation}"}}
    grant = {**target, "granteeRoleArn": "arn:aws:iam::123456789012:role/app", "operations": ["Encrypt"]}
    alias = {**target, "aliasName": f"own-{generation}"}
    return [_of_kind("KMSAlias", f"own-{generation}", alias), _of_kind("KMSGrant", f"own-{generation}", grant)]


def _of_kind(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def next_generation(ground: Ground, number: int) -> None:
    """Its objects come, those of the one before the last go, and keys that last change. All connect anew."""
    changed = keys(LASTING, number, description=f"as of {number}", tags={"generation": str(number)})
    ground.apply(*providers(f"session-{number}"), *changed, *keys(number), *dependents(number))
    if number > 2:
        going = [f"{obj['kind']}/{obj['metadata']['name']}" for obj in [*dependents(number - 2), *keys(number - 2)]]
        ground.user.kubectl("delete", "--wait=false", *going)


def settle(ground: Ground, number: int) -> None:
    for obj in [*keys(LASTING), *keys(number)]:
        ground.user.until_settled(obj["metadata"]["name"])


def go_wrong(ground: Ground, kind: str) -> None:
    late = {"seconds": 0.1} if kind == "late_answer" else {}
    for operation in FEW if kind.startswith("hung") else OPERATIONS:
        ground.strict("POST", "faults", {"kind": kind, "operation": operation, **late})


def until_all_went_wrong(ground: Ground, kind: str) -> None:
    left: list[str] = []

    def none_is_left() -> bool:
        left[:] = [fault["operation"] for fault in ground.strict("GET", "faults") if fault["times"]]
        return not left

    try:
        wait_until(none_is_left, 2 * SOON_SECONDS, kind)
    except TimeoutError:
        raise TimeoutError(f"{kind} has not come to {left}") from None
    ground.strict("DELETE", "faults")


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
def test_a_refusal_that_quotes_credentials_is_told_without_them(operation: str, code: str, words: str, ground: Ground) -> None:
    # Not once, because after the first refusal of a role's credentials the role is assumed anew.
    refused = {"kind": "error_before", "operation": operation, "code": code, "message": words, "status": 403, "times": -1}
    ground.strict("POST", "faults", refused)
    name = f"quoting-{operation}-{code}".lower()
    ground.apply(HELD, provider(name, **WAYS["secret-role"]), key(name, providerRef={"name": name}))
    told = (f"{operation}: {code}: ", f"{operation} failed with {code}: ")
    wait_until(lambda: any(word in text for text in ground.said().values() for word in told), SOON_SECONDS, code)
    ground.strict("DELETE", "faults")
    assert ground.leaks() == []


def test_a_secret_that_cannot_be_used_is_told_without_its_value(ground: Ground) -> None:
    ground.apply(secret("broken", AWS_ACCESS_KEY_ID=f"é{ACCESS_KEY}", AWS_SECRET_ACCESS_KEY=SECRET))
    ground.apply(provider("broken", credentialsSecret={"name": "broken"}))
    ground.user.until_ready("CredentialsInvalid", "broken", kind="awsprovider")
    assert ground.leaks() == []


@pytest.mark.holds("I15")
def test_whatever_goes_wrong_no_credential_is_told(ground: Ground) -> None:
    ground.apply(HELD)
    for number in (1, 2):
        next_generation(ground, number)
        settle(ground, number)
    for number, kind in enumerate(sorted(KINDS), start=3):
        go_wrong(ground, kind)
        next_generation(ground, number)
        until_all_went_wrong(ground, kind)
        ground.look_at_metrics()
    next_generation(ground, 3 + len(KINDS))
    settle(ground, 3 + len(KINDS))
    assert ground.leaks(*ground.lent()) == []
    assert_all_of_them_were_in_use(ground)


def role_of(call: dict[str, str]) -> str:
    """Of the session that called; empty where nobody had to sign."""
    return call["caller"].partition("assumed-role/")[2].partition("/")[0]


def assert_all_of_them_were_in_use(ground: Ground) -> None:
    """And that the log is talkative enough to prove anything."""
    calls = [call for call in ground.strict("GET", "calls") if call["outcome"] == "OK"]
    assert {role_of(call) for call in calls if call["operation"] == "CreateKey"} == {"operator", "pod", "chained"}
    assert {"AssumeRole", "AssumeRoleWithWebIdentity"} <= {call["operation"] for call in calls}
    assert {role.rpartition("/")[2] for role in ROLES} <= {role_of(call) for call in calls}
    log = ground.operator.process.log.read_text()
    assert '"level": "debug"' in log
    assert log.count("aws_connected") > len(WAYS)
