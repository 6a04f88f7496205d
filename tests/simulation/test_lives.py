"""Lives that would once have ended badly, as their shortest steps: one for each kind of harm that random lives have found.

Each is lived as a random one is, and judged like it: by all invariants, and by what must be so at rest.
"""

from collections.abc import Callable

import pytest

from tests.simulation.etcd import Json
from tests.simulation.machine import Machine
from tests.simulation.machine_specs import BOTH

KEYS = ("orders", "sales", "signing")
REGIONS = ("global", "sales", "global")
Steps = Callable[[Machine], None]


def begun(life: Machine, cast: tuple[str, ...], plain: Json | None = None, *, how: str = "only just", index_lag: int = 0) -> None:
    life.begin(pair=False, kms=(index_lag, False), cast=cast, plain=plain or {}, special={}, begun=how)


def a_second_key_beside_one_that_few_views_show(life: Machine) -> None:
    begun(life, KEYS, index_lag=600)
    life.let_reads_lag(seconds=300, operations="ListResourceTags", flaps=False)
    life.disturb_aws(kind="lost answer", calls="CreateKey", times=1)
    life.advance(seconds=100.0)


def a_second_key_by_a_clock_that_jumped(life: Machine) -> None:
    begun(life, KEYS, index_lag=600)
    life.let_reads_lag(seconds=30, operations="ListKeys", flaps=False)
    life.disturb_aws(kind="lost answer", calls="CreateKey", times=1)
    life.advance(seconds=1.0)
    life.jump(leads=True, ahead=290.0)
    life.advance(seconds=7.0)


def the_end_of_a_replica_that_came_back_within_a_late_watch(life: Machine) -> None:
    begun(life, REGIONS, how="settled")
    for _ in range(6):
        life.advance(seconds=100.0)
    life.let_watches_lag(seconds=90.0)
    life.let_regions_go_and_come_back(tags={}, seconds=1.0)
    life.advance(seconds=100.0)


def a_tag_of_before_on_a_replica_that_was_let_go_and_came_back(life: Machine) -> None:
    begun(life, REGIONS, {"tags": {"team": "mail", "cost": "17"}, "deletionPolicy": "Retain"}, how="settled")
    life.change_regions(regions=[], tags={"team": "mail", "cost": "17"})
    life.advance(seconds=100.0)
    life.change_regions(regions=BOTH["replicas"], tags={"team": "shop"})
    life.advance(seconds=100.0)


def an_end_by_a_policy_that_was_changed_before(life: Machine) -> None:
    begun(life, KEYS)
    life.disturb_aws(kind="late answer", calls="CreateKey", times=1)
    life.advance(seconds=1.0)
    life.choose_what_deletion_does(who=0, policy="Retain")
    life.delete(who=0)
    life.advance(seconds=7.0)


LIVES: list[Steps] = [
    a_second_key_beside_one_that_few_views_show,
    a_second_key_by_a_clock_that_jumped,
    the_end_of_a_replica_that_came_back_within_a_late_watch,
    a_tag_of_before_on_a_replica_that_was_let_go_and_came_back,
    an_end_by_a_policy_that_was_changed_before,
]


@pytest.mark.holds("I1", "I4", "I16")
@pytest.mark.parametrize("steps", LIVES, ids=lambda steps: str(steps.__name__))
def test_a_life_that_has_once_ended_badly_does_so_no_more(steps: Steps) -> None:
    life = Machine()
    try:
        steps(life)
    finally:
        life.teardown()
