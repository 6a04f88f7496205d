"""How an object comes to its key: one that was there before it, its predecessor's, one that an unanswered CreateKey has made, or a new one.

Rules:
1. A key is created only for an object that was never touched (NotCreated), or when no key with its owner tags can be found. An attempt is
   written into the status before CreateKey is sent. An attempt whose result is unknown is searched for until `create_grace` is over, and
   a new one is made only after a thorough search.
2. A key that is found is remembered and claimed before anything else is changed on it.
3. Two keys that could be the object's are told, and left alone.
"""

from datetime import datetime
from typing import Any

from reconcilers.actions import (
    CreateKey,
    Plan,
    RecordKey,
    TagResource,
)
from reconcilers.adoption import as_it_is, has_waited, objection
from reconcilers.key_status import CreationAttempt
from reconcilers.ownership import belongs, claimable, owned, owner_tags
from reconcilers.policy_findings import policy_status
from reconcilers.reasons import Reason
from reconcilers.recreation import lost, may_be_replaced, shown_again
from reconcilers.reports import managed, report, seen_fields, working
from reconcilers.searches import first_unreadable, grace_is_over, not_proved, nothing_was_made, proves_none, search_delay
from reconcilers.states import (
    Candidates,
    KeyObject,
    NotCreated,
    ObservedKey,
    Offered,
    Operator,
    Problem,
    Unobservable,
    Wanted,
)
from reconcilers.stops import PATIENCE, finalizer, has_lasted, immutable_conflict, stop


def adopt(key: KeyObject, wanted: Wanted, seen: Offered, operator: Operator, now: datetime) -> Plan:
    """Take over the key that was there before the object, if it may be: remember it, claim it, and see then what differs."""
    found = seen.found
    if found is None:
        return _adopt_none(key, wanted, seen.otherwise, operator, now)
    problem = objection(key, found, seen, operator.cluster_id) or immutable_conflict(as_it_is(key, wanted, found), found)
    if problem is not None:
        return stop(key, problem, operator, now)
    if belongs(key, found, operator.cluster_id):
        return _take_over(key, wanted, found, operator, now)
    verdict = working(Reason.ADOPTING, f"The key {found.key_id} is being taken over.")
    claim = TagResource(found.arn, owner_tags(key, operator.cluster_id))
    why, memory = "which spec.adopt names", seen_fields(key.status, found)
    if key.spec.adopt is None:  # until the key is claimed, its status has to stay recognizable
        why, memory = "which an older operator made for this object", {"taken_over": True}
    return Plan((*finalizer(key), RecordKey(found, why), claim), report(key, operator, verdict, now, **memory), write_ahead=True)


def _adopt_none(key: KeyObject, wanted: Wanted, seen: NotCreated | Candidates, operator: Operator, now: datetime) -> Plan:
    """There is no key of the name in spec.adopt: one that an earlier object adopted comes back; else wait for it, or make one.

    An alias that led to the key is freed when its object goes, so that the same manifest may find no key of that name.
    """
    made = make(key, wanted, seen.earlier, operator, now) if isinstance(seen, NotCreated) else resolve(key, wanted, seen, operator, now)
    if any(isinstance(action, RecordKey) for action in made.actions):
        return made
    name = key.spec.adopt.told if key.spec.adopt else ""
    missing = f"There is no key {name} in account {wanted.account_id}, region {wanted.region}"
    if key.spec.adopt is None or not key.spec.adopt.or_create:
        message = f"{missing}: correct spec.adopt, or set its policy to AdoptOrCreate."
        problem = Problem(Reason.KEY_NOT_FOUND, message, stalled=has_lasted(key, Reason.KEY_NOT_FOUND, now))
        return stop(key, problem, operator, now)
    if has_waited(key, operator, now) or not any(isinstance(action, CreateKey) for action in made.actions):
        return made
    verdict = working(Reason.ADOPTING, f"{missing}. It is looked for once more before one is made.")
    return Plan((), report(key, operator, verdict, now), look_again=PATIENCE)


def make(key: KeyObject, wanted: Wanted, earlier: tuple[ObservedKey, ...], operator: Operator, now: datetime) -> Plan:
    """The object has no key: the one of its predecessor comes back, else a new one is made."""
    ours = tuple(candidate for candidate in earlier if claimable(key, candidate, operator.cluster_id))
    if len(ours) > 1:
        return stop(key, ambiguous(ours), operator, now)
    if ours:
        return _take_over(key, wanted, ours[0], operator, now)
    # The index told of them under this object's name: what hides its tags may be the key that shall come back.
    hidden = next((candidate.tags for candidate in earlier if isinstance(candidate.tags, Unobservable)), None)
    return stop(key, Problem(hidden.reason, hidden.message), operator, now) if hidden else _create(key, wanted, operator, now)


def _create(key: KeyObject, wanted: Wanted, operator: Operator, now: datetime) -> Plan:
    before = key.status.creation_attempt
    count = before.count + 1 if before else 1
    attempt = CreationAttempt(id=f"{key.uid}.{count}", time=now, count=count)
    create = CreateKey(
        attempt=attempt,
        key_spec=wanted.key_spec,
        key_usage=wanted.key_usage,
        multi_region=wanted.multi_region,
        description=wanted.description,
        policy=wanted.policy,
        bypass_policy_lockout_safety_check=wanted.bypass_policy_lockout_safety_check,
        tags=wanted.tags,
        material=wanted.material,
    )
    actions = (*finalizer(key), create)
    verdict = working(Reason.CREATING, "The key is being created.")
    fields: dict[str, Any] = {"creation_attempt": attempt, "managed_tag_keys": managed(wanted.tags)}
    fields |= {"account_id": wanted.account_id, "region": wanted.region, "reached": {}, "drift": ()}
    fields["policy"] = policy_status(None, wanted, None)
    if nothing_was_made(key) and key.status.observed_generation == key.generation:
        fields["conditions"] = key.status.conditions  # another try after a refusal is no news until it succeeds
    return Plan(actions, report(key, operator, verdict, now, **fields), write_ahead=True)


def resolve(key: KeyObject, wanted: Wanted, seen: Candidates, operator: Operator, now: datetime) -> Plan:
    """No id is remembered, but a key may have been made: by an attempt without an answer, or before a status was lost."""
    others = (candidate for candidate in seen.keys if candidate.key_id != key.status.key_id)
    ours = tuple(candidate for candidate in others if owned(key, candidate, operator.cluster_id))
    if len(ours) > 1:
        return stop(key, ambiguous(ours), operator, now)
    if ours:
        return _take_over(key, wanted, ours[0], operator, now)
    if unreadable := first_unreadable(seen):
        return stop(key, Problem(unreadable.reason, unreadable.message), operator, now)
    if proves_none(key, seen, operator):
        if key.status.creation_attempt is not None and key.spec.adopt is not None and not key.spec.adopt.or_create:
            verdict = working(Reason.ADOPTING, "CreateKey, which was sent before spec.adopt was set, has made no key.")
            return Plan((), report(key, operator, verdict, now, creation_attempt=None), look_again=PATIENCE)
        return _replace(key, wanted, seen, operator, now) if key.status.key_id else make(key, wanted, seen.earlier, operator, now)
    if grace_is_over(key, operator):
        return stop(key, not_proved(key, seen), operator, now)
    message = "CreateKey was sent and its answer lost: looking for the key by its owner tags before trying again."
    status = report(key, operator, working(Reason.CREATION_UNKNOWN, message), now)
    return Plan((), status, look_again=search_delay(key, operator))


def _replace(key: KeyObject, wanted: Wanted, seen: Candidates, operator: Operator, now: datetime) -> Plan:
    """The object has no key but the one that it remembers, which is lost or shows again."""
    if (found := shown_again(key, seen, operator.cluster_id)) is not None:
        return _take_over(key, wanted, found, operator, now)
    if may_be_replaced(key):
        return make(key, wanted, tuple(one for one in seen.earlier if one.key_id != key.status.key_id), operator, now)
    return stop(key, lost(key), operator, now, creation_attempt=None)


def _take_over(key: KeyObject, wanted: Wanted, found: ObservedKey, operator: Operator, now: datetime) -> Plan:
    conflict = immutable_conflict(as_it_is(key, wanted, found), found)
    if conflict is not None:
        return stop(key, conflict, operator, now)
    verdict = working(Reason.CREATING, f"The key {found.key_id} was found by its owner tags.")
    return Plan((*finalizer(key), RecordKey(found)), report(key, operator, verdict, now))


def ambiguous(keys: tuple[ObservedKey, ...]) -> Problem:
    """What is told of several keys that all carry the object's owner tags."""
    names = ", ".join(sorted(k.key_id for k in keys))
    return Problem(
        Reason.AMBIGUOUS_KEY,
        f"Several keys carry this object's owner tags: {names}. Remove the tags from those that shall not be this object's key.",
    )
