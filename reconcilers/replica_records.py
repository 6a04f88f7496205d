"""What the status remembers of the replicas of a key, one record for each region: what it says, and how a call's answer changes it.

Rules:
1. ReplicateKey is written ahead and sent once, one region at a time. KMS makes one replica for each region and gives all the same id, so an
   unanswered call is resolved by a look at that id in that region: while it does not show, nothing is sent until `create_grace` is over.
2. A replica is ours if its owner tags say so, or if they are all missing and KMS has answered our own ReplicateKey for it: some backends drop
   the tags of that call.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from reconcilers.actions import Plan, ReplicateKey
from reconcilers.arns import in_region
from reconcilers.attempts import age
from reconcilers.key_status import KMSKeyStatus, ReplicaStatus
from reconcilers.lag import LAG
from reconcilers.names import OWNER_TAGS
from reconcilers.ownership import owned
from reconcilers.reasons import Reason
from reconcilers.reports import managed
from reconcilers.states import FailureKind, KeyObject, ObservedKey, Operator, Unobservable

Records = tuple[ReplicaStatus, ...]

IS_THERE = "AlreadyExistsException"  # KMS's answer to a ReplicateKey whose replica it does not show yet

# What the status has to hold before a write: the rest of a record is what was seen.
_MEMORY = ("managed", "creation_attempt", "managed_tag_keys", "aliases")


def records_of(key: KeyObject, arn: str | None) -> dict[str, ReplicaStatus]:
    """What the status remembers of the replicas of this very key, by region: the key that it took the place of may have had others."""
    return {one.region: one for one in key.status.replicas if arn is None or one.arn in (None, in_region(arn, one.region))}


def replicated(before: Records, made: ObservedKey, tags: Mapping[str, str]) -> Records:
    """The records once KMS has answered a ReplicateKey."""
    record = _record(before, made.region).model_copy(
        update=shown(made) | {"managed": True, "creation_attempt": None, "managed_tag_keys": managed(tags), "message": None}
    )
    return by_region((*(other for other in before if other.region != made.region), record))


def not_sent(before: Records, region: str) -> Records:
    """The records when it is known that an attempt came to nothing."""
    return tuple(one.model_copy(update={"creation_attempt": None}) if one.region == region else one for one in before)


def unsent(plan: Plan) -> KMSKeyStatus:
    """The status of a plan of which nothing is carried out now: an attempt in it would be taken for a call without an answer."""
    regions = [action.region for action in plan.actions if isinstance(action, ReplicateKey)]
    records = plan.status.replicas
    for region in regions:
        records = not_sent(records, region)
    return plan.status.model_copy(update={"replicas": records}) if regions else plan.status


def is_ours(key: KeyObject, seen: ObservedKey, record: ReplicaStatus, cluster_id: str) -> bool:
    """Rule 2."""
    tagless = not isinstance(seen.tags, Unobservable) and not set(OWNER_TAGS) & set(seen.tags)
    return owned(key, seen, cluster_id) or (record.managed is True and tagless)


def unresolved(key: KeyObject, record: ReplicaStatus, operator: Operator) -> bool:
    """Whether a ReplicateKey was sent whose replica may still show."""
    return record.creation_attempt is not None and sent_since(key, record) < operator.create_grace


def sent_since(key: KeyObject, record: ReplicaStatus) -> timedelta:
    """For how long it has been known that a ReplicateKey may have been sent."""
    return age(key.ages, record.creation_attempt, record.region)


def passes(why: Unobservable) -> bool:
    """Whether what keeps a replica from being seen is over by itself: nobody has to mend anything."""
    failure = why.failure
    return why.reason is Reason.KEY_NOT_USABLE_YET or (
        failure is not None
        and (failure.kind in (FailureKind.RETRY, FailureKind.UNKNOWN_RESULT) or failure.code == IS_THERE)
    )


def is_new(record: ReplicaStatus, now: datetime) -> bool:
    """Whether KMS answered for this replica so lately that it may not show it everywhere."""
    return bool(record.managed) and record.creation_date is not None and now - record.creation_date < LAG


def shows_no_tags_yet(key: KeyObject, record: ReplicaStatus, seen: ObservedKey) -> bool:
    """A replica of our own attempt, without the tags that it was made with."""
    tagless = isinstance(seen.tags, Mapping) and not set(OWNER_TAGS) & set(seen.tags)
    return tagless and record.creation_attempt is not None and sent_since(key, record) < LAG


def shown(seen: ObservedKey) -> dict[str, Any]:
    """What a record tells of the replica itself."""
    return {
        "arn": seen.arn,
        "key_state": seen.state,
        "ready": seen.state == "Enabled",
        "creation_date": seen.creation_date,
    }


def by_region(records: Iterable[ReplicaStatus | None]) -> Records:
    """In the order in which the status has them; None: nothing is remembered of a region."""
    return tuple(sorted((record for record in records if record is not None), key=lambda record: record.region))


def memories(records: Records) -> list[Any]:
    """What must be stored before a write."""
    return [(record.region, *(getattr(record, name) for name in _MEMORY)) for record in records]


def _record(records: Records, region: str) -> ReplicaStatus:
    return next((record for record in records if record.region == region), ReplicaStatus(region=region))
