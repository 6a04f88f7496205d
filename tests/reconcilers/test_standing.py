from typing import Literal

import pytest

from reconcilers.fields import Condition
from reconcilers.standing import Group, Pace, Told, groups, standing, stuck
from tests.reconcilers.builders import NOW


def told(name: str = "orders", kind: str = "KMSKey", observed: int | None = 2, state: str | None = None, **conditions: str) -> Told:
    """An object of generation 2; a condition is written as Ready="False because Reason"."""
    return Told(kind, "shop", name, 2, observed, tuple(condition(*one) for one in conditions.items()), state)


def condition(kind: str, text: str) -> Condition:
    status, _, reason = text.partition(" because ")
    word: Literal["True", "False"] = "True" if status == "True" else "False"
    return Condition(type=kind, status=word, last_transition_time=NOW, reason=reason or "Fine", message=f"About {kind}.")


@pytest.mark.parametrize(
    ("seen", "pace", "by", "reason"),
    [
        (told(Ready="True", Synced="True"), Pace.SETTLED, "Ready", "Fine"),
        (told(Ready="True"), Pace.SETTLED, "Ready", "Fine"),
        (told(Ready="True", Synced="False because DriftDetected"), Pace.WAITING, "Synced", "DriftDetected"),
        (told(Ready="False because A", Synced="False because B"), Pace.WAITING, "Ready", "A"),
        (told(Ready="False because Creating", Reconciling="True"), Pace.WORKING, "Ready", "Creating"),
        (told(Ready="False because A", Stalled="True because KeyLost"), Pace.STALLED, "Stalled", "KeyLost"),
        (told(Ready="True", Synced="False because A", Stalled="True because B"), Pace.STALLED, "Stalled", "B"),
        (told(Ready="False because A", Stalled="False because B"), Pace.WAITING, "Ready", "A"),
        (told(observed=1, Ready="True"), Pace.UNSEEN, None, "Unseen"),
        (told(observed=-1), Pace.UNSEEN, None, "Unseen"),
        (told(observed=None), Pace.UNSEEN, None, "Unseen"),
        (told(observed=1, Ready="False because A", Stalled="True because B"), Pace.UNSEEN, None, "Unseen"),
    ],
)
def test_the_worst_condition_tells_how_an_object_stands(seen: Told, pace: Pace, by: str | None, reason: str) -> None:
    found = standing(seen)
    assert (found.pace, found.condition, found.reason) == (pace, by, reason)
    assert found.since == (NOW if by else None)
    assert found.message


def test_what_is_stuck_is_told_the_worst_first() -> None:
    seen = [
        told("a", Ready="True"),
        told("b", Ready="False", Reconciling="True"),
        told("c", Ready="False"),
        told("e", Ready="False", Stalled="True"),
        told("d", Ready="False", Stalled="True"),
        told("f", observed=1),
    ]
    assert [one.told.name for one in stuck(map(standing, seen))] == ["d", "e", "c", "f", "b"]


def test_objects_are_counted_by_kind_state_and_reason() -> None:
    seen = [
        told("a", state="Enabled", Ready="True because Available"),
        told("b", state="Enabled", Ready="True because Available"),
        told("c", state="Disabled", Ready="True because DisabledAsRequested"),
        told("d", Ready="False because ProviderNotFound"),
        told("e", kind="KMSAlias", Ready="True because Available"),
    ]
    assert groups(map(standing, seen)) == (
        Group("KMSAlias", None, Pace.SETTLED, "Available", 1),
        Group("KMSKey", None, Pace.WAITING, "ProviderNotFound", 1),
        Group("KMSKey", "Disabled", Pace.SETTLED, "DisabledAsRequested", 1),
        Group("KMSKey", "Enabled", Pace.SETTLED, "Available", 2),
    )
