"""From a key as it is to the key as it shall be: one small rule for each fact, in the order in which KMS takes the writes.

Rules:
1. The order is EnableKey, policy, description, tags, rotation, grants, aliases, and DisableKey last: the policy may allow what
   the later calls need, and a disabled key refuses rotation and grants. A key pending deletion is first taken back; the rest follows when
   that has been seen.
2. A rule looks at what was seen and at nothing that another rule plans. What has to wait for an action of this round is found again in the
   next one.
3. A field that could not be read is not written: the caller says so in a condition.

Key states: "Key states of AWS KMS keys" in the KMS developer guide.
"""

from collections.abc import Callable, Iterable

from reconcilers.actions import (
    CancelKeyDeletion,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    KeyAction,
    PutKeyPolicy,
    TagResource,
    UntagResource,
    UpdateKeyDescription,
)
from reconcilers.aliases import alias_changes
from reconcilers.fields import MAX_TAGS
from reconcilers.grants import grant_changes
from reconcilers.key_status import KMSKeyStatus
from reconcilers.names import OWNER_TAGS
from reconcilers.policy_forms import policy_agrees
from reconcilers.states import ObservedKey, Rotation, Unobservable, Wanted

PENDING_DELETION = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
UNSETTLED = frozenset({"Creating", "Updating"})  # pass by themselves within seconds, and refuse writes meanwhile

Rule = Callable[[Wanted, ObservedKey, KMSKeyStatus], Iterable[KeyAction]]


def repairs(wanted: Wanted, seen: ObservedKey, memory: KMSKeyStatus) -> tuple[KeyAction, ...]:
    """The writes that are due now, in order. memory: the status, which tells what is ours to remove."""
    if seen.state in UNSETTLED:
        return ()
    if seen.state in PENDING_DELETION:
        return (CancelKeyDeletion(seen.arn),)
    return tuple(action for rule in _RULES for action in rule(wanted, seen, memory))


def rotation_differs(wanted: Wanted, seen: ObservedKey) -> bool:
    """Rotation is not as it is wanted, whether or not it can be changed now."""
    return bool(_rotation_change(wanted, seen))


def rotation_waits(wanted: Wanted, seen: ObservedKey) -> bool:
    """Rotation differs, and cannot be changed because the key is disabled and shall stay so."""
    return seen.state == "Disabled" and not wanted.enabled and rotation_differs(wanted, seen)


def _enable(wanted: Wanted, seen: ObservedKey, _memory: KMSKeyStatus) -> Iterable[KeyAction]:
    if wanted.enabled and seen.state == "Disabled":
        yield EnableKey(seen.arn)


def _policy(wanted: Wanted, seen: ObservedKey, memory: KMSKeyStatus) -> Iterable[KeyAction]:
    if wanted.policy is not None and not policy_agrees(wanted, seen, memory.policy):
        yield PutKeyPolicy(seen.arn, wanted.policy, wanted.bypass_policy_lockout_safety_check)


def _description(wanted: Wanted, seen: ObservedKey, _memory: KMSKeyStatus) -> Iterable[KeyAction]:
    if wanted.description != seen.description:
        yield UpdateKeyDescription(seen.arn, wanted.description)


def _tags(wanted: Wanted, seen: ObservedKey, memory: KMSKeyStatus) -> Iterable[KeyAction]:
    if isinstance(seen.tags, Unobservable):
        return
    missing = {key: value for key, value in wanted.tags.items() if seen.tags.get(key) != value}
    gone = (key for key in memory.managed_tag_keys if key in seen.tags and key not in wanted.tags)
    stale = tuple(sorted(key for key in gone if _ours_to_remove(key)))
    add: list[KeyAction] = [TagResource(seen.arn, missing)] if missing else []
    remove: list[KeyAction] = [UntagResource(seen.arn, stale)] if stale else []
    # Access by tags shall have no gap, so tags are set first; but a full key takes no new ones.
    full = len({*seen.tags, *missing}) > MAX_TAGS
    yield from [*remove, *add] if full else [*add, *remove]


def _ours_to_remove(tag_key: str) -> bool:
    """Whatever a status says: the owner tags stay, and AWS's own tags are AWS's."""
    return tag_key not in OWNER_TAGS and not tag_key.lower().startswith("aws:")


def _rotation(wanted: Wanted, seen: ObservedKey, _memory: KMSKeyStatus) -> Iterable[KeyAction]:
    return _rotation_change(wanted, seen) if seen.state == "Enabled" else ()


def _grants(wanted: Wanted, seen: ObservedKey, memory: KMSKeyStatus) -> Iterable[KeyAction]:
    return grant_changes(wanted, seen, memory.grants)


def _aliases(wanted: Wanted, seen: ObservedKey, memory: KMSKeyStatus) -> Iterable[KeyAction]:
    return alias_changes(wanted, seen, memory.aliases)


def _disable(wanted: Wanted, seen: ObservedKey, _memory: KMSKeyStatus) -> Iterable[KeyAction]:
    if not wanted.enabled and seen.state == "Enabled":
        yield DisableKey(seen.arn)


def _rotation_change(wanted: Wanted, seen: ObservedKey) -> tuple[KeyAction, ...]:
    """An absent period is unknown, which is not a difference: some backends never tell it."""
    is_now = seen.rotation
    if not isinstance(is_now, Rotation):
        return ()
    if is_now.enabled and not wanted.rotation_enabled:
        return (DisableKeyRotation(seen.arn),)
    period = wanted.rotation_period_in_days
    other_period = None not in (period, is_now.period_in_days) and period != is_now.period_in_days
    if wanted.rotation_enabled and (not is_now.enabled or other_period):
        return (EnableKeyRotation(seen.arn, period),)
    return ()


_RULES: tuple[Rule, ...] = (_enable, _policy, _description, _tags, _rotation, _grants, _aliases, _disable)
