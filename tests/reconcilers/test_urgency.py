from dataclasses import dataclass, field

import pytest

from reconcilers.urgency import Urgency, of_writes, urgency


@dataclass(frozen=True)
class Status:
    observed_generation: int | None


@dataclass(frozen=True)
class Declared:
    deleting: bool = False
    generation: int = 2
    status: Status = field(default_factory=lambda: Status(2))


@pytest.mark.parametrize(
    ("obj", "made", "expected"),
    [
        (Declared(), True, Urgency.RESYNC),
        (Declared(status=Status(1)), True, Urgency.USER),
        (Declared(status=Status(None)), False, Urgency.CREATION),
        (Declared(), False, Urgency.CREATION),
        (Declared(deleting=True), True, Urgency.USER),
        (Declared(deleting=True), False, Urgency.USER),
    ],
)
def test_a_pass_is_as_urgent_as_what_it_is_for(obj: Declared, made: bool, expected: Urgency) -> None:
    assert urgency(obj, made=made) is expected


def test_only_the_writes_of_a_resync_are_more_urgent_than_its_looks() -> None:
    assert [of_writes(looking) for looking in Urgency] == [Urgency.USER, Urgency.CREATION, Urgency.REPAIR, Urgency.REPAIR]
