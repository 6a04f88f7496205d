import json
from typing import Any

import pytest

from controller.key_objects import is_unseen, key_object
from controller.objects import decode_object
from reconcilers.key_spec import KMSKeySpec
from reconcilers.key_status import KMSKeyStatus
from reconcilers.names import GROUP, KMSKEY_FINALIZER
from reconcilers.states import KeyObject, ProviderDefaults
from tests.controller.clouds import kubernetes

SPEC = KMSKeySpec(description="x")


def read(**metadata: Any) -> KeyObject:
    return key_object(decode_object(json.dumps(kubernetes("KMSKey", "orders", {}, **metadata)).encode()), SPEC, ProviderDefaults())


def test_an_object_is_read_as_it_is() -> None:
    key = read(finalizers=[KMSKEY_FINALIZER], status={"keyId": "k"})
    status = KMSKeyStatus(key_id="k")
    assert key == KeyObject("shop", "orders", "uid of orders", 1, False, (KMSKEY_FINALIZER,), SPEC, status, defaults=ProviderDefaults())


def test_an_object_that_is_deleted_says_so() -> None:
    assert read(deletionTimestamp="2026-01-01T00:00:00Z").deleting


@pytest.mark.parametrize(("value", "paused"), [("true", True), ("false", False), ("", False)])
def test_the_annotation_paused_holds_it(value: str, paused: bool) -> None:
    assert read(annotations={f"{GROUP}/paused": value}).paused is paused


def test_a_reconcile_can_be_asked_for() -> None:
    assert read(annotations={f"{GROUP}/reconcile-requested-at": "now"}).reconcile_requested_at == "now"


def test_what_cannot_be_read_of_a_status_is_left_out_and_the_rest_is_kept() -> None:
    key = read(status={"keyId": "k", "creationDate": "yesterday", "conditions": "many"})
    assert key.status == KMSKeyStatus(key_id="k")


@pytest.mark.parametrize(
    ("status", "unseen"), [({}, True), ({"observedGeneration": -1}, True), ({"observedGeneration": 1}, False), ({"keyId": "k"}, False)]
)
def test_an_object_on_which_nobody_has_reported_is_new(status: dict[str, Any], unseen: bool) -> None:
    assert is_unseen(decode_object(json.dumps(kubernetes("KMSKey", "orders", {}, status=status)).encode())) is unseen
