"""By which Lease a process works, and on what."""

import pytest

from controller.leases import LEASE_NAME, RING_LABEL, seat
from controller.selectors import parse_selector
from tests.controller.test_settings import settings


def test_without_flags_one_lease_is_for_all_objects() -> None:
    ours = seat(settings())
    assert (ours.work.name, ours.partition.whole, ours.keeper) == (LEASE_NAME, True, None)
    assert ours.work.holder.startswith("operator-7d9f_")


def test_each_selector_has_a_lease_however_it_is_typed() -> None:
    typed = ("shard=a,tier in (y,x)", "tier in (x, y), shard==a", "shard=b")
    first, again, other = (seat(settings(watch_selector=parse_selector(text))) for text in typed)
    assert first.work.name == again.work.name != other.work.name
    assert first.work.name.startswith(f"{LEASE_NAME}-")
    assert first.keeper is not None
    assert first.keeper.name == LEASE_NAME


@pytest.mark.parametrize("pod", ["operator-7d9f", "p" * 63, "operator-" + "7" * 50 + ".x-y"])
def test_a_shard_has_a_lease_of_its_own_named_as_its_holder_and_labelled_for_the_ring(pod: str) -> None:
    ours, another = (seat(settings(controller_ring="keys", pod_name=pod)) for _ in range(2))
    assert ours.work.name == ours.work.holder != another.work.name
    assert len(ours.work.name) <= 63
    assert ours.work.labels == {RING_LABEL: "keys"}
    assert str(ours.partition.selector) == f"shard.alpha.sharding.timebertt.dev/keys={ours.work.name}"
    assert ours.partition.drain == "drain.alpha.sharding.timebertt.dev/keys"
    assert ours.keeper is not None
    assert ours.keeper.name == LEASE_NAME
