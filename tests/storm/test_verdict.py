"""The judge of a storm finds each thing that may be wrong, and nothing where all is right."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.cluster.tenant import OWNER_TAGS
from tests.storm.verdict import judge

SPEC: dict[str, Any] = {
    "description": "d",
    "tags": {"team": "a"},
    "enableKeyRotation": True,
    "rotationPeriodInDays": 90,
    "aliases": ["alias/k"],
    "grants": [{"name": "g"}],
    "replicas": [{"region": "eu-west-1"}],
}


def owned(uid: str, name: str) -> dict[str, str]:
    return {OWNER_TAGS[1]: f"default/{name}", OWNER_TAGS[2]: uid}


def made_for(uid: str, name: str, **changes: Any) -> dict[str, Any]:
    key = {
        "key_id": f"key of {uid}",
        "region": "us-east-1",
        "state": "Enabled",
        "description": "d",
        "rotation_days": 90,
        "spec": "SYMMETRIC_DEFAULT",
        "tags": {"team": "a", **owned(uid, name)},
        "aliases": ["alias/k"],
        "grants": [{"Name": "g"}],
    }
    return key | changes


def obj(uid: str, key_id: str) -> dict[str, Any]:
    conditions = [{"type": kind, "status": "True", "observedGeneration": 1, "reason": "R", "message": "m"} for kind in ("Ready", "Synced")]
    return {"metadata": {"uid": uid, "generation": 1}, "status": {"keyId": key_id, "observedGeneration": 1, "conditions": conditions}}


@dataclass
class Ground:
    """A living k and a deleted gone, all as it should be."""

    living: dict[str, Any] = field(default_factory=lambda: {"k": deepcopy(SPEC)})
    ended: dict[str, tuple[str, str]] = field(default_factory=lambda: {"u0": ("gone", "ScheduleKeyDeletion")})
    objects: dict[str, Any] = field(default_factory=lambda: {"k": obj("u1", "key of u1")})
    keys: list[dict[str, Any]] = field(
        default_factory=lambda: [
            made_for("u1", "k"),
            made_for("u1", "k", region="eu-west-1", rotation_days=None, grants=[]),
            made_for("u0", "gone", state="PendingDeletion"),
        ]
    )

    def judged(self) -> list[str]:
        return judge(self.living, self.ended, self.objects, self.keys, self.keys)


def test_where_all_is_right_nothing_is_found() -> None:
    assert Ground().judged() == []


def _second_key(ground: Ground) -> None:
    ground.keys.append(made_for("u1", "k", key_id="another"))


def _another_object_s_key(ground: Ground) -> None:
    ground.keys.append(made_for("u9", "x"))


def _not_settled(ground: Ground) -> None:
    ground.objects["k"]["metadata"]["generation"] = 2


def _not_gone(ground: Ground) -> None:
    ground.objects["gone"] = obj("u0", "key of u0")


def _not_there(ground: Ground) -> None:
    del ground.objects["k"]


def _not_scheduled(ground: Ground) -> None:
    ground.keys[2]["state"] = "Enabled"


def _no_replica(ground: Ground) -> None:
    del ground.keys[1]


def _tag_left(ground: Ground) -> None:
    ground.keys[0]["tags"]["old"] = "x"


def _alias_lost(ground: Ground) -> None:
    ground.keys[0]["aliases"] = []


def _meddled(ground: Ground) -> None:
    ground.keys[0] |= {"description": "meddled"}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_second_key, "2 keys were made for uid u1"),
        (_another_object_s_key, "nobody has the key"),
        (_not_settled, "k is not settled"),
        (_not_gone, "gone is not gone"),
        (_not_there, "k is not there"),
        (_not_scheduled, "of the deleted gone is Enabled"),
        (_no_replica, "k has replicas in []"),
        (_tag_left, "tags are"),
        (_alias_lost, "aliases are"),
        (_meddled, "description is 'meddled'"),
    ],
)
def test_whatever_is_wrong_is_found(spoil: Callable[[Ground], None], words: str) -> None:
    ground = Ground()
    spoil(ground)
    assert any(words in line for line in ground.judged()), ground.judged()


def test_what_an_earlier_object_left_on_a_key_that_came_back_is_nobody_s_fault() -> None:
    ground = Ground()
    ground.ended["u2"] = ("k", "Retain")
    _tag_left(ground)
    assert ground.judged() == []
