"""Objects from YAML files, as kubectl would send them.

Rules:
1. A file holds any number of documents, each an object or a List of objects; JSON is YAML. "-" is the standard input.
2. What YAML takes for a date is text, because Kubernetes reads YAML as JSON, which has no dates.
3. An object has an apiVersion, a kind and a name, and stands in one file only. An object without a namespace is in the one that is given.

Not judged here: whether there is such a kind, and whether its spec is right.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from controller.objects import KubeObject, NonEmpty, Ref

STDIN = "-"
Json = dict[str, Any]


class ManifestError(ValueError):
    """A file cannot be read as objects; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object of a file. body: the whole of it, with its namespace."""

    file: str
    api_version: str
    kind: str
    ref: Ref
    annotations: dict[str, str]
    body: Json

    @property
    def spec(self) -> Json:
        """What is wished for; an object without a spec wishes nothing."""
        spec: Json = self.body.get("spec") or {}
        return spec

    def on(self, live: KubeObject | None, uid: str) -> KubeObject:
        """The object as the server would hold it with this spec; `uid` is for one that is not there yet."""
        spec = msgspec.json.encode(self.spec)
        if live is None:
            return KubeObject(*self.ref, uid, "0", 1, None, (), self.annotations, {}, spec, b"{}")
        changed = msgspec.json.decode(live.spec) != msgspec.json.decode(spec)
        return msgspec.structs.replace(
            live, spec=spec, generation=live.generation + changed, annotations={**live.annotations, **self.annotations}
        )


def read_manifests(files: Iterable[str], namespace: str) -> list[Manifest]:
    """All objects of the files, in their order. Raises ManifestError."""
    found: dict[tuple[str, Ref], Manifest] = {}
    for file in files:
        for body in read_objects(file):
            manifest = as_manifest(file, body, namespace)
            earlier = found.setdefault((manifest.kind, manifest.ref), manifest)
            if earlier is not manifest:
                raise ManifestError(f"{file}: {manifest.kind} {manifest.ref} is in {earlier.file} already: remove one of them")
    return list(found.values())


def read_objects(file: str) -> Iterator[Json]:
    """All objects of a file, of any kind and as they are written there. Raises ManifestError."""
    try:
        documents = list(yaml.load_all(_text(file), _Loader))
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{file}: cannot be read: {error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ManifestError(f"{file}: is not YAML: {error}") from error
    for document in documents:
        if document is not None:
            yield from _items(file, document)


def _text(file: str) -> str:
    return sys.stdin.read() if file == STDIN else Path(file).read_text(encoding="utf-8")


def _items(file: str, document: Any) -> Iterator[Json]:
    """The object itself, or those of a List; a typed List may leave out what its items are."""
    if not isinstance(document, dict):
        raise ManifestError(f"{file}: holds a {type(document).__name__} where an object is due")
    kind = document.get("kind")
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(document.get("items"), list):
        yield document
        return
    left_out = {"apiVersion": document.get("apiVersion"), "kind": kind.removesuffix("List")} if kind != "List" else {}
    for item in document["items"]:
        yield from _items(file, {**left_out, **item} if isinstance(item, dict) else item)


class _Metadata(msgspec.Struct):
    name: NonEmpty
    namespace: str | None = None
    annotations: dict[str, str] | None = None


class _Object(msgspec.Struct, rename="camel"):
    api_version: NonEmpty
    kind: NonEmpty
    metadata: _Metadata
    spec: dict[str, Any] | None = None


def as_manifest(file: str, body: Json, namespace: str) -> Manifest:
    """An object that was read from there. Raises ManifestError."""
    try:
        body = msgspec.json.decode(msgspec.json.encode(body))
        read = msgspec.convert(body, _Object)
    except (msgspec.MsgspecError, TypeError) as error:  # TypeError: YAML that has no form in JSON
        raise ManifestError(f"{file}: holds no Kubernetes object: {error}") from error
    ref = Ref(read.metadata.namespace or namespace, read.metadata.name)
    whole = {**body, "metadata": {**body["metadata"], "namespace": ref.namespace}}
    return Manifest(file, read.api_version, read.kind, ref, read.metadata.annotations or {}, whole)


class _Loader(yaml.SafeLoader):
    """Rule 2."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
