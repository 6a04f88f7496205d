import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.kube import Gone, KubeError, Unavailable
from controller.streams import Bookmark, Changed, Deleted, GarbageError, Lines, parse_event
from tests.controller.scripted import event, status, thing


def split(lines: Lines, *chunks: bytes) -> list[bytes]:
    return [line for chunk in chunks for line in lines.feed(chunk)]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"a", b"b", b"\n"], [b"ab"]),
        ([b"a\nb", b"c\n"], [b"a", b"bc"]),
        ([b"", b"\n", b" \r\n\n", b"a\n"], [b"a"]),
        ([b"a\ntail"], [b"a"]),
    ],
)
def test_lines_are_what_newlines_end(chunks: list[bytes], expected: list[bytes]) -> None:
    assert split(Lines(), *chunks) == expected


@given(st.lists(st.binary(min_size=1).filter(lambda line: line.strip() and b"\n" not in line)), st.data())
def test_cuts_between_chunks_change_nothing(expected: list[bytes], data: st.DataObject) -> None:
    text = b"".join(line + b"\n" for line in expected)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert split(Lines(), *chunks) == expected


def test_a_line_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert split(Lines(4), b"abcd\n", b"ab", b"cd\n") == [b"abcd", b"abcd"]
    for chunks in ([b"abcde\n"], [b"abcde"], [b"ab", b"cde"]):
        with pytest.raises(GarbageError, match="more than 4 bytes"):
            split(Lines(4), *chunks)


def test_the_lines_before_one_that_is_too_long_are_delivered() -> None:
    lines = Lines(4).feed(b"ok\nabcde\n")
    assert next(lines) == b"ok"
    with pytest.raises(GarbageError):
        next(lines)


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED"])
def test_an_object_that_appears_or_changes_is_changed(kind: str) -> None:
    seen = parse_event(event(kind, thing("a", 7, "u")))
    assert isinstance(seen, Changed)
    assert (seen.object.name, seen.version) == ("a", "7")


def test_a_deletion_has_its_own_version() -> None:
    seen = parse_event(event("DELETED", thing("a", 8, "u")))
    assert isinstance(seen, Deleted)
    assert (seen.object.uid, seen.version) == ("u", "8")


def test_of_a_bookmark_only_the_version_is_read() -> None:
    bookmark = {"kind": "Thing", "metadata": {"resourceVersion": "9", "creationTimestamp": None}}
    assert parse_event(event("BOOKMARK", bookmark)) == Bookmark("9")


@pytest.mark.parametrize(
    ("body", "expected", "code"),
    [(status(410, "Expired"), Gone, 410), (status(500, "InternalError"), Unavailable, 500), ({}, Unavailable, 500)],
)
def test_an_error_event_raises_what_it_holds(body: object, expected: type[KubeError], code: int) -> None:
    with pytest.raises(expected) as caught:
        parse_event(event("ERROR", body))
    assert caught.value.status == code


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"{}",
        b"<html>",
        b'{"type": "ADDED"}',
        b'{"type": 1, "object": {}}',
        json.dumps({"type": "BOOKMARK", "object": thing("a", 7, "u")}).encode()[:-1],
        event("BOOKMARK", None),
        event("BOOKMARK", {"metadata": {"resourceVersion": ""}}),
        event("MODIFIED", None),
        event("DELETED", {"metadata": {"name": "a"}}),
        event("SOMETHING", thing("a", 7, "u")),
        event("ADDED", 0)[:-2] + b"[" * 100_000,
    ],
)
def test_all_else_is_garbage(line: bytes) -> None:
    with pytest.raises(GarbageError):
        parse_event(line)


@given(st.binary())
def test_no_bytes_cause_any_other_error(line: bytes) -> None:
    with pytest.raises((GarbageError, KubeError)):
        parse_event(line)
