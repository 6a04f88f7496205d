"""What a Kubernetes object is to us: its name, where it is served, and the few fields that anybody here reads.

Rules:
1. A Ref is all that queues carry. Whoever takes one looks up the newest object in a store.
2. A KubeObject is immutable and owns its bytes. `spec` and `status` stay raw JSON, because most objects are never looked into:
   a resync that finds the same generation parses nothing. They are copies: a view would keep a page of 500 objects alive.
3. What nobody reads is dropped on the way in: managedFields (a third of a typical object) and the copy of the whole object that
   `kubectl apply` leaves in an annotation.
4. Frozen, without garbage-collector tracking: a full collection over 10,000 of them takes 0.7 ms, and 57 ms over dicts.

Not promised: that spec and status are valid. Here they are only known to be well-formed enough to find their end.
"""

from dataclasses import dataclass
from typing import Annotated, NamedTuple
from urllib.parse import quote

import msgspec

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class UndecodableError(ValueError):
    """The bytes are no Kubernetes object."""


class Ref(NamedTuple):
    """The name of an object whose kind is known from the context. Cluster-scoped objects have the namespace ""."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API server serves it. The core group is ""."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As manifests spell it: `v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of one object, or without a name of the collection; without a namespace that of the whole cluster.

        Raises ValueError for "." and "..", which would lead elsewhere and which no object can be called.
        """
        parts = ["apis" if self.group else "api", self.api_version]
        if namespace:
            parts += ["namespaces", _segment(namespace)]
        parts.append(self.plural)
        if name:
            parts.append(_segment(name))
        if subresource:
            parts.append(subresource)
        return "/" + "/".join(parts)


def _segment(name: str) -> str:
    if name in {".", ".."}:
        raise ValueError(f"{name!r} is no name of a Kubernetes object")
    return quote(name, safe="")


class KubeObject(msgspec.Struct, frozen=True, gc=False):
    """One version of one object. `deletion_timestamp` is RFC 3339, as the server wrote it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    deletion_timestamp: str | None
    finalizers: tuple[str, ...]
    annotations: dict[str, str]
    labels: dict[str, str]
    spec: bytes
    status: bytes

    @property
    def ref(self) -> Ref:
        """Its name."""
        return Ref(self.namespace, self.name)

    def is_same_version(self, other: "KubeObject") -> bool:
        """Whether both are the same version of the same object, not of two that bore the same name."""
        return self.resource_version == other.resource_version and self.uid == other.uid


NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    name: NonEmpty
    uid: NonEmpty
    resource_version: NonEmpty
    namespace: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    finalizers: tuple[str, ...] | None = None
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class _Wire(msgspec.Struct, gc=False):
    metadata: _Metadata
    spec: msgspec.Raw = msgspec.Raw(b"{}")
    status: msgspec.Raw = msgspec.Raw(b"{}")


_decoder = msgspec.json.Decoder(_Wire)


def decode_object(raw: bytes | msgspec.Raw) -> KubeObject:
    """Reads an object from JSON. Raises UndecodableError where there is no metadata with name, uid and resourceVersion."""
    try:
        wire = _decoder.decode(raw)
    except (ValueError, RecursionError) as error:  # ValueError: malformed, of another shape, or not UTF-8
        raise UndecodableError(str(error)) from error
    metadata = wire.metadata
    return KubeObject(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        deletion_timestamp=metadata.deletion_timestamp,
        finalizers=metadata.finalizers or (),
        annotations=_without_last_applied(metadata.annotations),
        labels=metadata.labels or {},
        spec=_own(wire.spec),
        status=_own(wire.status),
    )


class Page(NamedTuple):
    """A part of a list. `items` are views of the page's bytes; `token` asks for the next page, "" where there is none."""

    version: str
    token: str
    items: list[msgspec.Raw]


class _ListMetadata(msgspec.Struct, gc=False, rename="camel"):
    resource_version: NonEmpty
    token: str | None = msgspec.field(name="continue", default=None)


class _WireList(msgspec.Struct, gc=False):
    metadata: _ListMetadata
    items: list[msgspec.Raw] | None = None


_list_decoder = msgspec.json.Decoder(_WireList)


def decode_page(raw: bytes) -> Page:
    """Reads a list without looking into its items. Raises UndecodableError where there is no resourceVersion."""
    try:
        wire = _list_decoder.decode(raw)
    except (ValueError, RecursionError) as error:
        raise UndecodableError(str(error)) from error
    return Page(wire.metadata.resource_version, wire.metadata.token or "", wire.items or [])


def _without_last_applied(annotations: dict[str, str] | None) -> dict[str, str]:
    if annotations is None:
        return {}
    annotations.pop(LAST_APPLIED, None)
    return annotations


def _own(raw: msgspec.Raw) -> bytes:
    """A copy of a view; null means absent, as everywhere in Kubernetes."""
    copied = bytes(raw)
    return b"{}" if copied == b"null" else copied
