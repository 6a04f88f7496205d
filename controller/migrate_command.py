"""`infra-operator migrate`: what another tool holds, as manifests that take it over. Reads a file, asks nobody, changes nothing.

Rules:
1. The manifests are the only thing on the standard output, so that they can be piped; what was left out and what to do first are told beside.
2. A manifest that admission would refuse is printed all the same, and told: what the former owner declared has to be corrected by a person.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
import yaml

from controller.admission import refused_by_models
from controller.manifests import ManifestError, as_manifest, read_objects
from reconcilers.migration import Found, Json, Migration, migration
from reconcilers.migration_ack import from_ack
from reconcilers.migration_crossplane import from_crossplane
from reconcilers.migration_older import from_older_operator
from reconcilers.migration_terraform import NoStateError, from_terraform

ALL, SOME = 0, 2


class Source(StrEnum):
    """The former owner."""

    ACK = "ack"
    CROSSPLANE = "crossplane"
    TERRAFORM = "terraform"
    GO_OPERATOR = "go-operator"


def _terraform(objects: list[Json]) -> Found:
    """A state is one document."""
    found = Found()
    for one in objects:
        found = from_terraform(one)
    return found


TRANSLATORS: dict[Source, Callable[[list[Json]], Found]] = {
    Source.ACK: from_ack,
    Source.CROSSPLANE: from_crossplane,
    Source.TERRAFORM: _terraform,
    Source.GO_OPERATOR: from_older_operator,
}


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the file."""

    migration: Migration

    @property
    def exit_code(self) -> int:
        """0 everything, 2 something was left out."""
        return SOME if self.migration.left_out else ALL

    def as_yaml(self) -> str:
        """The manifests, each a document."""
        return yaml.dump_all(
            self.migration.manifests, Dumper=_Dumper, sort_keys=False, explicit_start=True, width=10_000
        ).rstrip()

    def as_json(self) -> str:
        """The manifests as a List."""
        return msgspec.json.format(
            msgspec.json.encode({"apiVersion": "v1", "kind": "List", "items": self.migration.manifests}), indent=2
        ).decode()

    def told_beside(self) -> list[str]:
        """For people, a line each."""
        left_out = [f"Left out: {one}." for one in self.migration.left_out]
        return [*left_out, *(f"Note: {note}." for note in self.migration.notes)]


def migrate(source: Source, file: str, provider: str | None, namespace: str | None) -> Report:
    """Translates a file; "-" is the standard input. Raises ManifestError."""
    objects = list(read_objects(file))
    try:
        found = TRANSLATORS[source](objects)
    except NoStateError as error:
        raise ManifestError(f"{file}: {error}") from error
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ManifestError(f"{file}: is not in the form of {source}: {type(error).__name__} {error}") from error
    if not (found.keys or found.aliases or found.grants or found.left_out or found.notes):
        raise ManifestError(f"{file}: holds nothing of KMS that {source} manages")
    made = migration(found, provider, namespace)
    return Report(Migration(made.manifests, (*made.left_out, *_refused(file, made.manifests)), made.notes))


def _refused(file: str, manifests: tuple[Json, ...]) -> list[str]:
    """Those that have to be corrected by hand."""
    judged = [as_manifest(file, manifest, "default") for manifest in manifests]
    refusals = [(manifest, refused_by_models(manifest)) for manifest in judged]
    return [
        f"{manifest.kind} {manifest.ref} as printed would be refused: {text.rstrip('.')}" for manifest, text in refusals if text
    ]


class _Dumper(yaml.SafeDumper):
    """Policies of several lines stay readable; no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal values are written out."""
        return data is not ...


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
