import pytest

from reconcilers.orphans import orphans
from tests.reconcilers.builders import DENIED, KEY_ID, OTHER_KEY_ID, UID, observed


@pytest.mark.parametrize(
    ("uids", "key_ids", "count"),
    [
        ({UID}, set(), 0),
        (set(), {KEY_ID}, 0),
        ({UID}, {KEY_ID}, 0),
        (set(), set(), 1),
        ({"another"}, {OTHER_KEY_ID}, 1),
    ],
)
def test_an_orphan_is_named_by_no_object_neither_by_uid_nor_by_id(uids: set[str], key_ids: set[str], count: int) -> None:
    assert len(orphans([observed()], uids, key_ids)) == count


def test_an_orphan_tells_whose_it_was() -> None:
    (orphan,) = orphans([observed()], (), ())
    assert (orphan.key.key_id, orphan.owner, orphan.uid) == (KEY_ID, "shop/orders", UID)


def test_the_order_of_the_keys_stays() -> None:
    found = orphans([observed(key_id=OTHER_KEY_ID), observed()], (), ())
    assert [orphan.key.key_id for orphan in found] == [OTHER_KEY_ID, KEY_ID]


@pytest.mark.parametrize(
    ("state", "usd"),
    [("Enabled", 1), ("Disabled", 1), ("PendingDeletion", 0), ("PendingReplicaDeletion", 1), ("PendingImport", 1), ("Unavailable", 1)],
)
def test_a_key_costs_a_dollar_until_its_deletion_is_scheduled(state: str, usd: int) -> None:
    (orphan,) = orphans([observed(state)], (), ())
    assert orphan.usd_a_month == usd


def test_a_key_whose_tags_cannot_be_read_belongs_to_the_object_that_names_it() -> None:
    hidden = observed(tags=DENIED)
    assert orphans([hidden], (), {KEY_ID}) == ()
    (orphan,) = orphans([hidden], (), ())
    assert (orphan.owner, orphan.uid) == (None, None)
