"""What a real API server makes of the write that lets an object go; the model in tests/simulation answers the same."""

from typing import Any

import pytest

from controller.key_objects import KMSKEYS
from reconcilers.names import API_VERSION
from tests.cluster.api import RefusedError
from tests.cluster.cluster import Cluster

HOLD = "example.test/hold"
RELEASE = [{"op": "test", "path": "/metadata/finalizers/0", "value": HOLD}, {"op": "remove", "path": "/metadata/finalizers/0"}]


def without_finalizers(obj: dict[str, Any]) -> dict[str, Any]:
    """And without who manages which field, which tells of them too."""
    metadata = {name: value for name, value in obj["metadata"].items() if name not in ("finalizers", "managedFields")}
    return obj | {"metadata": metadata}


def test_the_answer_to_the_last_release_has_no_finalizer_and_the_version_before_and_the_watch_tells_the_last_stored_state(
    cluster: Cluster, namespace: str
) -> None:
    api, path = cluster.api, KMSKEYS.path(namespace, "held")
    made = {"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": {"name": "held", "finalizers": [HOLD]}, "spec": {}}
    api.post(KMSKEYS.path(namespace), made)
    api.delete(path)
    held = api.get(path)
    answer = api.patch(path, RELEASE)
    assert "finalizers" not in answer["metadata"]
    assert without_finalizers(answer) == without_finalizers(held)
    with pytest.raises(RefusedError, match="404"):
        api.get(path)
    version = held["metadata"]["resourceVersion"]
    told = api.get(f"{KMSKEYS.path(namespace)}?watch=1&timeoutSeconds=1&resourceVersion={version}")
    assert told["type"] == "DELETED"
    assert told["object"]["metadata"].pop("resourceVersion") > held["metadata"].pop("resourceVersion")
    assert told["object"] == held
