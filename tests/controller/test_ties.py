import json
from typing import Any

import pytest

from controller.objects import KubeObject, Ref
from controller.ties import Ties

OURS = "ours/finalizer"
MAIN = Ref("shop", "main")


def obj(status: Any, *finalizers: str) -> KubeObject:
    return KubeObject("shop", "front", "u", "1", 1, None, finalizers, {}, {}, b"{}", json.dumps(status).encode())


TIED = obj({"provider": "shop/main"}, "theirs/finalizer", OURS)


@pytest.mark.parametrize(
    ("one", "count"),
    [
        (TIED, 1),
        (obj({"provider": "shop/main"}), 0),
        (obj({"provider": "shop/main"}, "theirs/finalizer"), 0),
        (obj({}, OURS), 0),
        (obj({"provider": "main"}, OURS), 0),
        (obj({"provider": "vault/main"}, OURS), 0),
        (obj([7], OURS), 0),
    ],
)
def test_what_an_object_made_ties_it_to_its_provider(one: KubeObject, count: int) -> None:
    ties = Ties(OURS)
    ties.changed(None, one)
    assert ties.of(MAIN) == count


def test_a_tie_ends_with_the_finalizer_or_the_object_and_moves_with_the_provider() -> None:
    ties = Ties(OURS)
    assert ties.changed(None, TIED) == {MAIN}
    assert ties.changed(TIED, TIED) == set()
    moved = obj({"provider": "vault/main"}, OURS)
    assert ties.changed(TIED, moved) == {MAIN, Ref("vault", "main")}
    assert (ties.of(MAIN), ties.of(Ref("vault", "main"))) == (0, 1)
    assert ties.changed(moved, None) == {Ref("vault", "main")}
    assert ties.of(Ref("vault", "main")) == 0
