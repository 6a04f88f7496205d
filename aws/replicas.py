"""Replicas of a multi-Region key: seen in their regions, and made by one call in the key's own.

Rules:
1. Each region is asked through a connection of its own, with the same credentials, and answers for itself: one that cannot be reached, or
   refuses, becomes Unobservable.
2. A replica that KMS lists with the key, and does not know when it is asked in its region, is not missing but not to be seen yet; nor is one
   that is known to one of its hosts only.
3. A key without replicas costs no call.
4. The key itself was read before: credentials that are refused in another region are good, and it is the region that the account lacks.
"""

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from aws.answers import decode, reading
from aws.clients import Connection
from aws.errors import AWSError, InvalidAccessError
from aws.kms import described, lockout_bypass, observe_key, tag_list
from reconcilers.actions import ReplicateKey
from reconcilers.arns import id_of, in_region, region_of
from reconcilers.codes import AUTHENTICATION_CODES, NOT_FOUND
from reconcilers.failures import explain
from reconcilers.reasons import Reason
from reconcilers.states import Asked, Missing, ObservedKey, Unobservable

Sight = ObservedKey | Missing | Unobservable

NOT_ENABLED = (
    "AWS takes the credentials elsewhere and not here ({code}): enable the region {region} for the account, or remove it from spec.replicas."
)
NOT_TO_BE_SEEN = Unobservable(Reason.KEY_NOT_USABLE_YET, "KMS lists the replica and does not show it in its region yet.")


async def with_replicas(connection: Connection, key: ObservedKey, asked: Asked) -> ObservedKey:
    """The key with its replicas as they are: those that KMS lists with it, and those that are asked about. Raises no AWSError.

    A key that is a replica itself, since somebody moved the primary to another region, is asked about in the regions that we know.
    """
    listed = key.replicas if key.multi_region_key_type == "PRIMARY" else ()
    regions = {*listed, *asked.replicas} - {key.region} if key.multi_region else set()
    if not regions:
        return key
    by_default = Asked(policy=asked.policy, aliases=asked.aliases)
    asked_there = {region: asked.replicas.get(region, by_default) for region in regions}
    return replace(key, replicas=await _looks(connection, key.arn, asked_there, listed))


async def left_of(connection: Connection, lost: Missing, arn: str | None, asked: Asked) -> Missing:
    """A key that is gone, with what there is of it in the regions that are asked about: its primary, if somebody moved it there. Raises no
    AWSError. arn: None where that was never known.
    """
    if arn is None:
        return lost
    regions = {region: there for region, there in asked.replicas.items() if region != region_of(arn)}
    return replace(lost, replicas=await _looks(connection, arn, regions, ())) if regions else lost


async def replicate_key(connection: Connection, action: ReplicateKey) -> ObservedKey:
    """Makes the replica: one request, never repeated. Raises AWSError; UnknownResultError if the replica may exist all the same.

    As with create_key, the caller shields the call and the persisting of its answer together.
    """
    answer = await connection.call("kms", "ReplicateKey", _request(action))
    made = described("ReplicateKey", decode("ReplicateKey", lambda: {"KeyMetadata": answer["ReplicaKeyMetadata"]}))
    return replace(made.key, tags=dict(action.tags), policy=action.policy, description=action.description, aliases={}, replicas={})


def failed(seen: ObservedKey, region: str, error: AWSError | InvalidAccessError) -> ObservedKey:
    """The key when its replica has just refused something: this pass leaves that region alone."""
    return replace(seen, replicas={**seen.replicas, region: _unobservable(error, region)})


async def _looks(connection: Connection, arn: str, asked: Mapping[str, Asked], listed: Container[str]) -> dict[str, Sight]:
    async with reading() as group:
        looks = {
            region: group.create_task(_look(connection, in_region(arn, region), there, is_listed=region in listed))
            for region, there in sorted(asked.items())
        }
    return {region: look.result() for region, look in looks.items()}


async def _look(connection: Connection, arn: str, asked: Asked, *, is_listed: bool) -> Sight:
    region = region_of(arn)
    try:
        seen = await observe_key(await connection.at(region), arn, asked)
    except (AWSError, InvalidAccessError) as error:
        if isinstance(error, AWSError) and error.failure.code == NOT_FOUND:  # one host shows it, and the next does not know it yet
            return NOT_TO_BE_SEEN
        return _unobservable(error, region)
    return NOT_TO_BE_SEEN if isinstance(seen, Missing) and is_listed else seen


def _unobservable(error: AWSError | InvalidAccessError, region: str) -> Unobservable:
    if isinstance(error, InvalidAccessError):
        return Unobservable(error.reason, str(error))
    if error.failure.code in AUTHENTICATION_CODES:
        return Unobservable(Reason.INVALID_REGION, NOT_ENABLED.format(code=error.failure.code, region=region), error.failure)
    problem = explain(error.failure)
    return Unobservable(problem.reason, problem.message, error.failure)


def _request(action: ReplicateKey) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "KeyId": id_of(action.key),
        "ReplicaRegion": action.region,
        "Description": action.description,
        "Tags": tag_list(action.tags),
        **lockout_bypass(action.bypass_policy_lockout_safety_check),
    }
    return parameters | ({"Policy": action.policy} if action.policy is not None else {})
