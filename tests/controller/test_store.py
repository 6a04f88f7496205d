import json

import pytest

from controller.objects import KubeObject, Ref, decode_object
from controller.store import Change, Store
from tests.controller.scripted import thing


def seen(name: str, version: int = 1, uid: str = "u", namespace: str = "default") -> KubeObject:
    return decode_object(json.dumps(thing(name, version, uid, namespace)).encode())


def listed(*objects: KubeObject) -> dict[Ref, KubeObject]:
    return {obj.ref: obj for obj in objects}


def replaced(store: Store, namespace: str | None, *objects: KubeObject) -> list[Change]:
    return [change for changes in store.replace(namespace, listed(*objects)) for change in changes]


def test_a_store_that_nobody_feeds_is_never_synced() -> None:
    assert not Store().synced


def test_it_is_synced_when_all_that_feed_it_have_listed() -> None:
    store = Store()
    states = []
    for namespace in ("left", "right"):
        store.expect(namespace)
    for namespace in ("left", "right", "left"):
        states.append(store.synced)
        store.replace(namespace, {})
    assert [*states, store.synced] == [False, False, True, True]


def test_what_is_put_can_be_found_counted_and_iterated() -> None:
    store = Store()
    store.put(seen("a"))
    store.put(seen("a", 2))
    store.put(seen("b"))
    assert store.get(Ref("default", "a")) == seen("a", 2)
    assert store.get(Ref("default", "c")) is None
    assert [held.name for held in store] == ["a", "b"]
    assert len(store) == 2


def test_it_has_an_object_in_any_version_and_not_another_one_of_its_name() -> None:
    store = Store()
    store.put(seen("a", 2))
    assert store.has(seen("a"))
    assert not store.has(seen("a", 3, "v"))
    store.remove(seen("a"))
    assert not store.has(seen("a"))


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (None, seen("a"), [(None, seen("a"))]),
        (seen("a"), seen("a", 2), [(seen("a"), seen("a", 2))]),
        (seen("a"), seen("a"), []),
        (seen("a"), seen("a", 2, "v"), [(seen("a"), None), (None, seen("a", 2, "v"))]),
    ],
    ids=["new", "changed", "the same", "another of the same name"],
)
def test_a_list_and_an_event_tell_the_same_difference(
    old: KubeObject | None, new: KubeObject, changes: list[tuple[KubeObject | None, KubeObject | None]]
) -> None:
    expected = [Change(Ref("default", "a"), before, after) for before, after in changes]
    before = [old] if old else []
    anew, followed = Store(), Store()
    for store in (anew, followed):
        store.replace(None, listed(*before))
    assert replaced(anew, None, new) == expected
    assert followed.put(new) == expected
    assert list(anew) == list(followed) == [new]


def test_a_list_tells_deletions_first() -> None:
    store = Store()
    store.replace(None, listed(seen("a"), seen("b")))
    assert [(change.ref.name, change.new is None) for change in replaced(store, None, seen("b", 2))] == [("a", True), ("b", False)]


def test_a_list_is_in_place_before_anybody_has_heard_of_it() -> None:
    store = Store()
    store.replace(None, listed(seen("a")))
    told = store.replace(None, listed(seen("a", 2), seen("b")))
    assert list(store) == [seen("a", 2), seen("b")]
    assert [len(changes) for changes in told] == [0, 1, 1]


def test_a_list_of_one_namespace_leaves_the_others_alone() -> None:
    store = Store()
    store.replace("left", listed(seen("a", namespace="left")))
    store.replace("right", listed(seen("b", namespace="right")))
    assert replaced(store, "left") == [Change(Ref("left", "a"), seen("a", namespace="left"), None)]
    assert [held.name for held in store] == ["b"]


def test_a_deletion_is_told_once() -> None:
    store = Store()
    store.put(seen("a"))
    assert store.remove(seen("a", 2)) == [Change(Ref("default", "a"), seen("a"), None)]
    assert store.remove(seen("a", 2)) == []


def test_the_deletion_of_a_former_namesake_is_ignored() -> None:
    store = Store()
    store.put(seen("a", 5, "new"))
    assert store.remove(seen("a", 4, "old")) == []
    assert len(store) == 1


def test_the_objects_of_a_namespace_follow_every_change() -> None:
    store = Store()
    assert store.of("left") == []
    store.put(seen("a", namespace="left"))
    store.put(seen("b", namespace="right"))
    assert store.of("left") == [seen("a", namespace="left")]
    store.replace("left", listed(seen("a", 2, namespace="left"), seen("c", namespace="left")))
    assert store.of("left") == [seen("a", 2, namespace="left"), seen("c", namespace="left")]
    store.remove(seen("c", namespace="left"))
    assert store.of("left") == [seen("a", 2, namespace="left")]
    assert store.of("right") == [seen("b", namespace="right")]
