from typing import Any

import pytest

from reconcilers.migration import Found
from reconcilers.migration_older import from_older_operator
from reconcilers.names import API_VERSION, KMSKEY_FINALIZER

METADATA = {"name": "app-data", "namespace": "shop", "finalizers": [KMSKEY_FINALIZER]}
KEY: dict[str, Any] = {
    "apiVersion": API_VERSION,
    "kind": "KMSKey",
    "metadata": METADATA,
    "spec": {"providerRef": {"name": "aws"}, "description": "Data"},
    "status": {"ready": True, "keyId": "1234abcd"},
}


def test_a_key_of_the_older_operator_needs_nothing() -> None:
    found = from_older_operator([KEY])
    assert found == Found(notes=["KMSKey shop/app-data: needs no manifest; its key 1234abcd is taken over as it is"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"apiVersion": API_VERSION.replace("v1alpha1", "v1")}, "its apiVersion is"),
        ({"metadata": {**METADATA, "deletionTimestamp": "2026-01-01T00:00:00Z"}}, "it is being deleted"),
        ({"metadata": {**METADATA, "finalizers": []}}, "it has no finalizer"),
        ({"status": {}}, "its status names no key"),
        ({"status": None}, "its status names no key"),
    ],
)
def test_what_cannot_be_taken_over_in_place_is_told(change: dict[str, Any], words: str) -> None:
    (told,) = from_older_operator([{**KEY, **change}]).left_out
    assert told.startswith(f"KMSKey shop/app-data: {words}")


def test_other_objects_are_passed_over() -> None:
    assert from_older_operator([{**KEY, "kind": "S3Bucket"}, {**KEY, "apiVersion": "v1"}]) == Found()
