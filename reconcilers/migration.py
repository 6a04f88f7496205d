"""Keys that somebody else manages so far, as the manifests that take them over.

A translator (migration_*.py) finds keys, aliases and grants in what the former owner wrote down; here they become KMSKeys with spec.adopt,
and what hangs on one of these keys becomes part of its spec. What hangs on any other key becomes a KMSAlias or KMSGrant.

Rules:
1. A key is named by its ARN where that is known: a provider that leads elsewhere is then refused, and not asked for a key of the same id.
2. Nothing is made up: what the former owner did not say is left out, and stays as it is on the key.
3. Every key is printed with deletionPolicy Retain: until its user has thought about it, no manifest that is removed may cost data.
4. What cannot be taken over is told, and why; nothing is dropped without a word.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconcilers.arns import id_of
from reconcilers.names import API_VERSION

Json = dict[str, Any]

NAME_LIMIT = 63
KEY_ARN: Final = re.compile(r"^arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):key/(?P<id>[A-Za-z0-9-]+)$")
KEY: Final = re.compile(rf"{KEY_ARN.pattern}|^[A-Za-z0-9-]+$")
ROLE: Final = re.compile(r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/")


@dataclass(frozen=True, slots=True)
class FoundKey:
    """where: how the former owner calls it; spec: fields of a KMSKey's; called: by what aliases and grants refer to it, beside id and ARN."""

    where: str
    name: str
    namespace: str | None
    key_id: str | None
    arn: str | None
    spec: Mapping[str, Any]
    called: str | None = None


@dataclass(frozen=True, slots=True)
class FoundPart:
    """An alias (spec: its name) or a grant (spec: as in a KMSKey's grants). target: id, ARN, or what a FoundKey is called by."""

    where: str
    name: str
    namespace: str | None
    target: str | None
    spec: Mapping[str, Any]


@dataclass(slots=True)
class Found:
    """What a translator has found. left_out: with the reason; notes: what has to be done at the former owner's first."""

    keys: list[FoundKey] = field(default_factory=list)
    aliases: list[FoundPart] = field(default_factory=list)
    grants: list[FoundPart] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Migration:
    """The manifests, what is not among them, and what to think of."""

    manifests: tuple[Json, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def migration(found: Found, provider: str | None, namespace: str | None) -> Migration:
    """The manifests for what was found. provider: the AWSProvider that they name; namespace: of those that name none."""
    press = _Press(provider, namespace)
    by_name: dict[str, Json] = {}
    keys, left_out = [], list(found.left_out)
    for key in found.keys:
        if not (key.arn or key.key_id):
            left_out.append(f"{key.where}: it says neither an ARN nor an id of a key: it has made none yet")
            continue
        keys.append(press.key(key))
        by_name |= dict.fromkeys(_called(key), keys[-1])
    parts: list[Json] = []
    for kind, part in (*(("KMSAlias", one) for one in found.aliases), *(("KMSGrant", one) for one in found.grants)):
        problem = _unusable(kind, part, by_name)
        if problem:
            left_out.append(f"{part.where}: {problem}")
        elif part.target in by_name:
            _join(kind, part, by_name[part.target])
        else:
            parts.append(press.part(kind, part))
    return Migration((*keys, *parts), tuple(left_out), (*found.notes, *_places(keys)))


def declared(**fields: Any) -> Json:
    """Those that say something: neither None nor empty. False says something."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], {})}


def tags(given: Mapping[str, str] | None, *others: str) -> Json:
    """Without AWS's own tags, and those of the others' prefixes, which they put on for themselves."""
    return {key: value for key, value in (given or {}).items() if not key.lower().startswith(("aws:", *others))}


def rotation(enabled: bool | None, period: int | None) -> Json:
    """A period says something of a key that rotates only."""
    return declared(enableKeyRotation=enabled, rotationPeriodInDays=(period or None) if enabled else None)


def window(days: int | None) -> Json:
    """Others take 0 for unset."""
    return declared(pendingWindowInDays=days or None)


def grant(principal: str | None, operations: Iterable[str] | None, **more: Any) -> Json:
    """As a KMSKey has it; an IAM role is written as such."""
    is_role = bool(principal and ROLE.match(principal))
    grantee = {"granteeRoleArn" if is_role else "granteePrincipal": principal}
    return declared(**grantee, operations=sorted(operations or ()), **more)


def slug(text: str) -> str:
    """A name for an object, made of any text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:NAME_LIMIT].strip("-") or "key"


def _called(key: FoundKey) -> Iterable[str]:
    names = (key.arn, key.key_id, id_of(key.arn) if key.arn else None, key.called)
    return (name for name in names if name)


def _unusable(kind: str, part: FoundPart, keys: Mapping[str, Json]) -> str | None:
    """Why nothing can be made of an alias or a grant."""
    if kind == "KMSGrant" and "name" not in part.spec:
        return "the grant has no name, by which it could be known again. Declare a KMSGrant, which makes a new one, and revoke this one then"
    if part.target not in keys and not (part.target and KEY.match(part.target)):
        return "the key that it is for is not among these"
    return None


def _join(kind: str, part: FoundPart, key: Json) -> None:
    """It becomes part of its key."""
    if kind == "KMSAlias":
        key["spec"].setdefault("aliases", []).append(part.spec["aliasName"])
    else:
        key["spec"].setdefault("grants", []).append(dict(part.spec))


class _Press:
    """Makes objects, of which no two have one name."""

    def __init__(self, provider: str | None, namespace: str | None) -> None:
        self._provider = {"providerRef": {"name": provider}} if provider else {}
        self._namespace = namespace
        self._names = Counter[tuple[str, str | None, str]]()

    def key(self, key: FoundKey) -> Json:
        """A KMSKey that adopts."""
        adopt = {"arn": key.arn} if key.arn and KEY_ARN.match(key.arn) else {"keyId": key.key_id}
        return self._object("KMSKey", key.name, key.namespace, {"adopt": adopt, **key.spec})

    def part(self, kind: str, part: FoundPart) -> Json:
        """A KMSAlias or KMSGrant on a key that no object here has."""
        return self._object(kind, part.name, part.namespace, {"targetKeyId": part.target, **part.spec})

    def _object(self, kind: str, name: str, namespace: str | None, spec: Json) -> Json:
        namespace, name = namespace or self._namespace, slug(name)
        self._names[kind, namespace, name] += 1
        count = self._names[kind, namespace, name]
        metadata = {"name": name if count == 1 else f"{name}-{count}", **({"namespace": namespace} if namespace else {})}
        whole = {**self._provider, **spec, "deletionPolicy": "Retain"}  # rule 3
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": whole}


def _places(keys: Iterable[Json]) -> Iterable[str]:
    """For each account and region: whom these keys need."""
    arns = (KEY_ARN.match(key["spec"]["adopt"].get("arn", "")) for key in keys)
    counts = Counter((found["account"], found["region"]) for found in arns if found)
    for (account, region), count in sorted(counts.items()):
        yield f"{count} of these keys need an AWSProvider that leads to account {account}, region {region}"
