"""From the bytes of a watch to events: a line splitter and a parser, without I/O.

Rules:
1. Chunks may be cut anywhere. A line counts once its newline has come: the tail of a broken connection is dropped, and comes
   again with the next watch.
2. A line has a hard cap, so that a server gone mad cannot fill the memory.
3. What cannot be understood raises GarbageError. It is never skipped: it may have been the event that mattered.
4. ADDED and MODIFIED are one event here, Changed: both say how the object is now, and whether we knew it the store can tell.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from controller.kube import Response, translate
from controller.objects import KubeObject, NonEmpty, UndecodableError, decode_object

# The API server takes objects of up to 3 MB, etcd by default 1.5; twice that, and some for managedFields.
LINE_LIMIT = 8 * 1024 * 1024


class GarbageError(Exception):
    """A part of the stream that is no event."""


class Lines:
    """Collects chunks until lines are complete. `limit` is in bytes."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._partial: list[bytes] = []
        self._partial_size = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that this chunk completes, without newlines, blank ones left out. Raises GarbageError at the limit."""
        *complete, rest = chunk.split(b"\n")
        for line in complete:
            yield from self._finish(line)
        self._keep(rest)

    def _finish(self, end: bytes) -> Iterator[bytes]:
        self._keep(end)
        line = self._partial[0] if len(self._partial) == 1 else b"".join(self._partial)
        self._partial, self._partial_size = [], 0
        if line.strip():
            yield line

    def _keep(self, part: bytes) -> None:
        """Parts are joined only once: a 4 MB line arrives in some hundred chunks."""
        self._partial_size += len(part)
        if self._partial_size > self._limit:
            raise GarbageError(f"a line of more than {self._limit} bytes")
        self._partial.append(part)


@dataclass(frozen=True, slots=True)
class Changed:
    """The object is now like this."""

    object: KubeObject

    @property
    def version(self) -> str:
        """Where in the stream it stands."""
        return self.object.resource_version


@dataclass(frozen=True, slots=True)
class Deleted:
    """The object is gone; this was its last state, with the version of the deletion."""

    object: KubeObject

    @property
    def version(self) -> str:
        """Where in the stream it stands."""
        return self.object.resource_version


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Nothing has happened up to this version."""

    version: str


Event = Changed | Deleted | Bookmark


class _WireEvent(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    resource_version: NonEmpty


class _WireBookmark(msgspec.Struct, gc=False):
    metadata: _Metadata


_event_decoder = msgspec.json.Decoder(_WireEvent)
_bookmark_decoder = msgspec.json.Decoder(_WireBookmark)


def parse_event(line: bytes) -> Event:
    """Reads a line of a watch. Raises GarbageError, and for an ERROR event the KubeError that it holds."""
    try:
        wire = _event_decoder.decode(line)
        if wire.type in {"ADDED", "MODIFIED"}:
            return Changed(decode_object(wire.object))
        if wire.type == "DELETED":
            return Deleted(decode_object(wire.object))
        if wire.type == "BOOKMARK":
            return Bookmark(_bookmark_decoder.decode(wire.object).metadata.resource_version)
    except (UndecodableError, ValueError, RecursionError) as error:
        raise GarbageError(f"{len(line)} bytes that are no event: {error}") from error
    if wire.type == "ERROR":
        raise translate(Response(500, bytes(wire.object)))  # the status of an ERROR event is in its body
    raise GarbageError(f"an event of the unknown type {wire.type[:40]!r}")
