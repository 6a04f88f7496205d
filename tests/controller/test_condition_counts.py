import json
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from controller import metrics
from controller.condition_counts import count_conditions
from controller.objects import KubeObject, decode_object
from tests.controller.scripted import thing

READY = {"type": "Ready", "status": "True", "reason": "Available"}
BROKEN = {"type": "Ready", "status": "False", "reason": "Broken"}
SYNCED = {"type": "Synced", "status": "True", "reason": "InSync"}


@pytest.fixture(autouse=True)
def _no_counts() -> Iterator[None]:
    metrics.RESOURCE_CONDITION.clear()
    yield
    metrics.RESOURCE_CONDITION.clear()


def having(*conditions: object, name: str = "a") -> KubeObject:
    return with_status({"conditions": list(conditions)}, name)


def with_status(status: object, name: str = "a") -> KubeObject:
    return decode_object(json.dumps(thing(name, 1, "u", status=status)).encode())


def counted(condition: dict[str, str]) -> float:
    return REGISTRY.get_sample_value("resource_condition", {"kind": "Thing", **condition}) or 0.0


def test_each_condition_of_a_new_object_counts_once() -> None:
    count_conditions("Thing", None, having(READY, SYNCED))
    assert (counted(READY), counted(SYNCED), counted(BROKEN)) == (1, 1, 0)


def test_objects_with_the_same_condition_are_counted_together() -> None:
    for name in ("a", "b", "c"):
        count_conditions("Thing", None, having(READY, name=name))
    assert counted(READY) == 3


def test_a_change_moves_an_object_from_one_count_to_another() -> None:
    count_conditions("Thing", None, having(READY, SYNCED))
    count_conditions("Thing", having(READY, SYNCED), having(BROKEN))
    assert (counted(READY), counted(SYNCED), counted(BROKEN)) == (0, 0, 1)


def test_a_change_of_anything_else_counts_nothing() -> None:
    count_conditions("Thing", None, having(READY))
    count_conditions("Thing", having(READY), having(READY))
    count_conditions("Thing", having(READY), having(READY | {"message": "in other words", "lastTransitionTime": "now"}))
    assert counted(READY) == 1


def test_an_object_that_is_gone_is_not_counted_any_more() -> None:
    count_conditions("Thing", None, having(READY))
    count_conditions("Thing", having(READY), None)
    assert counted(READY) == 0


@pytest.mark.parametrize("status", [{}, None, {"conditions": []}, {"conditions": "none"}, ["a", "list"], {"conditions": [7]}, "text"])
def test_a_status_without_conditions_or_of_another_shape_counts_nothing(status: object) -> None:
    count_conditions("Thing", None, with_status(status))
    count_conditions("Thing", with_status(status), having(READY))
    count_conditions("Thing", having(READY), with_status(status))
    assert counted(READY) == 0


def test_no_object_s_name_becomes_a_series() -> None:
    count_conditions("Thing", None, having(READY, name="payments"))
    (family,) = [family for family in REGISTRY.collect() if family.name == "resource_condition"]
    assert [set(sample.labels) for sample in family.samples] == [{"kind", "type", "status", "reason"}]
