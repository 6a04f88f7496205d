"""Taking over a key that was there before its object: whether it may be, and what stays as it is on it.

Rules:
1. A key becomes an object's by the owner tags that we write on it, before anything else is changed. Its id is remembered before that, so
   that an alias which is moved meanwhile does not lead to a second key.
2. Refused are AWS's own keys, those of another account or region, replicas, and keys whose owner tags or whose living object say that they
   are somebody else's. A key whose object is gone, and that was this cluster's, may be adopted under any name.
3. Whoever scheduled a key's deletion may have meant it: it is taken back only for the object of the same name, and else refused.
4. What the spec leaves unset is wanted as it is on the key. Tags, aliases and grants are only added to; policy is managed only if declared.
5. alias/aws/ is never asked about: to describe one that is not in use makes a key.

Not promised: that of two objects that adopt one key at the same moment the first one gets it. The last to write its tags does, and the
other one says KeyNotOwned.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reconcilers.conditions import find
from reconcilers.key_fields import AWS_ALIASES
from reconcilers.materials import material_of
from reconcilers.names import CLUSTER_TAG, OWNER_TAG, OWNER_TAGS
from reconcilers.ownership import belongs
from reconcilers.reasons import Reason
from reconcilers.repairs import PENDING_DELETION
from reconcilers.searches import nothing_was_made
from reconcilers.states import Account, KeyObject, ObservedKey, Offered, Operator, Problem, Rotation, Unobservable, Wanted

# A key or alias that was made a moment ago may not show yet: "seconds" at most times. A second key beside it would be seen and cost, no more.
PATIENCE = timedelta(seconds=30)


def misnamed(key: KeyObject, account: Account, _wanted: Wanted, _operator: Operator) -> Problem | None:
    """A key that cannot be adopted whatever AWS says, so that AWS is not asked."""
    adopt = key.spec.adopt
    if adopt is None:
        return None
    if (adopt.alias_name or "").startswith(AWS_ALIASES):
        return _refused(f"{adopt.alias_name} leads to a key that AWS manages, and nobody else can: name a key of your own")
    if adopt.arn is None:
        return None
    _, _, _, region, account_id, _ = adopt.arn.split(":", 5)
    if account_id != account.account_id:
        return _refused(f"{adopt.arn} is a key of account {account_id}, and the provider leads to {account.account_id}")
    if region != account.region:
        return _refused(f"{adopt.arn} is a key of region {region}, and the provider leads to {account.region}")
    return None


def unfit(found: ObservedKey, *, is_replica: bool) -> Problem | None:
    """A key that no object can have, nor observe."""
    if found.manager != "CUSTOMER":
        return _refused(f"The key {found.key_id} is managed by AWS, and nobody else can manage it: name a key of your own")
    if is_replica:
        return _refused(f"The key {found.key_id} is a replica of a multi-Region key: adopt its primary, in the region of that")
    return None


def objection(key: KeyObject, found: ObservedKey, offered: Offered, cluster_id: str) -> Problem | None:
    """Why this key may not become this object's; None when nothing speaks against it."""
    if isinstance(found.tags, Unobservable):
        return Problem(found.tags.reason, found.tags.message)
    if (problem := unfit(found, is_replica=offered.is_replica)) is not None:
        return problem
    if belongs(key, found, cluster_id):
        return None
    if found.tags.get(CLUSTER_TAG, cluster_id) != cluster_id:
        whose = found.tags.get(OWNER_TAG, "an unnamed object")
        return _refused(
            f"The owner tags of the key {found.key_id} say that it is {whose}'s in another cluster ({found.tags[CLUSTER_TAG]}). If nobody "
            f"there needs it any more, remove the tags {', '.join(OWNER_TAGS)} from the key"
        )
    if offered.holder is not None:
        advice = "One key has one object: delete that one with deletionPolicy Retain first"
        return _refused(f"The key {found.key_id} is {offered.holder}'s. {advice}")
    if found.state in PENDING_DELETION:
        return _refused(f"The deletion of the key {found.key_id} is scheduled, and may be meant: cancel it in AWS first")
    return None


def has_waited(key: KeyObject, operator: Operator, now: datetime) -> bool:
    """Whether the named key has been missing for so long that it does not exist. The status was last written when that was first told."""
    synced, since = find("Synced", key.status.conditions), key.status.last_sync_time
    if synced is None or synced.reason != Reason.ADOPTING or since is None:
        return nothing_was_made(key)
    return now - since >= min(PATIENCE, operator.create_grace)


def was_there_before(key: KeyObject) -> bool:
    """Whether the object took its key over, so that what its spec leaves unset is not its business."""
    return key.spec.adopt is not None or key.status.taken_over is True


def as_it_is(key: KeyObject, wanted: Wanted, seen: ObservedKey) -> Wanted:
    """What the spec of an object that took its key over leaves unset, as it is on the key; any other object's wishes as they are."""
    if not was_there_before(key):
        return wanted
    spec = key.spec
    rotates = isinstance(seen.rotation, Rotation) and seen.rotation.enabled
    has_spec = spec.key_spec is not None or spec.customer_master_key_spec is not None
    left: dict[str, tuple[bool, Any]] = {
        "description": (spec.description is not None, seen.description),
        "enabled": (spec.enabled is not None, seen.state != "Disabled"),
        "rotation_enabled": (spec.enable_key_rotation is not None, rotates),
        "key_spec": (has_spec, seen.key_spec),
        "key_usage": (spec.key_usage is not None, seen.key_usage),
        "multi_region": (spec.multi_region is not None, seen.multi_region),
        "material": (spec.origin is not None, material_of(seen)),
    }
    return replace(wanted, **{name: value for name, (is_declared, value) in left.items() if not is_declared})


def left_disabled(key: KeyObject, seen: ObservedKey) -> Problem | None:
    """A disabled key of which the spec does not say how it shall be."""
    if not (was_there_before(key) and key.spec.enabled is None and seen.state == "Disabled"):
        return None
    message = "The key is disabled, and was not enabled because spec.enabled is unset: set it to true, or to false if that is right."
    return Problem(Reason.KEY_DISABLED, message)


def _refused(message: str) -> Problem:
    return Problem(Reason.ADOPTION_REFUSED, f"{message}. Nothing was changed on it.")
