import io
import json
from pathlib import Path

import pytest

from controller.manifests import Manifest, ManifestError, read_manifests
from controller.objects import KubeObject, Ref, decode_object

KEY = "apiVersion: g/v1\nkind: Key\nmetadata: {name: orders, namespace: shop}\nspec: {description: Orders}\n"


def read(tmp_path: Path, text: str, namespace: str = "default") -> list[Manifest]:
    (tmp_path / "file.yaml").write_text(text)
    return read_manifests([str(tmp_path / "file.yaml")], namespace)


def refs(manifests: list[Manifest]) -> list[tuple[str, Ref]]:
    return [(manifest.kind, manifest.ref) for manifest in manifests]


def test_an_object_is_read_whole(tmp_path: Path) -> None:
    (key,) = read(tmp_path, KEY + "status: {old: true}\n")
    assert (key.api_version, key.kind, key.ref, key.spec) == ("g/v1", "Key", Ref("shop", "orders"), {"description": "Orders"})
    assert key.body["status"] == {"old": True}


def test_a_file_holds_several_documents_and_empty_ones(tmp_path: Path) -> None:
    found = read(tmp_path, f"---\n---\n{KEY}---\n{KEY.replace('orders', 'other')}---\n# nothing\n")
    assert refs(found) == [("Key", Ref("shop", "orders")), ("Key", Ref("shop", "other"))]


def test_the_items_of_a_list_are_objects(tmp_path: Path) -> None:
    item = {"apiVersion": "g/v1", "kind": "Key", "metadata": {"name": "a"}}
    inner = {"apiVersion": "v1", "kind": "List", "items": [{**item, "metadata": {"name": "b"}}]}
    found = read(tmp_path, json.dumps({"apiVersion": "v1", "kind": "List", "items": [item, inner]}))
    assert refs(found) == [("Key", Ref("default", "a")), ("Key", Ref("default", "b"))]


def test_the_items_of_a_typed_list_are_of_its_kind(tmp_path: Path) -> None:
    (found,) = read(tmp_path, json.dumps({"apiVersion": "g/v1", "kind": "KeyList", "items": [{"metadata": {"name": "a"}}]}))
    assert (found.api_version, found.kind) == ("g/v1", "Key")


def test_a_kind_may_end_in_list_and_be_none(tmp_path: Path) -> None:
    (found,) = read(tmp_path, "{apiVersion: v1, kind: PriceList, metadata: {name: a}}")
    assert found.kind == "PriceList"


def test_without_a_namespace_it_is_in_the_one_that_is_given(tmp_path: Path) -> None:
    (key,) = read(tmp_path, KEY.replace(", namespace: shop", ""), namespace="team")
    assert key.ref == Ref("team", "orders")
    assert key.body["metadata"]["namespace"] == "team"


def test_the_standard_input_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(KEY))
    assert refs(read_manifests(["-"], "default")) == [("Key", Ref("shop", "orders"))]


def test_a_date_is_text(tmp_path: Path) -> None:
    (key,) = read(tmp_path, KEY.replace("Orders", "2026-01-31"))
    assert key.spec == {"description": "2026-01-31"}


def test_the_same_name_may_stand_for_two_kinds(tmp_path: Path) -> None:
    assert len(read(tmp_path, f"{KEY}---\n{KEY.replace('kind: Key', 'kind: Lock')}")) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not YAML"),
        ("!!python/object:os.system {}", "is not YAML"),
        ("[1]", "holds a list where an object is due"),
        ("text", "holds a str where an object is due"),
        (json.dumps({"apiVersion": "v1", "kind": "List", "items": ["x"]}), "holds a str where an object is due"),
        ("{kind: Key, metadata: {name: a}}", "Object missing required field `apiVersion`"),
        ("{apiVersion: v1, metadata: {name: a}}", "Object missing required field `kind`"),
        ("{apiVersion: v1, kind: Key}", "Object missing required field `metadata`"),
        ("{apiVersion: v1, kind: Key, metadata: {generateName: a}}", "Object missing required field `name`"),
        ("{apiVersion: v1, kind: Key, metadata: {name: 12}}", r"Expected `str`, got `int` - at `\$.metadata.name`"),
        ("{apiVersion: v1, kind: Key, metadata: {name: a, annotations: {paused: true}}}", "Expected `str`, got `bool`"),
        ("{apiVersion: v1, kind: Key, metadata: {name: a}, spec: [1]}", r"Expected `object \| null`, got `array`"),
        ("{apiVersion: v1, kind: Key, metadata: {name: a}, spec: {[1, 2]: b}}", "holds no Kubernetes object|is not YAML"),
        (f"{KEY}---\n{KEY}", "Key shop/orders is in .*file.yaml already: remove one of them"),
    ],
)
def test_what_is_no_object_is_refused_with_the_name_of_the_file(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words) as refused:
        read(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path}/file.yaml: ")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\xfe\xfa")
    for name in ("latin", "absent"):
        with pytest.raises(ManifestError, match="cannot be read"):
            read_manifests([str(tmp_path / name)], "default")


LIVE = {
    "metadata": {
        "name": "orders",
        "namespace": "shop",
        "uid": "u",
        "resourceVersion": "9",
        "generation": 4,
        "finalizers": ["f"],
        "annotations": {"kept": "1", "both": "old"},
    },
    "spec": {"description": "Orders"},
    "status": {"keyId": "k"},
}


def live() -> KubeObject:
    return decode_object(json.dumps(LIVE).encode())


def test_a_new_object_has_no_past(tmp_path: Path) -> None:
    (key,) = read(tmp_path, KEY)
    made = key.on(None, "(none yet)")
    assert (made.ref, made.uid, made.generation, made.finalizers, made.status) == (Ref("shop", "orders"), "(none yet)", 1, (), b"{}")
    assert json.loads(made.spec) == {"description": "Orders"}


def test_an_object_that_is_there_keeps_all_but_its_spec_and_annotations(tmp_path: Path) -> None:
    (key,) = read(tmp_path, KEY.replace("namespace: shop", "namespace: shop, annotations: {both: new}").replace("Orders", "New"))
    applied = key.on(live(), "unused")
    assert (applied.uid, applied.finalizers, applied.status) == ("u", ("f",), b'{"keyId": "k"}')
    assert json.loads(applied.spec) == {"description": "New"}
    assert applied.annotations == {"kept": "1", "both": "new"}


@pytest.mark.parametrize(("description", "generation"), [("Orders", 4), ("New", 5)])
def test_only_another_spec_is_a_new_generation(tmp_path: Path, description: str, generation: int) -> None:
    (key,) = read(tmp_path, KEY.replace("Orders", description))
    assert key.on(live(), "unused").generation == generation
