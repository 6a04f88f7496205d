"""What the operator would do for an object, to the end: plan, carry out in thought, plan again, until nothing is left.

Rules:
1. The planner is the one that also acts, and `after` folds each action into what was seen, as in a real pass. So what follows from an action
   is foretold too: the rotation of a key that does not exist yet.
2. AWS is taken to agree with everything, and to answer nothing that we do not know: a key that is still to be made has the id NOT_YET.
3. An action that lets the object go is the last one.

Not promised: that it comes out like this. AWS may refuse, and whoever else writes may be faster. A key pending deletion does not show its
rotation, and the aliases of a new key are taken to be free: both show only when it comes to that.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from reconcilers.actions import (
    Action,
    AddFinalizer,
    CreateKey,
    DeleteExport,
    ForgetReplica,
    KeyAction,
    RecordKey,
    RemoveFinalizer,
    ReplicateKey,
    WriteExport,
)
from reconcilers.after import after, confirmed, subject, with_replica
from reconcilers.arns import in_region
from reconcilers.disposal import asks_for_proof
from reconcilers.exports import public_key_is_needed
from reconcilers.key_status import KMSKeyStatus
from reconcilers.kmskey import plan_kmskey
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.reasons import Reason
from reconcilers.replica_fields import MAX_REPLICAS
from reconcilers.states import (
    OWN_MATERIAL,
    Account,
    ExportedObject,
    KeyObject,
    ObservedKey,
    Operator,
    Owner,
    Rotation,
    Seen,
    Unobservable,
)

NOT_YET = "(known after creation)"
# In place of an account, where the plan does not depend on it.
NOT_NEEDED = Unobservable(Reason.PROVIDER_NOT_RESOLVED, "The provider was not looked for.")
# Twice as many as the longest known path has: take back, claim, enable, rotate; and one for each replica. More would be a planner that runs
# in circles.
MAX_ROUNDS = 16 + MAX_REPLICAS


@dataclass(frozen=True, slots=True)
class Forecast:
    """All actions in order, and the status that the object would have after them."""

    actions: tuple[Action, ...]
    status: KMSKeyStatus

    @property
    def lets_go(self) -> bool:
        """Whether the object would be gone."""
        return bool(self.actions) and isinstance(self.actions[-1], RemoveFinalizer)


def forecast(key: KeyObject, account: Account | Unobservable, seen: Seen, operator: Operator, now: datetime) -> Forecast:
    """Takes what plan_kmskey takes. Raises RuntimeError if the plan does not come to an end."""
    done: list[Action] = []
    for _ in range(MAX_ROUNDS):
        if isinstance(seen, ObservedKey) and public_key_is_needed(key, seen):
            seen = replace(seen, public_key=NOT_YET)
        plan = plan_kmskey(key, account, seen, operator, now)
        done += (action for action in plan.actions if not _only_asks(action, seen))
        if not plan.actions or plan.is_last:
            return Forecast(tuple(done), plan.status)
        if plan.write_ahead:
            key = replace(key, status=plan.status)
        for action in plan.actions:
            key, seen = _imagine(key, account, seen, action)
    raise RuntimeError(f"the plan does not come to an end: {[action.told for action in done]}")


def _only_asks(action: Action, seen: Seen) -> bool:
    """Whether nothing will come of it but KMS's word that the key is as it was read."""
    return isinstance(action, KeyAction) and isinstance(seen, ObservedKey) and asks_for_proof(action, subject(seen, action))


def _imagine(key: KeyObject, account: Account | Unobservable, seen: Seen, action: Action) -> tuple[KeyObject, Seen]:
    """Object and key after one action that is not the last."""
    match action:
        case AddFinalizer():
            return replace(key, finalizers=(*key.finalizers, KMSKEY_FINALIZER)), seen
        case RemoveFinalizer():
            return replace(key, finalizers=tuple(name for name in key.finalizers if name != KMSKEY_FINALIZER)), seen
        case RecordKey(found=found):
            return key, found
        case WriteExport(place=place, data=data):
            written = ExportedObject(NOT_YET, NOT_YET, (Owner("KMSKey", key.name, key.uid),), data)
            return replace(key, exports={**key.exports, place: written}), seen
        case DeleteExport(place=place):
            return replace(key, exports={**key.exports, place: None}), seen
        case CreateKey():
            assert isinstance(account, Account)  # no key is made without one
            return key, _made(action, account)
        case ReplicateKey():
            assert isinstance(seen, ObservedKey)  # no plan replicates a key that was not seen
            return key, with_replica(seen, _replica(action, seen))
        case ForgetReplica():
            return key, seen
        case _:
            assert isinstance(seen, ObservedKey)  # no plan writes to a key that was not seen
            if _only_asks(action, seen):
                return key, confirmed(seen, action)
            return key, after(seen, action, {})


def _replica(action: ReplicateKey, seen: ObservedKey) -> ObservedKey:
    return replace(
        seen,
        arn=in_region(seen.arn, action.region),
        region=action.region,
        description=action.description,
        creation_date=action.attempt.time,
        tags=action.tags,
        policy=action.policy,
        rotation=None,
        aliases={},
        grants=None,
        multi_region_key_type="REPLICA",
        replicas={},
    )


def _made(create: CreateKey, account: Account) -> ObservedKey:
    """The key as an observation would show it. Its partition is not known here, and no rule asks for that of a new key."""
    return ObservedKey(
        key_id=NOT_YET,
        arn=f"arn:aws:kms:{account.region}:{account.account_id}:key/{NOT_YET}",
        account_id=account.account_id,
        region=account.region,
        state="PendingImport" if create.material.origin == "EXTERNAL" else "Enabled",
        manager="CUSTOMER",
        key_spec=create.key_spec,
        key_usage=create.key_usage,
        origin=create.material.origin,
        multi_region=create.multi_region,
        description=create.description,
        creation_date=create.attempt.time,
        deletion_date=None,
        tags=create.tags,
        policy=create.policy,
        rotation=Rotation(enabled=False) if create.key_spec == "SYMMETRIC_DEFAULT" and create.material == OWN_MATERIAL else None,
        aliases={},
        grants={},
        custom_key_store_id=create.material.custom_key_store_id,
        xks_key_id=create.material.xks_key_id,
        multi_region_key_type="PRIMARY" if create.multi_region else None,
    )
