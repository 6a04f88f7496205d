"""The aliases of a key: which it shall get, which it shall lose, and which somebody else has.

Rules:
1. An alias that leads to another key is never moved from it, whatever a status says: AliasConflict names that key. One that was moved away
   from our key outside is such an alias too.
2. Ours to remove is an alias that the status remembers, where it is written down before CreateAlias is sent, and that still leads to the
   object's key. When the object goes, those that its spec names are ours as well: a status can get lost. Others on the key are left alone.
3. A key that is deleted frees its aliases first, so that the same object can be made again at once; a key that is only disabled or
   retained keeps them.
4. alias/aws/ is AWS's: never asked about, made or deleted.

Not promised: that nobody moves an alias between our look and our DeleteAlias, which names no key.
"""

from collections.abc import Iterable, Mapping

from reconcilers.actions import AliasChange, CreateAlias, DeleteAlias
from reconcilers.key_fields import AWS_ALIASES, MAX_ALIASES
from reconcilers.reasons import Reason
from reconcilers.states import KeyObject, ObservedKey, Problem, Unobservable, Wanted

PREFIX = "alias/"
ALIAS_ADVICE = "It is never taken from another key: remove it from spec.aliases, or delete the alias in AWS."


def alias_names(aliases: Iterable[str]) -> frozenset[str]:
    """Whole names, with alias/ in front; without AWS's own."""
    whole = (alias if alias.startswith(PREFIX) else PREFIX + alias for alias in aliases)
    return frozenset(name for name in whole if not name.startswith(AWS_ALIASES))


def targets(seen: ObservedKey) -> Mapping[str, str]:
    """Where each alias leads, as far as it was seen."""
    return seen.aliases if isinstance(seen.aliases, Mapping) else {}


def alias_changes(wanted: Wanted, seen: ObservedKey, remembered: Iterable[str]) -> tuple[AliasChange, ...]:
    """The writes that are due, in order. remembered: the aliases that the status holds for ours."""
    if isinstance(seen.aliases, Unobservable):
        return ()
    stale = _led_here(seen, alias_names(remembered) - wanted.aliases)
    missing = sorted(wanted.aliases - set(targets(seen)))
    add = tuple(CreateAlias(seen.arn, alias) for alias in missing)
    remove = tuple(DeleteAlias(seen.arn, alias) for alias in stale)
    # Callers shall find the key by its new name before the old one goes; but a full key takes no new ones.
    full = len(on_key(seen)) + len(missing) > MAX_ALIASES
    return (*remove, *add) if full else (*add, *remove)


def alias_conflict(wanted: Wanted, seen: ObservedKey) -> Problem | None:
    """What is wanted and somebody else's."""
    taken = {alias: key for alias, key in sorted(targets(seen).items()) if alias in wanted.aliases and key != seen.arn}
    if not taken:
        return None
    told = ", ".join(f"{alias} leads to {key}" for alias, key in taken.items())
    return Problem(Reason.ALIAS_CONFLICT, f"{told}. {ALIAS_ADVICE}")


def on_key(seen: ObservedKey) -> frozenset[str]:
    """The aliases that lead to this key."""
    return frozenset(alias for alias, key in targets(seen).items() if key == seen.arn)


def ours_by_spec(key: KeyObject) -> tuple[str, ...]:
    """The aliases that count as the object's own when it goes."""
    return (*(key.spec.aliases or ()), *key.status.aliases)


def hidden(key: KeyObject, seen: ObservedKey, ours: Iterable[str]) -> tuple[str, ...]:
    """Those of our aliases that KMS has made on this key or replica minutes ago, as it has answered, and that do not show yet."""
    late = {name for (arn, name), is_there in key.late_names.items() if arn == seen.arn and is_there}
    return tuple(sorted(alias_names(ours) & late - targets(seen).keys()))


def freed(seen: ObservedKey, ours: Iterable[str]) -> tuple[DeleteAlias, ...]:
    """Those of our aliases that still lead to this key, deleted."""
    return tuple(DeleteAlias(seen.arn, alias) for alias in _led_here(seen, alias_names(ours)))


def _led_here(seen: ObservedKey, aliases: frozenset[str]) -> list[str]:
    return sorted(aliases & on_key(seen))
