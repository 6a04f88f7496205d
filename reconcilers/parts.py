"""The fields of a key that can drift, each as it is wanted beside what was seen: whether both agree, and both values in words.

Rules:
1. A field is a name that spec.ignoreDrift knows; tags are one field each, all aliases are one, and so are all grants.
2. What was not asked for or could not be read is not judged. While a key is pending deletion only that is judged.
3. Whether values agree is decided where they are written (repairs, aliases, grants, policies), so that nothing counts as different that is
   not written, and nothing is written that does not count.
4. The words are for a status that everybody may read: short, a policy as a fingerprint only.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconcilers.aliases import on_key, targets
from reconcilers.grants import digest as grant_digest
from reconcilers.grants import missing_grants
from reconcilers.key_status import KMSKeyStatus
from reconcilers.policies import digest as policy_digest
from reconcilers.policies import summary
from reconcilers.policy_forms import policy_agrees
from reconcilers.repairs import PENDING_DELETION, UNSETTLED, rotation_differs
from reconcilers.states import ObservedKey, Rotation, Unobservable, Wanted

DELETION_STATE = "deletionState"
ABSENT = "(absent)"
LONGEST_VALUE = 128  # enough to know it again

Judged = tuple[str, bool, str, str]  # field, whether it agrees, the wanted value, the actual one


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a key. digest: of the wanted value, the same for ever."""

    field: str
    digest: str
    agrees: bool
    expected: str
    actual: str


def parts(wanted: Wanted, seen: ObservedKey, memory: KMSKeyStatus, wishes: Mapping[str, str]) -> tuple[Part, ...]:
    """The fields that can be judged by what was seen. memory: the status, which tells our grants by their ids; wishes: as wished() has it."""
    judged = _judged(wanted, seen, memory)
    return tuple(Part(field, wishes[field], agrees, _short(expected), _short(actual)) for field, agrees, expected, actual in judged)


def wished(wanted: Wanted, seen: ObservedKey) -> dict[str, str]:
    """A digest of the wanted value of each field that is managed."""
    wishes: dict[str, object] = {
        DELETION_STATE: "kept",
        "enabled": wanted.enabled,
        "description": wanted.description,
        "rotation": [wanted.rotation_enabled, wanted.rotation_period_in_days],
        "aliases": sorted(wanted.aliases),
        "grants": sorted(grant_digest(grant) for grant in wanted.grants),
        **{f"tags.{tag}": value for tag, value in wanted.tags.items()},
    }
    found = {field: _digest(wish) for field, wish in wishes.items() if wish != []}
    return found if wanted.policy is None else found | {"policy": policy_digest(wanted.policy, seen.partition)}


def _judged(wanted: Wanted, seen: ObservedKey, memory: KMSKeyStatus) -> Iterator[Judged]:
    if seen.state in UNSETTLED:
        return
    if seen.state in PENDING_DELETION:
        yield DELETION_STATE, False, "kept", seen.state
        return
    yield DELETION_STATE, True, "kept", "kept"
    if seen.state in ("Enabled", "Disabled"):
        yield "enabled", (seen.state == "Enabled") is wanted.enabled, _yes(wanted.enabled), _yes(seen.state == "Enabled")
    yield "description", wanted.description == seen.description, wanted.description or ABSENT, seen.description or ABSENT
    if wanted.policy is not None and isinstance(seen.policy, str):
        yield "policy", policy_agrees(wanted, seen, memory.policy), summary(wanted.policy), summary(seen.policy)
    if isinstance(seen.rotation, Rotation):
        wanted_rotation = Rotation(wanted.rotation_enabled, wanted.rotation_period_in_days)
        yield "rotation", not rotation_differs(wanted, seen), _rotation(wanted_rotation), _rotation(seen.rotation)
    yield from _tags(wanted, seen)
    if wanted.aliases and not isinstance(seen.aliases, Unobservable):
        yield "aliases", wanted.aliases <= on_key(seen), ", ".join(sorted(wanted.aliases)), _aliases(wanted, seen)
    if wanted.grants and not isinstance(seen.grants, Unobservable):
        missing = [grant.name for grant in missing_grants(wanted, seen, memory.grants)]
        yield "grants", not missing, ", ".join(grant.name for grant in wanted.grants), ", ".join(f"{name} {ABSENT}" for name in missing)


def _tags(wanted: Wanted, seen: ObservedKey) -> Iterator[Judged]:
    if not isinstance(seen.tags, Unobservable):
        for tag, value in sorted(wanted.tags.items()):
            yield f"tags.{tag}", seen.tags.get(tag) == value, value, seen.tags.get(tag, ABSENT)


def _aliases(wanted: Wanted, seen: ObservedKey) -> str:
    lost = {alias: targets(seen).get(alias) for alias in sorted(wanted.aliases - on_key(seen))}
    return ", ".join(f"{alias} leads to {key}" if key else f"{alias} {ABSENT}" for alias, key in lost.items())


def _rotation(rotation: Rotation) -> str:
    if not rotation.enabled:
        return "off"
    return f"every {rotation.period_in_days} days" if rotation.period_in_days else "on"


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _short(value: str) -> str:
    return value if len(value) <= LONGEST_VALUE else f"{value[: LONGEST_VALUE - 1]}…"


def _digest(wish: object) -> str:
    return hashlib.sha256(json.dumps(wish).encode()).hexdigest()[:12]
