"""What Argo CD makes of our conditions: its health script, run by the Lua that Argo CD has (5.1), on objects as the operator leaves them."""

from typing import Any

import pytest
import yaml
from lupa import lua51

from reconcilers.crds import crds
from reconcilers.names import GROUP
from tests.cluster.emulator import REPOSITORY
from tests.cluster.kstatus import KStatus, kstatus

CONFIG = yaml.safe_load((REPOSITORY / "manifests" / "gitops" / "argocd-health.yaml").read_text())
SCRIPTS: dict[str, str] = CONFIG["data"]
AS_KSTATUS = {
    KStatus.CURRENT: "Healthy",
    KStatus.IN_PROGRESS: "Progressing",
    KStatus.FAILED: "Degraded",
    KStatus.TERMINATING: "Progressing",
}


def health(obj: dict[str, Any]) -> tuple[str, str]:
    """Status and message."""
    lua = lua51.LuaRuntime()
    script = next(iter(SCRIPTS.values()))
    run = lua.eval(f"function(obj) {script} end")
    told = run(lua.table_from(obj, recursive=True))
    return told["status"], told["message"]


def obj(observed: int | None = 2, *, deleting: bool = False, suspend: bool | None = None, paused: bool = False, **conditions: str) -> Any:
    """An object of generation 2 with these conditions."""
    about = {} if observed is None else {"observedGeneration": observed}
    found = [{"type": kind, "status": status, "reason": f"{kind}Reason", "message": "Words."} for kind, status in conditions.items()]
    metadata: dict[str, Any] = {"name": "orders", "generation": 2, **({"deletionTimestamp": "now"} if deleting else {})}
    if paused:
        metadata["annotations"] = {f"{GROUP}/paused": "true"}
    return {"metadata": metadata, "spec": {"suspend": suspend}, "status": {**about, "conditions": found} if found or about else None}


def test_every_kind_has_the_one_script() -> None:
    assert SCRIPTS.keys() == {f"resource.customizations.health.{GROUP}_{crd['spec']['names']['kind']}" for crd in crds()}
    assert len(set(SCRIPTS.values())) == 1


@pytest.mark.parametrize(
    ("seen", "status", "message"),
    [
        (obj(Ready="True", Synced="True"), "Healthy", "ReadyReason: Words."),
        (obj(Ready="True"), "Healthy", "ReadyReason: Words."),
        (obj(Ready="True", Synced="False"), "Healthy", "SyncedReason: Words."),
        (obj(Ready="False"), "Progressing", "ReadyReason: Words."),
        (obj(Ready="False", Reconciling="True"), "Progressing", "ReconcilingReason: Words."),
        (obj(Ready="False", Stalled="True"), "Degraded", "StalledReason: Words."),
        (obj(1, Ready="True"), "Progressing", "The operator has not looked at the object as it is now."),
        (obj(-1), "Progressing", "The operator has not looked at the object as it is now."),
        (obj(deleting=True, Ready="False", Stalled="True"), "Progressing", "ReadyReason: Words."),
        (obj(deleting=True, observed=-1), "Progressing", "The object is being deleted."),
    ],
)
def test_argo_cd_reaches_the_verdict_of_kstatus_and_says_why(seen: dict[str, Any], status: str, message: str) -> None:
    assert health(seen) == (status, message)
    assert AS_KSTATUS[kstatus(seen)] == status


def test_an_object_without_a_status_is_in_progress() -> None:
    assert health(obj(None))[0] == "Progressing"


@pytest.mark.parametrize("held", [obj(Ready="True", suspend=True), obj(Ready="True", paused=True), obj(suspend=True)])
def test_an_object_that_is_held_is_suspended(held: dict[str, Any]) -> None:
    assert health(held)[0] == "Suspended"


def test_an_object_that_says_that_it_is_not_suspended_is_not() -> None:
    assert health(obj(Ready="True", suspend=False))[0] == "Healthy"
