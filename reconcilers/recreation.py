"""A lost key and its successor: the one case in which an object gets another key than the one that it remembers.

Rules:
1. A key is lost when KMS says that it does not exist, and is old enough for that to mean something. It is replaced only if the annotation
   `recreate` names its id: so an annotation that stays in a repository of manifests replaces this key, and never the next one.
2. Before that, every key of the account is searched for this object's owner tags: an id that somebody wrote into the status by mistake, or on
   purpose, must not make a second key beside the true one.
3. The new key is written ahead like any other. The status names the lost one until the new one is known, so an attempt beside an id means
   that a replacement is under way, and is searched for like any attempt.
4. It is not replaced while it is still in another region, because somebody moved its primary there: the new key would have its replica there
   instead, and that one would be left behind.
5. A key that shows again is kept, unless its successor was made already.
"""

from datetime import datetime

from reconcilers.key_status import ReplicaStatus
from reconcilers.lag import shows_not_yet
from reconcilers.names import RECREATE_ANNOTATION
from reconcilers.ownership import owned
from reconcilers.reasons import Reason
from reconcilers.repairs import PENDING_DELETION
from reconcilers.replica_records import is_ours
from reconcilers.states import Candidates, KeyObject, Missing, ObservedKey, Problem, Unobservable


def is_replacing(key: KeyObject) -> bool:
    """Whether a CreateKey for the successor of the remembered key may have been sent."""
    return key.status.key_id is not None and key.status.creation_attempt is not None


def may_be_replaced(key: KeyObject) -> bool:
    """Whether the user has named the remembered key as the lost one."""
    return key.status.key_id is not None and key.recreate == key.status.key_id


def to_be_replaced(key: KeyObject, seen: Missing, now: datetime) -> bool:
    """Whether it is time to look whether the object has no other key, and then to make one."""
    return may_be_replaced(key) and not key.deleting and not key.spec.observes and not shows_not_yet(key, seen, now)


def shown_again(key: KeyObject, seen: Candidates, cluster_id: str) -> ObservedKey | None:
    """The key that was thought lost, if it is this object's."""
    ours = (candidate for candidate in seen.keys if owned(key, candidate, cluster_id))
    return next((candidate for candidate in ours if candidate.key_id == key.status.key_id), None)


def left_elsewhere(key: KeyObject, seen: Missing, cluster_id: str) -> tuple[str, ...]:
    """The regions where a lost key still is, or may be (rule 4)."""
    records = {record.region: record for record in key.status.replicas}
    regions = ((region, records.get(region, ReplicaStatus(region=region)), there) for region, there in sorted(seen.replicas.items()))
    return tuple(region for region, record, there in regions if _may_be_there(key, record, there, cluster_id))


def _may_be_there(
    key: KeyObject, record: ReplicaStatus, there: ObservedKey | Missing | Unobservable, cluster_id: str
) -> bool:
    match there:
        case Missing():
            return False
        case ObservedKey() if there.state in PENDING_DELETION:
            return False
        case ObservedKey() if not isinstance(there.tags, Unobservable):
            return is_ours(key, there, record, cluster_id)
        case _:
            return bool(record.managed)


def lost(key: KeyObject, left: tuple[str, ...] = ()) -> Problem:
    """What is told of a lost key. left: left_elsewhere."""
    if left:
        message = (
            f"KMS says that the key {key.status.key_id} does not exist in the provider's region; in {', '.join(left)} it is, or may be, there "
            "still. Until it is deleted there, no new key is made."
        )
        return Problem(Reason.KEY_LOST, message)
    return Problem(
        Reason.KEY_LOST,
        f"KMS says that the key {key.status.key_id} does not exist. It is not replaced, because what it encrypted cannot be read with another "
        f"key. To have a new key all the same: kubectl annotate kmskey -n {key.namespace} {key.name} --overwrite "
        f"{RECREATE_ANNOTATION}={key.status.key_id}",
    )
