import json
from typing import Any

import pytest

from controller.aims import Aims
from controller.objects import KubeObject, Ref

FRONT = Ref("shop", "front")
ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


def obj(name: str, namespace: str = "shop", *, spec: Any = None, status: Any = None, generation: int = 1) -> KubeObject:
    raw = [json.dumps(part if part is not None else {}).encode() for part in (spec, status)]
    return KubeObject(namespace, name, f"uid-{name}", "1", generation, None, (), {}, {}, *raw)


AIMS = [
    ("by name", {"targetRef": {"name": "one"}}, obj("one"), True),
    ("by name and namespace", {"targetRef": {"name": "one", "namespace": "vault"}}, obj("one", "vault"), True),
    ("the same name elsewhere", {"targetRef": {"name": "one"}}, obj("one", "vault"), False),
    ("by id", {"targetKeyId": ID}, obj("one", "vault", status={"keyId": ID}), True),
    ("by ARN", {"targetKeyId": f"arn:aws:kms:us-east-1:123456789012:key/{ID}"}, obj("one", status={"keyId": ID}), True),
    ("by another id", {"targetKeyId": ID}, obj("one", status={"keyId": "another"}), False),
    ("without a target", {}, obj("one"), False),
    ("with a spec that is none", [7], obj("one"), False),
]


@pytest.mark.parametrize(("spec", "key", "wakes"), [pytest.param(*rest, id=name) for name, *rest in AIMS])
def test_a_key_concerns_those_that_aim_at_it(spec: Any, key: KubeObject, wakes: bool) -> None:
    aims = Aims()
    aims.changed(None, obj("front", spec=spec))
    assert aims.concerned(None, key) == ({FRONT} if wakes else set())
    assert aims.concerned(key, None) == ({FRONT} if wakes else set())


CHANGES = [
    ("nothing", {}, {}, False),
    ("its spec", {"generation": 2}, {}, True),
    ("its key appears", {}, {"keyArn": "arn"}, True),
    ("its key's state", {}, {"keyState": "Disabled"}, True),
    ("its conditions", {}, {"conditions": []}, False),
    ("a status that is none", {}, [], False),
]


@pytest.mark.parametrize(("change", "status", "wakes"), [pytest.param(*rest, id=name) for name, *rest in CHANGES])
def test_only_what_dependents_go_by_wakes_them(change: dict[str, Any], status: Any, wakes: bool) -> None:
    aims = Aims()
    aims.changed(None, obj("front", spec={"targetRef": {"name": "one"}}))
    assert aims.concerned(obj("one"), obj("one", status=status, **change)) == ({FRONT} if wakes else set())


def test_an_object_that_aims_elsewhere_or_is_gone_is_woken_no_more() -> None:
    aims = Aims()
    first, moved = obj("front", spec={"targetRef": {"name": "one"}}), obj("front", spec={"targetRef": {"name": "two"}})
    aims.changed(None, first)
    aims.changed(first, moved)
    assert (aims.concerned(None, obj("one")), aims.concerned(None, obj("two"))) == (set(), {FRONT})
    aims.changed(moved, None)
    assert aims.concerned(None, obj("two")) == set()
