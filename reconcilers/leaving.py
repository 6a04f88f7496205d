"""The replicas of a key whose object is deleted: each goes the way of the key, before the key itself.

Rules:
1. What is ours is disposed of in every region that can be seen, whatever the others do. The object stays while a region cannot be seen that may
   hold a replica of ours, or while a ReplicateKey may still show its result.
2. A replica that is not ours, or was let go of before, is left alone and holds up nobody: KMS keeps the key pending until that one is gone too.
"""

from dataclasses import dataclass, field
from datetime import datetime

from reconcilers.actions import KeyAction
from reconcilers.aliases import hidden
from reconcilers.disposal import disposal
from reconcilers.fields import DeletionPolicy
from reconcilers.key_status import ReplicaStatus
from reconcilers.materials import to_destroy
from reconcilers.ownership import claimable
from reconcilers.repairs import UNSETTLED
from reconcilers.replica_records import is_new, is_ours, passes, records_of, shows_no_tags_yet, unresolved
from reconcilers.replica_wishes import asked_of_replica
from reconcilers.states import KeyObject, Missing, ObservedKey, Operator, Unobservable
from reconcilers.wanted import window_in_days


@dataclass(frozen=True, slots=True)
class Leaving:
    """due: the writes of all regions; waits: what passes within seconds; unseen: what nobody knows how long it lasts; blocked: what somebody
    has to mend.
    """

    due: list[KeyAction] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)


def leaving(key: KeyObject, seen: ObservedKey | Missing, policy: DeletionPolicy, operator: Operator, now: datetime) -> Leaving:
    """What has to become of the replicas before the object may go."""
    all_of_them = Leaving()
    records = records_of(key, key.status.key_arn if isinstance(seen, Missing) else seen.arn)
    for region in sorted({*seen.replicas, *records}):
        record = records.get(region, ReplicaStatus(region=region))
        there = seen.replicas.get(region, Missing(seen.key_id))
        match there:
            case Missing():
                if unresolved(key, record, operator):
                    all_of_them.waits.append(f"ReplicateKey to {region} was sent and its answer lost: looking for the replica.")
                elif is_new(record, now):
                    all_of_them.waits.append(f"KMS does not show the new replica in {region} everywhere yet.")
            case Unobservable():
                if _may_be_ours(record) and not (isinstance(seen, Missing) and _was_never_there(record)):
                    unseen = all_of_them.unseen if passes(there) else all_of_them.blocked
                    unseen.append(f"The replica in {region} cannot be seen: {there.message}")
            case ObservedKey() if shows_no_tags_yet(key, record, there) and not is_ours(key, there, record, operator.cluster_id):
                all_of_them.waits.append(f"KMS does not show the tags of the new replica in {region} yet.")
            case ObservedKey() if _may_be_ours(record):
                _leave(key, there, record, policy, operator, all_of_them)
    return all_of_them


def _leave(
    key: KeyObject, there: ObservedKey, record: ReplicaStatus, policy: DeletionPolicy, operator: Operator, all_of_them: Leaving
) -> None:
    frees_aliases = policy is not DeletionPolicy.DISABLE_KEY
    for part in (there.tags, there.aliases if frees_aliases else None):
        if isinstance(part, Unobservable):
            all_of_them.blocked.append(f"The replica in {there.region} cannot be judged: {part.message}")
            return
    if not (is_ours(key, there, record, operator.cluster_id) or claimable(key, there, operator.cluster_id)):
        return
    if there.state in UNSETTLED:
        all_of_them.waits.append(f"KMS reports the replica in {there.region} as {there.state}; this passes within seconds.")
        return
    declared = next((one for one in key.spec.replicas or () if one.region == there.region), None)
    aliases = asked_of_replica(key, declared, record).aliases
    if frees_aliases and (late := hidden(key, there, aliases)):
        names = ", ".join(late)
        all_of_them.waits.append(f"KMS does not show {names} in {there.region} everywhere yet, which is to be freed with the replica.")
        return
    if policy is DeletionPolicy.FORCE_DELETE:
        all_of_them.due.extend(to_destroy(there))
    all_of_them.due.extend(disposal(there, policy, aliases, window_in_days(key, policy, there.region)))


def _was_never_there(record: ReplicaStatus) -> bool:
    """Whether the region was only asked for. A key that is there lists its replicas itself; of one that is gone there are the records alone."""
    return not record.managed and record.arn is None and record.creation_attempt is None


def _may_be_ours(record: ReplicaStatus) -> bool:
    return record.managed is not False or record.creation_attempt is not None
