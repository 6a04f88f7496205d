"""How other programs read our conditions: kstatus, by which Flux, Argo CD and kpt judge objects, and `kubectl wait`.

Written from their published rules: "kstatus" in sigs.k8s.io/cli-utils (README and core.go), and kubectl's `wait` for conditions.
"""

from enum import StrEnum
from typing import Any

from tests.cluster.tenant import Object, condition


class KStatus(StrEnum):
    """What kstatus can say about an object that exists."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"


def kstatus(obj: Object) -> KStatus:
    """The rules for an object of a kind that kstatus does not know by name, in their order."""
    metadata, status = obj["metadata"], obj.get("status", {})
    if "deletionTimestamp" in metadata:
        return KStatus.TERMINATING
    if "observedGeneration" in status and status["observedGeneration"] != metadata["generation"]:
        return KStatus.IN_PROGRESS
    if condition(obj, "Reconciling").get("status") == "True":
        return KStatus.IN_PROGRESS
    if condition(obj, "Stalled").get("status") == "True":
        return KStatus.FAILED
    ready = condition(obj, "Ready")
    return KStatus.CURRENT if not ready or ready["status"] == "True" else KStatus.IN_PROGRESS


def waited(obj: Object, kind: str = "Ready") -> bool:
    """Whether `kubectl wait --for=condition=<kind>` ends with this object: a condition about an older spec does not count."""
    found = condition(obj, kind)
    observed: Any = found.get("observedGeneration", obj.get("status", {}).get("observedGeneration"))
    return found.get("status") == "True" and (observed is None or observed >= obj["metadata"]["generation"])


def disagreement(obj: Object) -> str | None:
    """Where the readers contradict each other about an object; None where they do not."""
    verdict, ready, stalled = kstatus(obj), waited(obj), waited(obj, "Stalled")
    if verdict is KStatus.TERMINATING:
        return None
    if (verdict is KStatus.CURRENT) != ready:
        return f"kstatus says {verdict}, kubectl wait says {'ready' if ready else 'not ready'}"
    if (verdict is KStatus.FAILED) != stalled:
        return f"kstatus says {verdict}, and Stalled is {stalled}"
    if ready and condition(obj, "Reconciling"):
        return "it is ready, and being worked on"
    return None
