import json

import pytest

from controller.objects import KubeObject, Ref, decode_object
from controller.own_writes import OwnWrites
from controller.store import Store
from tests.controller.scripted import thing

REF = Ref("default", "a")


def version(number: int, uid: str = "u") -> KubeObject:
    return decode_object(json.dumps(thing("a", number, uid)).encode())


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def own(store: Store) -> OwnWrites:
    return OwnWrites(store)


def test_without_a_write_the_stored_object_is_the_newest(store: Store, own: OwnWrites) -> None:
    store.put(version(5))
    assert own.get(REF) == version(5)


def test_a_write_is_read_until_the_store_has_it(store: Store, own: OwnWrites) -> None:
    store.put(version(5))
    own.put(version(9))
    assert own.get(REF) == version(9)
    store.put(version(7))
    assert own.get(REF) == version(9)


@pytest.mark.parametrize("stored", [9, 10, 100])
def test_the_store_wins_once_it_is_as_new(stored: int, store: Store, own: OwnWrites) -> None:
    """100 is newer than 9, though as text it is not."""
    store.put(version(1))
    own.put(version(9))
    store.put(version(stored))
    assert own.get(REF) == version(stored)


def test_the_last_of_several_writes_counts(store: Store, own: OwnWrites) -> None:
    store.put(version(5))
    own.put(version(6))
    own.put(version(7))
    assert own.get(REF) == version(7)


def test_an_object_that_is_gone_is_gone_whatever_was_written(store: Store, own: OwnWrites) -> None:
    """Its last write, which released it, is often answered after the watch has told that it is gone."""
    own.put(version(9))
    assert own.get(REF) is None
    store.put(version(5))
    assert own.get(REF) == version(5)


def test_a_write_to_a_former_namesake_is_not_read(store: Store, own: OwnWrites) -> None:
    own.put(version(9, "old"))
    store.put(version(5, "new"))
    assert own.get(REF) == version(5, "new")


def test_a_forgotten_write_is_not_read(store: Store, own: OwnWrites) -> None:
    store.put(version(5))
    own.put(version(9))
    own.forget(REF)
    own.forget(REF)
    assert own.get(REF) == version(5)
