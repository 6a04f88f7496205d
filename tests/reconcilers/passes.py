"""Whole passes in the pure half: plan, let a KMS that obeys carry it out, fold the answers in, plan again, until nothing is left to do.

`World` is what survives a crash: the object as the API server holds it, and the key as AWS does. `Pass` is what one pass has in hand.
A key in a state in which KMS would refuse the action makes `carry_out` fail: the planner has to know KMS's rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from reconcilers.actions import (
    Action,
    AddFinalizer,
    CancelKeyDeletion,
    CreateAlias,
    CreateGrant,
    CreateKey,
    DeleteAlias,
    DeleteExport,
    DeleteImportedKeyMaterial,
    DisableKey,
    DisableKeyRotation,
    EnableKey,
    EnableKeyRotation,
    ForgetReplica,
    KeyAction,
    Plan,
    PutKeyPolicy,
    RecordKey,
    RemoveFinalizer,
    ReplicateKey,
    RevokeGrant,
    RotateKeyOnDemand,
    ScheduleKeyDeletion,
    TagResource,
    UntagResource,
    UpdateKeyDescription,
    WriteExport,
)
from reconcilers.after import after, confirmed, with_replica
from reconcilers.aliases import on_key, targets
from reconcilers.arns import in_region
from reconcilers.disposal import asks_for_proof
from reconcilers.grants import digest
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmskey import plan_kmskey
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.states import (
    Account,
    ExportedObject,
    KeyObject,
    NotCreated,
    ObservedKey,
    Operator,
    Owner,
    Place,
    Seen,
    Unobservable,
)
from tests.reconcilers.builders import STATES, ages, observed

MAX_ROUNDS = 5  # cancel the deletion, enable, rotate, disable: and nothing is left

_PENDING = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
_UNSETTLED = frozenset({"Creating", "Updating"})

# "Key states of AWS KMS keys": the states in which KMS accepts each write. Creating and Updating accept none.
ACCEPTED: dict[type[KeyAction], frozenset[str]] = {
    CancelKeyDeletion: _PENDING,
    EnableKey: frozenset({"Enabled", "Disabled", "Unavailable"}),
    DisableKey: frozenset({"Enabled", "Disabled", "Unavailable"}),
    PutKeyPolicy: frozenset(STATES) - _UNSETTLED,
    UpdateKeyDescription: frozenset(STATES) - _UNSETTLED - _PENDING,
    TagResource: frozenset(STATES) - _UNSETTLED - _PENDING,
    UntagResource: frozenset(STATES) - _UNSETTLED - _PENDING,
    EnableKeyRotation: frozenset({"Enabled"}),
    DisableKeyRotation: frozenset({"Enabled"}),
    RotateKeyOnDemand: frozenset({"Enabled"}),
    CreateAlias: frozenset(STATES) - _UNSETTLED - _PENDING,
    DeleteAlias: frozenset(STATES) - _UNSETTLED,
    CreateGrant: frozenset({"Enabled", "Unavailable"}),
    RevokeGrant: frozenset(STATES) - _UNSETTLED,
    DeleteImportedKeyMaterial: _PENDING | {"Enabled", "Disabled"},
    ScheduleKeyDeletion: frozenset(STATES) - _UNSETTLED - _PENDING,
}


@dataclass(frozen=True)
class World:
    """The object and its key, as they are stored."""

    key: KeyObject
    seen: Seen


@dataclass(frozen=True)
class Around:
    """What a pass is given beside them."""

    account: Account | Unobservable
    operator: Operator
    now: datetime

    def plan(self, world: World) -> Plan:
        """The next plan."""
        return plan_kmskey(replace(world.key, ages=ages(world.key.status, self.now)), self.account, world.seen, self.operator, self.now)


def carry_out(world: World, action: Action) -> World:
    """The world after one action."""
    match action:
        case AddFinalizer():
            return replace(world, key=replace(world.key, finalizers=(*world.key.finalizers, KMSKEY_FINALIZER)))
        case RemoveFinalizer():
            return replace(world, key=replace(world.key, finalizers=()))
        case RecordKey(found=found):
            return replace(world, seen=found)
        case CreateKey():
            return replace(world, seen=_made(action))
        case WriteExport(place=place, data=data):
            owner = Owner("KMSKey", world.key.name, world.key.uid)
            return _exported(world, place, ExportedObject("uid", "2", (owner,), data))
        case DeleteExport(place=place):
            return _exported(world, place, None)
        case ReplicateKey():
            return replace(world, seen=_replicated(world.seen, action))
        case ForgetReplica():
            return world
        case _:
            return replace(world, seen=_changed(world.seen, action))


def steps(world: World, around: Around) -> Iterator[World]:
    """Every world in which a pass may die, in order; the last one is the pass's end, its status reported."""
    if isinstance(world.seen, ObservedKey):  # a new pass has no answers yet
        world = replace(world, seen=replace(world.seen, state_is_answered=False))
    for _ in range(MAX_ROUNDS):
        plan = around.plan(world)
        if plan.write_ahead:
            world = report(world, plan.status)
            yield world
        for action in plan.actions:
            world = carry_out(world, action)
            yield world
        if not plan.actions or KMSKEY_FINALIZER not in world.key.finalizers:
            yield report(world, plan.status)
            return
    raise AssertionError(f"still at it after {MAX_ROUNDS} rounds: {around.plan(world).actions}")


def settle(world: World, around: Around) -> World:
    """The world after a whole pass."""
    *_, last = steps(world, around)
    return last


def report(world: World, status: KMSKeyStatus) -> World:
    """The status as the next pass reads it: it went to the API server as JSON and came back."""
    stored = KMSKeyStatus.model_validate_json(status.model_dump_json(by_alias=True, exclude_none=True))
    return replace(world, key=replace(world.key, status=stored))


def _changed(seen: Seen, action: KeyAction) -> ObservedKey:
    assert isinstance(seen, ObservedKey), f"{action} needs a key, and there is {seen}"
    assert action.key == seen.arn
    assert not isinstance(action, CreateAlias) or action.alias not in targets(seen), f"{action} of an alias that there is already"
    assert not isinstance(action, DeleteAlias) or action.alias in on_key(seen), f"{action} of another key's alias"
    if asks_for_proof(action, seen):
        return confirmed(seen, action)
    assert seen.state in ACCEPTED[type(action)], f"KMS refuses {action} for a key that is {seen.state}"
    return after(seen, action, _answer(action))


def _exported(world: World, place: Place, found: ExportedObject | None) -> World:
    return replace(world, key=replace(world.key, exports={**world.key.exports, place: found}))
def _replicated(seen: Seen, action: ReplicateKey) -> ObservedKey:
    """The key with one replica more, which is as it was asked for."""
    assert isinstance(seen, ObservedKey)
    assert seen.state == "Enabled"
    assert not isinstance(seen.replicas.get(action.region), ObservedKey), f"there is a replica in {action.region} already"
    changes: dict[str, Any] = {"description": action.description, "policy": action.policy, "tags": action.tags, "aliases": {}, "rotation": None}
    elsewhere: dict[str, Any] = {"arn": in_region(seen.arn, action.region), "region": action.region, "replicas": {}}
    return with_replica(seen, replace(seen, multi_region_key_type="REPLICA", **changes, **elsewhere))


def _answer(action: KeyAction) -> dict[str, str]:
    """KMS makes one grant of a name for all that say the same: here its id follows from both."""
    return {"GrantId": f"{action.grant.name}.{digest(action.grant)[:8]}"} if isinstance(action, CreateGrant) else {}


def _made(create: CreateKey) -> ObservedKey:
    """What an observation shows of a key that was made a moment ago."""
    return replace(
        observed(),
        key_spec=create.key_spec,
        key_usage=create.key_usage,
        origin=create.material.origin,
        custom_key_store_id=create.material.custom_key_store_id,
        xks_key_id=create.material.xks_key_id,
        multi_region=create.multi_region,
        description=create.description,
        policy=create.policy,
        tags=create.tags,
        aliases={},
        grants={},
        creation_date=create.attempt.time,
    )


def never_touched(key: KeyObject) -> World:
    """An object that was applied just now."""
    return World(replace(key, finalizers=()), NotCreated())
