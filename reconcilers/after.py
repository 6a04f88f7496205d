"""What is known of a key after an action, from the action and its answer: what was just told is not read again.

`after` is how a pass goes on without a second look: it plans again from the result, as if it had observed it. Where an answer says less than
an observation would, the unknown is left as it was or becomes None; nothing is made up.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, assert_never

from reconcilers.actions import (
    AliasChange,
    CancelKeyDeletion,
    CreateAlias,
    CreateGrant,
    DeleteImportedKeyMaterial,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    GrantChange,
    KeyAction,
    KeyChange,
    PutKeyPolicy,
    RotateKeyOnDemand,
    ScheduleKeyDeletion,
    TagResource,
    UntagResource,
    UpdateKeyDescription,
)
from reconcilers.aliases import targets
from reconcilers.arns import region_of
from reconcilers.grants import found_grants
from reconcilers.states import Grant, ObservedKey, Rotation, Unobservable


def after(seen: ObservedKey, action: KeyAction, answer: Mapping[str, Any]) -> ObservedKey:
    """The key as it is once KMS has answered the action, which may be about its replica in another region."""
    if region_of(action.key) != seen.region:
        return with_replica(seen, after(subject(seen, action), action, answer))
    if isinstance(action, AliasChange):
        return replace(seen, aliases=_aliases(seen, action))
    if isinstance(action, GrantChange):
        return replace(seen, grants=_grants(seen, action, answer))
    return _changed(seen, action, answer)


def subject(seen: ObservedKey, action: KeyAction) -> ObservedKey:
    """What the action is about: the key, or its replica in another region."""
    region = region_of(action.key)
    there = seen if region == seen.region else seen.replicas[region]
    assert isinstance(there, ObservedKey)  # no plan writes to a replica that was not seen
    return there


def confirmed(seen: ObservedKey, action: KeyAction) -> ObservedKey:
    """The key once KMS has said itself that the state of what the action is about is as it was read."""
    there = replace(subject(seen, action), state_is_answered=True)
    return there if there.region == seen.region else with_replica(seen, there)


def still_answered(seen: ObservedKey, ended: Collection[str]) -> ObservedKey:
    """The key as it was read, where an earlier pass has KMS's own word for the states of these ARNs."""
    replicas = seen.replicas.items()
    there = {region: still_answered(one, ended) if isinstance(one, ObservedKey) else one for region, one in replicas}
    return replace(seen, state_is_answered=seen.arn in ended, replicas=there)


def with_replica(seen: ObservedKey, replica: ObservedKey) -> ObservedKey:
    """The key once it is in a further region."""
    return replace(seen, replicas={**seen.replicas, replica.region: replica})


def _changed(seen: ObservedKey, action: KeyChange, answer: Mapping[str, Any]) -> ObservedKey:
    match action:
        case EnableKey():
            return replace(seen, state="Enabled")
        case DisableKey():
            return replace(seen, state="Disabled", state_is_answered=True)
        case CancelKeyDeletion():
            return replace(seen, state="Disabled", deletion_date=None)
        case PutKeyPolicy(policy=policy):
            return replace(seen, policy=policy, replaced_policy=seen.policy if isinstance(seen.policy, str) else None)
        case UpdateKeyDescription(description=description):
            return replace(seen, description=description)
        case TagResource(tags=tags):
            return replace(seen, tags={**_tags(seen), **tags})
        case UntagResource(tag_keys=gone):
            return replace(seen, tags={key: value for key, value in _tags(seen).items() if key not in gone})
        case EnableKeyRotation() | DisableKeyRotation() | RotateKeyOnDemand():
            return replace(seen, rotation=_rotation(seen, action))
        case DeleteImportedKeyMaterial():
            return replace(seen, state=seen.state if seen.deletion_date else "PendingImport", has_imported_material=False)
        case ScheduleKeyDeletion():
            state, date = answer.get("KeyState", "PendingDeletion"), answer.get("DeletionDate")
            return replace(seen, state=state, deletion_date=date, state_is_answered=True)
        case _:
            assert_never(action)


def _aliases(seen: ObservedKey, action: AliasChange) -> Mapping[str, str]:
    others = {name: key for name, key in targets(seen).items() if name != action.alias}
    return {**others, action.alias: seen.arn} if isinstance(action, CreateAlias) else others


def _grants(seen: ObservedKey, action: GrantChange, answer: Mapping[str, Any]) -> Mapping[str, Grant | None]:
    """An answer that is only imagined has no id: the name will do."""
    if isinstance(action, CreateGrant):
        return {**found_grants(seen), answer.get("GrantId", action.grant.name): action.grant}
    return {**found_grants(seen), action.grant_id: None}


def _tags(seen: ObservedKey) -> Mapping[str, str]:
    return {} if isinstance(seen.tags, Unobservable) else seen.tags


def _rotation(seen: ObservedKey, action: EnableKeyRotation | DisableKeyRotation | RotateKeyOnDemand) -> Rotation:
    match action:
        case EnableKeyRotation(period_in_days=period):
            return Rotation(True, period or _period(seen))
        case DisableKeyRotation():
            return Rotation(False)
        case RotateKeyOnDemand(attempt=attempt):
            now = seen.rotation if isinstance(seen.rotation, Rotation) else Rotation(False)
            return replace(now, on_demand_started=attempt.time)


def _period(seen: ObservedKey) -> int | None:
    """Enabling keeps the period of a key that rotates already; what KMS chooses for any other is seen at the next look."""
    now = seen.rotation
    return now.period_in_days if isinstance(now, Rotation) and now.enabled else None
