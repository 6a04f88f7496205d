import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.objects import LAST_APPLIED, KubeObject, Page, Ref, Resource, UndecodableError, decode_object, decode_page

METADATA = {"name": "a", "uid": "u", "resourceVersion": "7"}


def encoded(metadata: object = METADATA, **fields: object) -> bytes:
    return json.dumps({"metadata": metadata} | fields).encode()


@pytest.mark.parametrize(
    ("resource", "arguments", "path"),
    [
        (Resource("", "v1", "secrets", "Secret"), ("ns", "s"), "/api/v1/namespaces/ns/secrets/s"),
        (Resource("", "v1", "namespaces", "Namespace"), (None, "kube-system"), "/api/v1/namespaces/kube-system"),
        (Resource("g.io", "v1beta1", "things", "Thing"), (), "/apis/g.io/v1beta1/things"),
        (Resource("g.io", "v1", "things", "Thing"), ("ns",), "/apis/g.io/v1/namespaces/ns/things"),
        (Resource("g.io", "v1", "things", "Thing"), ("ns", "a", "status"), "/apis/g.io/v1/namespaces/ns/things/a/status"),
        (Resource("g.io", "v1", "things", "Thing"), ("n%", "a/b?c"), "/apis/g.io/v1/namespaces/n%25/things/a%2Fb%3Fc"),
    ],
)
def test_a_path_is_where_the_server_serves_it(resource: Resource, arguments: tuple[str, ...], path: str) -> None:
    assert resource.path(*arguments) == path


@pytest.mark.parametrize("arguments", [("..", "a"), ("ns", ".."), ("ns", ".")])
def test_a_path_never_leads_elsewhere(arguments: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="is no name"):
        Resource("", "v1", "secrets", "Secret").path(*arguments)


def test_the_api_version_is_spelled_as_in_manifests() -> None:
    assert Resource("", "v1", "secrets", "Secret").api_version == "v1"
    assert Resource("apps", "v1", "deployments", "Deployment").api_version == "apps/v1"


def test_a_ref_reads_as_people_write_it() -> None:
    assert str(Ref("ns", "a")) == "ns/a"
    assert str(Ref("", "cluster-wide")) == "cluster-wide"


def test_all_that_we_read_is_decoded() -> None:
    metadata = METADATA | {
        "namespace": "ns",
        "generation": 3,
        "deletionTimestamp": "2026-01-02T03:04:05Z",
        "finalizers": ["one", "two"],
        "annotations": {"x": "y"},
        "labels": {"l": "m"},
    }
    seen = decode_object(encoded(metadata, spec={"enabled": True}, status={"ready": 1}))
    assert seen == KubeObject(
        namespace="ns",
        name="a",
        uid="u",
        resource_version="7",
        generation=3,
        deletion_timestamp="2026-01-02T03:04:05Z",
        finalizers=("one", "two"),
        annotations={"x": "y"},
        labels={"l": "m"},
        spec=b'{"enabled": true}',
        status=b'{"ready": 1}',
    )
    assert seen.ref == Ref("ns", "a")


@pytest.mark.parametrize("absent", [{}, {"spec": None, "status": None}])
def test_what_is_absent_or_null_is_empty(absent: dict[str, None]) -> None:
    nulls = dict.fromkeys(("finalizers", "annotations", "labels", "deletionTimestamp")) if absent else {}
    seen = decode_object(encoded(METADATA | nulls, **absent))
    assert (seen.spec, seen.status) == (b"{}", b"{}")
    assert (seen.namespace, seen.generation, seen.deletion_timestamp) == ("", 0, None)
    assert (seen.finalizers, seen.annotations, seen.labels) == ((), {}, {})


def test_copies_of_the_object_inside_itself_are_dropped() -> None:
    metadata = METADATA | {"annotations": {LAST_APPLIED: "{...}", "mine": "1"}, "managedFields": [{"manager": "kubectl"}]}
    assert decode_object(encoded(metadata)).annotations == {"mine": "1"}


def test_an_object_keeps_nothing_of_the_page_it_came_with() -> None:
    page = decode_page(b'{"metadata": {"resourceVersion": "9"}, "items": [' + encoded(spec={"x": 1}) + b"]}")
    seen = decode_object(page.items[0])
    assert type(seen.spec) is bytes
    assert type(seen.status) is bytes


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"metadata": null}',
        b'{"metadata": []}',
        b"[" * 100_000,
        b'{"metadata": {"name": "\xff", "uid": "u", "resourceVersion": "7"}}',
        encoded({"name": "a", "uid": "u"}),
        encoded({"name": "a", "uid": "u", "resourceVersion": ""}),
        encoded({"name": "a", "resourceVersion": "7"}),
        encoded(METADATA | {"labels": {"a": 1}}),
        encoded(METADATA)[:-1],
    ],
)
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode_object(raw)


@given(st.binary())
def test_no_bytes_cause_any_other_error(raw: bytes) -> None:
    for decode in (decode_object, decode_page):
        try:
            decode(raw)
        except UndecodableError:
            continue


def test_the_same_version_is_of_the_same_object() -> None:
    seen = decode_object(encoded())
    assert seen.is_same_version(decode_object(encoded(spec={})))
    assert not seen.is_same_version(decode_object(encoded(METADATA | {"resourceVersion": "8"})))
    assert not seen.is_same_version(decode_object(encoded(METADATA | {"uid": "v"})))


@pytest.mark.parametrize(
    ("raw", "page"),
    [
        (b'{"metadata": {"resourceVersion": "9"}, "items": []}', Page("9", "", [])),
        (b'{"metadata": {"resourceVersion": "9", "continue": null}, "items": null}', Page("9", "", [])),
        (
            b'{"kind": "List", "metadata": {"resourceVersion": "9", "continue": "t"}, "items": [1]}',
            Page("9", "t", [msgspec.Raw(b"1")]),
        ),
    ],
)
def test_a_page_tells_its_version_and_how_to_go_on(raw: bytes, page: Page) -> None:
    assert decode_page(raw) == page


@pytest.mark.parametrize("raw", [b"", b"<html>", b"{}", b'{"metadata": {"resourceVersion": ""}, "items": []}'])
def test_what_is_no_list_is_refused(raw: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode_page(raw)
