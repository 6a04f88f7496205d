"""Each field of a KMSKey from its first value to its end, on every AWS emulator: what AWS has is what the object says.

All rows of the table live at once in one namespace and go through each phase together, so that a phase costs as much as its slowest row.
Meanwhile everybody who reads our conditions is asked at each change of each object, and they have to agree.

On ministack, which can ask IAM about every call, the operator has no more than the policy that `infra-operator iam-policy` prints.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from reconcilers.key_spec import KMSKeySpec
from reconcilers.names import API_VERSION, RECONCILE_ANNOTATION
from tests.cluster.api import RefusedError
from tests.cluster.cluster import Cluster
from tests.cluster.deviations import told
from tests.cluster.emulator import REPOSITORY, Backend
from tests.cluster.field_rows import ROWS, Row
from tests.cluster.kstatus import disagreement
from tests.cluster.least import as_ministack_asks, least_user, printed_policy
from tests.cluster.processes import Process, wait_until
from tests.cluster.tenant import SOON_SECONDS, Object, Tenant, condition, is_settled, key, secret

PHASE_SECONDS = 60.0  # some 2 s on an idle machine; KMS's quotas allow five creations a second


class Fields:
    """The rows in one namespace, and what becomes of them."""

    def __init__(self, cluster: Cluster, user: Tenant) -> None:
        self.rows = [row for row in ROWS if row.needs is None or told(row.needs, cluster.backend)]
        self.user = user
        self._api = cluster.api
        self._path = f"/apis/{API_VERSION}/namespaces/{user.namespace}/kmskeys"
        self._ids: dict[str, str] = {}

    def declare(self) -> None:
        """Makes an object of each row."""
        for row in self.rows:
            if row.before:
                row.before(self.user)
            self._api.post(self._path, key(_name(row), **row.spec))
        self.until_settled()
        self._ids = {row.name: self.user.key_id(_name(row)) for row in self.rows}

    def merge(self, patch: Callable[[Row], Object]) -> None:
        """Merges a patch into the spec of each object, and waits until all are as declared."""
        for row in self.rows:
            self._merge(row, {"spec": patch(row)})
        self.until_settled()

    def refused(self, row: Row) -> str:
        """With which words the row's bad value is."""
        assert row.bad is not None
        with pytest.raises(RefusedError) as refusal:
            self._merge(row, {"spec": row.bad[0]})
        return str(refusal.value)

    def look_again(self, token: str) -> None:
        """Waits until each key was looked at once more: what shows now is no late read of what was before."""
        for row in self.rows:
            self._merge(row, {"metadata": {"annotations": {RECONCILE_ANNOTATION: token}}})
        self._until(lambda obj: obj["status"].get("lastHandledReconcileAt") == token, "each key is looked at again")

    def drift(self) -> None:
        """Changes in AWS what a row names, and waits until it is changed back, or told, or left alone."""
        drifting = [row for row in self.rows if row.drift]
        for row in drifting:
            # A resync of this very moment may have changed it back before it is looked at: then once more.
            assert any(self._drifts(row) for _ in range(3)), f"{row.name}: the drift changes nothing"
        try:
            wait_until(lambda: self.not_as_drifted() == {}, PHASE_SECONDS, "repaired")
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.not_as_drifted()}") from None
        reporting = {_name(row) for row in self.rows if row.reports}
        self._until(
            lambda obj: (is_reported if obj["metadata"]["name"] in reporting else self._is_done)(obj), "each drift is judged"
        )

    def _drifts(self, row: Row) -> bool:
        assert row.drift is not None
        row.drift(self.user, self._ids[row.name])
        return bool(self.seen(row) != row.expected[0])

    def not_as_drifted(self) -> dict[str, tuple[Any, Any]]:
        """By row, what AWS has and what it should have after the drift."""
        return _different({row.name: (self.seen(row), row.drifted) for row in self.rows})

    def until_settled(self) -> None:
        """Waits until each object is as declared."""
        self._until(self._is_done, "each key is as declared")

    def _is_done(self, obj: Object) -> bool:
        """Whether nothing is left to do, which for some keys is not the same as Ready."""
        reason = {_name(row): row.unready for row in self.rows}[obj["metadata"]["name"]]
        ready = condition(obj, "Ready")
        as_far_as_it_goes = ready.get("reason") == reason and ready["observedGeneration"] == obj["metadata"]["generation"]
        return as_far_as_it_goes if reason else is_settled(obj)

    def seen(self, row: Row) -> Any:
        """What AWS has."""
        return row.seen(self.user, self._ids[row.name])

    def differences(self, phase: int, rows: Iterable[Row] | None = None) -> dict[str, tuple[Any, Any]]:
        """By row, what AWS has and what it should have."""
        return _different({row.name: (self.seen(row), row.expected[phase]) for row in rows or self.rows})

    def end(self) -> None:
        """Deletes all objects, and waits until they are gone."""
        for row in self.rows:
            self._api.delete(f"{self._path}/{_name(row)}")
        wait_until(lambda: not self._all(), PHASE_SECONDS, "every object is gone")

    def differences_at_the_end(self) -> dict[str, tuple[Any, Any]]:
        """By row, what AWS has now that the object is gone, and what it should have."""
        return _different({row.name: (row.seen_at_end(self.user, self._ids[row.name]), row.end) for row in self.rows})

    def _merge(self, row: Row, patch: Object) -> None:
        self._api.merge(f"{self._path}/{_name(row)}", patch)

    def _all(self) -> list[Object]:
        listed: list[Object] = self._api.get(self._path)["items"]
        return listed

    def _until(self, check: Callable[[Object], bool], what: str) -> None:
        late: list[Object] = []

        def all_pass() -> bool:
            late[:] = [obj for obj in self._all() if not check(obj)]
            return not late

        try:
            wait_until(all_pass, PHASE_SECONDS, what)
        except TimeoutError:
            statuses = {obj["metadata"]["name"]: obj.get("status", {}).get("conditions") for obj in late}
            raise TimeoutError(f"not so after {PHASE_SECONDS:.0f} s: {what}: {json.dumps(statuses, indent=1)}") from None


def _different(pairs: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def is_reported(obj: Object) -> bool:
    """Whether a drift is told and left."""
    return condition(obj, "Synced").get("reason") == "DriftDetected"


def _name(row: Row) -> str:
    """A row's name as that of an object."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in row.name)


@contextlib.contextmanager
def watched(cluster: Cluster, namespace: str) -> Iterator[Callable[[], list[Object]]]:
    """Follows the keys of a namespace; gives all of their versions so far."""
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/kmskeys?watch=true"
    command = [str(cluster.kubectl.binary), "--kubeconfig", str(cluster.kubectl.kubeconfig), "get", "--raw", path]
    with Process(command, cluster.folder / f"watch-{namespace}.log") as process:
        yield lambda: [json.loads(line)["object"] for line in process.log.read_text().splitlines()]


class Account:
    """One of the emulators, and the operator's credentials in it; None: it takes any."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._credentials: dict[str, str] | None = None
        if cluster.backend is Backend.MINISTACK:
            cluster_id = cluster.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
            self._credentials = least_user(cluster.boto("iam"), as_ministack_asks(printed_policy(cluster_id)))

    def provide(self, user: Tenant, name: str = "main", **spec: Any) -> None:
        """A provider with these credentials."""
        if self._credentials is None:
            user.provide(name, **spec)
        else:
            user.apply(secret("aws", **self._credentials))
            user.provide(name, credentialsSecret={"name": "aws"}, **spec)


@pytest.fixture(scope="module", params=list(Backend))
def account(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Account]:
    """An operator that compares with the emulator each second."""
    with (
        cluster.beside(request.param, AUTH="true") as beside,
        beside.operator(resync_interval="1s", quota_fraction="1.0", allow_policy_lockout_bypass=True) as operator,
    ):
        yield Account(beside)
        assert operator.process.terminate(30) == 0


# Fields whose effect is not a value in AWS, or that no emulator has; and where they are tried.
ELSEWHERE = {
    "suspend": "below",
    "deletionProtection": "below",
    "customKeyStoreId": "tests/simulation/test_materials.py",
    "xksKeyId": "tests/simulation/test_materials.py",
    "grantableFrom": "tests/cluster/test_kmsgrants.py",
}


def test_no_field_is_left_out() -> None:
    fields = {field.alias for field in KMSKeySpec.model_fields.values()}
    assert fields - {row.name for row in ROWS} - set(ELSEWHERE) == set()
    assert [place for place in ELSEWHERE.values() if place != "below" and not (REPOSITORY / place).is_file()] == []


def test_each_field_is_set_kept_changed_refused_and_unset(account: Account, namespace: str) -> None:
    user = Tenant(account.cluster, namespace)
    account.provide(user, defaultTags={"team": "platform"})
    account.provide(user, "second", defaultTags={"team": "second"})
    user.kubectl("annotate", "awsprovider", "main", "aws-infra-operator.runner.codes/is-default=true")
    fields = Fields(account.cluster, user)
    with watched(account.cluster, namespace) as versions:
        fields.declare()
        assert fields.differences(0) == {}
        fields.look_again("before the drift")
        fields.drift()
        assert {row.name: fields.refused(row) for row in fields.rows if row.bad and row.bad[1] not in fields.refused(row)} == {}
        assert fields.not_as_drifted() == {}
        fields.look_again("after the drift")
        fields.merge(lambda row: row.change)
        assert fields.differences(1) == {}
        fields.merge(lambda row: row.unset)
        assert fields.differences(2, [row for row in fields.rows if row.unset]) == {}
        fields.end()
        assert fields.differences_at_the_end() == {}
        seen = versions()
    assert len(seen) > 4 * len(fields.rows)
    assert [(obj["metadata"]["name"], words, obj["status"]) for obj in seen if (words := disagreement(obj))] == []


def held(obj: Object) -> bool:
    """Whether the object as it is now is left alone."""
    synced = condition(obj, "Synced")
    return synced.get("reason") == "Suspended" and synced["observedGeneration"] == obj["metadata"]["generation"]


def test_what_is_held_rests_and_what_is_protected_stays(account: Account, namespace: str) -> None:
    user = Tenant(account.cluster, namespace)
    account.provide(user)
    user.declare("held", suspend=True)
    user.declare("protected", deletionProtection=True, pendingWindowInDays=7)
    user.until("held", held)
    key_id = user.until_settled("protected")["keyId"]
    assert user.owned() == [key_id]
    user.kubectl("delete", "kmskey", "protected", "--wait=false")
    user.change("held", {"suspend": None})
    status = user.until_settled("held")
    user.change("held", {"suspend": True, "description": "later"})
    user.until("held", held)
    user.until_ready("DeletionBlocked", "protected")
    assert (user.described(status["keyId"])["Description"], user.described(key_id)["KeyState"]) == ("", "Enabled")
    user.change("held", {"suspend": False})
    user.change("protected", {"deletionProtection": False})
    user.until_settled("held")
    user.kubectl("wait", "--for=delete", "kmskey/protected", "--timeout=20s")
    assert (user.described(status["keyId"])["Description"], user.described(key_id)["KeyState"]) == ("later", "PendingDeletion")
    user.leave()


def test_a_key_is_looked_at_as_often_as_its_object_says(account: Account, namespace: str) -> None:
    user = Tenant(account.cluster, namespace)
    account.provide(user)
    user.declare("often")
    user.declare("rarely", resyncInterval="1h")
    ids = {name: user.until_settled(name)["keyId"] for name in ("often", "rarely")}
    for text in ("theirs", "theirs again"):
        for key_id in ids.values():
            user.kms.update_key_description(KeyId=key_id, Description=text)
        wait_until(lambda: user.described(ids["often"])["Description"] == "", SOON_SECONDS, "the repair")
    assert user.described(ids["rarely"])["Description"] == "theirs again"
    user.kubectl("annotate", "kmskey", "rarely", f"{RECONCILE_ANNOTATION}=now")
    wait_until(lambda: user.described(ids["rarely"])["Description"] == "", SOON_SECONDS, "the repair that was asked for")
    user.leave()
