"""The readers of our conditions, as tables; test_each_field.py asks them at every step of a key's life."""

from typing import Any

import pytest

from tests.cluster.kstatus import KStatus, disagreement, kstatus, waited


def obj(observed: int | None = 2, deleting: bool = False, **conditions: str) -> dict[str, Any]:
    """An object of generation 2 with these conditions, each about `observed`."""
    about = {} if observed is None else {"observedGeneration": observed}
    found = [{"type": kind, "status": status, **about} for kind, status in conditions.items()]
    metadata = {"generation": 2, **({"deletionTimestamp": "now"} if deleting else {})}
    return {"metadata": metadata, "status": {**about, "conditions": found}}


@pytest.mark.parametrize(
    ("seen", "verdict", "ready"),
    [
        ({"metadata": {"generation": 1}}, KStatus.CURRENT, False),  # why a status has a default
        (obj(-1), KStatus.IN_PROGRESS, False),
        (obj(1, Ready="True"), KStatus.IN_PROGRESS, False),
        (obj(Ready="True"), KStatus.CURRENT, True),
        (obj(None, Ready="True"), KStatus.CURRENT, True),
        (obj(Ready="True", Synced="False"), KStatus.CURRENT, True),
        (obj(Ready="False"), KStatus.IN_PROGRESS, False),
        (obj(Ready="Unknown"), KStatus.IN_PROGRESS, False),
        (obj(Ready="False", Reconciling="True"), KStatus.IN_PROGRESS, False),
        (obj(Ready="False", Stalled="True"), KStatus.FAILED, False),
        (obj(deleting=True, Ready="True"), KStatus.TERMINATING, True),
    ],
)
def test_an_object_is_judged_by_its_conditions(seen: dict[str, Any], verdict: KStatus, ready: bool) -> None:
    assert (kstatus(seen), waited(seen)) == (verdict, ready)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (obj(Ready="True"), None),
        (obj(Ready="False", Stalled="True"), None),
        (obj(deleting=True, Ready="True"), None),
        ({"metadata": {"generation": 1}}, "kstatus says Current, kubectl wait says not ready"),
        (obj(Ready="True", Stalled="True"), "kstatus says Failed, kubectl wait says ready"),
        (obj(Ready="True", Reconciling="False"), "it is ready, and being worked on"),
    ],
)
def test_readers_that_contradict_each_other_are_told(seen: dict[str, Any], words: str | None) -> None:
    assert disagreement(seen) == words
