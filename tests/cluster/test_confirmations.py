"""A patch of tests alone, by which it is proved that an object is as it is known: what a real API server makes of it."""

import json

import pytest

from controller.key_objects import KMSKEYS
from controller.objects import decode_object
from controller.patches import confirm
from reconcilers.names import API_VERSION
from tests.cluster.api import RefusedError
from tests.cluster.cluster import Cluster


def test_a_patch_of_tests_alone_makes_no_version_and_is_refused_on_any_other(cluster: Cluster, namespace: str) -> None:
    api, path = cluster.api, KMSKEYS.path(namespace, "orders")
    made = api.post(KMSKEYS.path(namespace), {"apiVersion": API_VERSION, "kind": "KMSKey", "metadata": {"name": "orders"}, "spec": {}})
    proof = confirm(decode_object(json.dumps(made).encode()))
    assert api.patch(path, proof) == api.get(path)
    api.merge(path, {"metadata": {"annotations": {"touched": "yes"}}})
    with pytest.raises(RefusedError, match="422"):
        api.patch(path, proof)
