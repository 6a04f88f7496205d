import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.objects import KubeObject, decode_object
from controller.patches import Operation, add_finalizer, remove_finalizer, status_patch
from tests.controller.scripted import thing
from tests.simulation.api_patches import UnfitError, json_patch

OURS = "example.test/ours"
Json = dict[str, Any]


def live(*finalizers: str, version: int = 7, uid: str = "u", **more: object) -> Json:
    """An object as the server has it; without finalizers it has no such field."""
    obj: Json = thing("a", version, uid, "default", **more)
    if finalizers:
        obj["metadata"]["finalizers"] = list(finalizers)
    return obj


def read(obj: Json) -> KubeObject:
    return decode_object(json.dumps(obj).encode())


def test_equal_statuses_need_no_patch() -> None:
    assert status_patch(read(live()), {"a": 1}, {"a": 1}) == []
    assert status_patch(read(live()), {}, {}, exact=True) == []


FIELD_NAMES = st.sampled_from(["a", "b", "c/d", "e~f", "e~1f"])
STATUSES = st.dictionaries(FIELD_NAMES, st.one_of(st.integers(), st.lists(st.integers(), max_size=2), st.just({"x": 1})))


@given(before=STATUSES, after=STATUSES)
def test_a_patch_turns_one_status_into_the_other_and_leaves_unknown_fields(before: Json, after: Json) -> None:
    newer = {"fieldOfANewerVersion": True} if before else {}
    obj = live(status={**before, **newer})
    patched = json_patch(obj, status_patch(read(obj), before, after))
    assert patched == obj | {"status": {**after, **(newer if before else {})}}


def test_a_status_that_was_never_written_is_made_as_a_whole() -> None:
    obj = live()
    assert json_patch(obj, status_patch(read(obj), {}, {"a": 1}))["status"] == {"a": 1}


def test_a_field_that_did_not_change_is_not_sent() -> None:
    operations = status_patch(read(live()), {"same": "long", "other": 1}, {"same": "long", "other": 2})
    assert [operation["path"] for operation in operations] == ["/metadata/uid", "/status/other"]


@pytest.mark.parametrize(("exact", "fits"), [(False, True), (True, False)])
def test_only_an_exact_patch_minds_another_version(exact: bool, fits: bool) -> None:
    operations = status_patch(read(live(version=7, status={"a": 1})), {"a": 1}, {"a": 2}, exact=exact)
    now = live(version=8, status={"a": 1})
    assert applies(now, operations) is fits


@pytest.mark.parametrize("exact", [False, True])
def test_no_patch_fits_a_namesake_with_another_uid(exact: bool) -> None:
    operations = status_patch(read(live(uid="old")), {"a": 1}, {"a": 2}, exact=exact)
    assert not applies(live(uid="new", status={"a": 1}), operations)


@pytest.mark.parametrize("others", [[], ["example.test/theirs"], ["example.test/theirs", "example.test/more"]])
def test_the_finalizer_is_added_behind_those_of_others(others: list[str]) -> None:
    obj = live(*others)
    assert json_patch(obj, add_finalizer(read(obj), OURS))["metadata"]["finalizers"] == [*others, OURS]


def test_the_finalizer_is_added_to_nothing_but_what_was_seen() -> None:
    operations = add_finalizer(read(live(version=7)), OURS)
    assert not applies(live(version=8), operations)
    assert not applies(live(uid="new"), operations)


@pytest.mark.parametrize("finalizers", [[OURS], [OURS, "b/b"], ["a/a", OURS], ["a/a", OURS, "b/b"]])
def test_removing_the_finalizer_leaves_those_of_others(finalizers: list[str]) -> None:
    obj = live(*finalizers)
    patched = json_patch(obj, remove_finalizer(read(obj), OURS))
    assert patched["metadata"]["finalizers"] == [name for name in finalizers if name != OURS]


def test_removing_the_finalizer_does_not_mind_another_version() -> None:
    assert applies(live(OURS, version=8), remove_finalizer(read(live(OURS, version=7)), OURS))


@pytest.mark.parametrize("now", [["a/a", OURS], ["a/a"], []], ids=["moved", "another's in its place", "gone"])
def test_nothing_is_removed_where_the_list_has_changed(now: list[str]) -> None:
    assert not applies(live(*now), remove_finalizer(read(live(OURS)), OURS))


def test_no_finalizer_is_removed_from_a_namesake() -> None:
    assert not applies(live(OURS, uid="new"), remove_finalizer(read(live(OURS, uid="old")), OURS))


def applies(obj: Json, operations: list[Operation]) -> bool:
    """Whether the server would take the patch."""
    try:
        json_patch(obj, operations)
    except UnfitError:
        return False
    return True
