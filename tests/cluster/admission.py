"""What the API server makes of a spec, asked by a dry run: nothing is stored, no operator is needed.

The JSON goes as it is, without kubectl, which would drop nulls.
"""

from typing import Any

from reconcilers.names import API_VERSION
from tests.cluster.cluster import Cluster

ABSENT = "absent"  # in the place of a spec: there is none
NAME = "probe"


def stored(cluster: Cluster, kind: str, spec: Any, validation: str = "Strict") -> Any:
    """The spec of a new object as the server would store it. Raises RefusedError with the refusal."""
    return cluster.api.post(_path(kind, "default", validation), _whole(kind, spec))["spec"]


def restored(cluster: Cluster, kind: str, namespace: str, spec: Any) -> Any:
    """The same where it takes the place of the spec of the object `probe`, which exists."""
    path = _path(kind, namespace, "Strict").replace("?", f"/{NAME}?")
    version = cluster.api.get(path)["metadata"]["resourceVersion"]
    whole = _whole(kind, spec)
    return cluster.api.put(path, whole | {"metadata": whole["metadata"] | {"resourceVersion": version}})["spec"]


def _path(kind: str, namespace: str, validation: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{kind.lower()}s?dryRun=All&fieldValidation={validation}"


def _whole(kind: str, spec: Any) -> dict[str, Any]:
    whole = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": NAME}, "spec": spec}
    return {name: value for name, value in whole.items() if value != ABSENT}
