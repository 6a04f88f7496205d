"""Late reads and changes behind the back, told apart."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcilers.echoes import PATIENCE, Echo, listen, listen_everywhere, written, written_everywhere
from reconcilers.reasons import Reason
from reconcilers.states import ObservedKey, Unobservable
from tests.reconcilers.builders import NOW, observed

OLD, NEW = observed(description="old"), observed(description="new")
MOMENT = timedelta(seconds=1)


def echo() -> Echo:
    made = written(None, OLD, NEW, NOW)
    assert made is not None
    return made


def test_without_a_write_there_is_no_echo() -> None:
    assert written(None, OLD, OLD, NOW) is None
    assert listen(None, OLD, NOW) == (OLD, None)


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        (OLD, NEW),
        (observed("Disabled", description="old"), observed("Disabled", description="new")),
        (observed(description="meddled"), observed(description="meddled")),
        (NEW, NEW),
    ],
)
def test_right_after_a_write_the_old_value_alone_is_not_believed(shown: ObservedKey, meant: ObservedKey) -> None:
    assert listen(echo(), shown, NOW + MOMENT)[0] == meant


def test_once_the_new_value_was_seen_the_old_one_is_a_change_like_any_other() -> None:
    _, rest = listen(echo(), NEW, NOW + MOMENT)
    assert listen(rest, OLD, NOW + MOMENT)[0] == OLD


def test_patience_ends_and_doubles_with_each_repetition() -> None:
    first = echo()
    assert listen(first, OLD, NOW + PATIENCE)[0] == OLD
    second = written(listen(first, OLD, NOW + PATIENCE)[1], OLD, NEW, NOW + PATIENCE)
    assert second is not None
    assert second.patience == 2 * PATIENCE
    other = written(second, observed("Disabled", description="new"), NEW, NOW)
    assert other is not None
    assert (other.patience, other.old) == (PATIENCE, {"description": "old", "state": "Disabled"})


def test_an_echo_can_be_believed_for_longer() -> None:
    assert listen(echo(), OLD, NOW + PATIENCE, 2 * PATIENCE)[0] == NEW
    assert listen(echo(), OLD, NOW + 2 * PATIENCE, 2 * PATIENCE)[0] == OLD


def test_several_fields_fade_each_by_itself() -> None:
    both = written(None, observed("Disabled", description="old"), NEW, NOW)
    assert listen(both, replace(NEW, state="Disabled"), NOW + MOMENT)[0] == NEW


def test_a_replica_echoes_as_the_key_does_and_each_for_itself() -> None:
    there = replace(OLD, arn="there")
    before = replace(OLD, replicas={"eu": there, "asia": Unobservable(Reason.AWS_UNAVAILABLE, "no")})
    after = replace(before, replicas={**before.replicas, "eu": replace(there, description="new")})
    echoes = written_everywhere({}, before, after, NOW)
    assert set(echoes) == {"there"}
    assert listen_everywhere(echoes, before, NOW + MOMENT) == (after, echoes)
    assert listen_everywhere(echoes, before, NOW + PATIENCE)[0] == before
    assert listen_everywhere(echoes, after, NOW + MOMENT) == (after, {})


def test_the_echo_of_a_replica_outlives_a_look_that_does_not_reach_it() -> None:
    before = replace(OLD, replicas={"eu": replace(OLD, arn="there")})
    echoes = written_everywhere({}, before, replace(before, replicas={"eu": replace(NEW, arn="there")}), NOW)
    unseen = replace(OLD, replicas={"eu": Unobservable(Reason.AWS_UNAVAILABLE, "no")})
    assert listen_everywhere(echoes, unseen, NOW + MOMENT) == (unseen, echoes)
