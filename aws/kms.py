"""KMS keys: observed, made, and changed by one call for each action.

Rules:
1. An observation holds AWS's words. What may not be read (AccessDenied) becomes Unobservable in its own field, with what to do; the rest stays.
2. DescribeKey's NotFoundException is an answer, Missing. From any later call of the same observation it is KMS not agreeing with itself
   yet: to be retried.
3. Nothing is asked for twice, and nothing that cannot matter: rotation only of keys that can rotate, its history only when it has news,
   policy, aliases and grants only if managed.
4. KMSInvalidStateException is retried for every action, a second ScheduleKeyDeletion included: KMS says the same for a key that is still
   Creating or Updating, and only the next observation can tell these from a key that is pending deletion already.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar, assert_never

from aws.aliases import change_alias, read_aliases
from aws.answers import TAGS, decode, reading
from aws.clients import Connection
from aws.errors import BlockedError, InvalidAccessError, NotFoundError, RetryableError
from aws.grants import change_grant, read_grants
from aws.rotations import read_rotation, read_rotations
from reconcilers.actions import (
    AliasChange,
    CancelKeyDeletion,
    CreateKey,
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
    UpdateAlias,
    UpdateKeyDescription,
)
from reconcilers.codes import DENIED_CODES
from reconcilers.failures import explain
from reconcilers.reasons import Reason
from reconcilers.states import OWN_MATERIAL, Asked, Material, Missing, ObservedKey, Rotation, Rotations, Unobservable

T = TypeVar("T")

NOT_LOOKED_AT = Unobservable(Reason.KEY_NOT_USABLE_YET, "The replica was not looked at yet.")
POLICY_NAME = "default"  # the only one that KMS knows


@dataclass(frozen=True, slots=True)
class Described:
    """What DescribeKey tells: a key whose tags, policy and rotation are yet to be read.

    is_replica: of a multi-Region key. primary_region: where that one's primary is, as far as it is told.
    """

    key: ObservedKey
    is_replica: bool
    primary_region: str | None = None

    @property
    def can_rotate(self) -> bool:
        """Automatic rotation is for symmetric keys with KMS's own material, and is set on the primary."""
        return self.key.key_spec == "SYMMETRIC_DEFAULT" and self.key.origin == "AWS_KMS" and not self.is_replica


async def observe_key(connection: Connection, key: str, asked: Asked) -> ObservedKey | Missing:
    """The key (id or ARN) as AWS shows it. Raises AWSError."""
    found = await describe_key(connection, key)
    return found if isinstance(found, Missing) else await observe_rest(connection, found, asked)


async def describe_key(connection: Connection, key: str) -> Described | Missing:
    """DescribeKey alone. Raises AWSError.

    A status may hold whatever somebody wrote into it: an alias is no key's id, and to describe an unused alias/aws/x would make a key.
    """
    return Missing(key) if "alias/" in key else await describe_named(connection, key)


async def describe_named(connection: Connection, key: str) -> Described | Missing:
    """The same for a name that may be an alias, and is none of AWS's own. Raises AWSError."""
    try:
        answer = await connection.call("kms", "DescribeKey", {"KeyId": key})
    except NotFoundError:
        return Missing(key)
    return described("DescribeKey", answer)


async def observe_rest(connection: Connection, found: Described, asked: Asked) -> ObservedKey:
    """Reads what DescribeKey leaves out, at the same time. Raises AWSError."""
    key = found.key
    async with reading() as group:
        tags = group.create_task(_readable(_tags, connection, key.arn))
        rules = group.create_task(_readable(_policy, connection, key.arn)) if asked.policy else None
        rotation = group.create_task(_rotation(connection, key, asked)) if found.can_rotate and asked.rotation else None
        follow = partial(read_aliases, asked=asked.aliases)
        aliases = group.create_task(_readable(follow, connection, key.arn)) if asked.aliases else None
        grants = group.create_task(_readable(read_grants, connection, key.key_id)) if asked.grants else None
    return replace(
        key,
        tags=tags.result(),
        policy=rules.result() if rules else None,
        rotation=rotation.result()[0] if rotation else None,
        aliases=aliases.result() if aliases else None,
        grants=grants.result() if grants else None,
        rotations=rotation.result()[1] if rotation else None,
    )


async def create_key(connection: Connection, action: CreateKey) -> ObservedKey:
    """Makes the key: one request, never repeated. Raises AWSError; UnknownResultError if the key may exist all the same.

    It may not be cancelled between sending and persisting the answer: the caller shields both together.
    """
    answer = await connection.call("kms", "CreateKey", _creation(action))
    made = described("CreateKey", answer)
    rotation = Rotation(enabled=False) if made.can_rotate else None
    return replace(made.key, tags=dict(action.tags), policy=action.policy, rotation=rotation, aliases={}, grants={})


async def apply(connection: Connection, action: KeyAction | UpdateAlias) -> dict[str, Any]:
    """Carries the action out; returns KMS's answer, dates in UTC.

    Raises AWSError, FencedError, and InvalidAccessError for a key of another account or region.
    """
    key_id = _key_id(connection, action.key)
    if isinstance(action, AliasChange | UpdateAlias):
        await change_alias(connection, action, key_id)
        return {}
    if isinstance(action, GrantChange):
        return await change_grant(connection, action, key_id)
    operation, parameters = _request(action)
    answer = await connection.call("kms", operation, {"KeyId": key_id, **parameters})
    return {name: _utc(value) if isinstance(value, datetime) else value for name, value in answer.items()}


def _key_id(connection: Connection, arn: str) -> str:
    """The id in an ARN, because moto takes no ARN in four operations. A multi-Region id exists in many places: so the ARN's is checked."""
    _, _, _, region, account_id, resource = arn.split(":", 5)
    if (region, account_id) != (connection.region, connection.account_id):
        here = f"the provider's account {connection.account_id} and region {connection.region}"
        raise InvalidAccessError(Reason.ACCOUNT_MISMATCH, f"{arn} is not in {here}: set the provider back to where the key is")
    return resource.removeprefix("key/")


def _request(action: KeyChange) -> tuple[str, dict[str, Any]]:
    match action:
        case CancelKeyDeletion() | EnableKey() | DisableKeyRotation() | RotateKeyOnDemand() | DisableKey() | DeleteImportedKeyMaterial():
            return type(action).__name__, {}
        case PutKeyPolicy(policy=policy, bypass_policy_lockout_safety_check=bypass):
            return "PutKeyPolicy", {"PolicyName": POLICY_NAME, "Policy": policy, **lockout_bypass(bypass)}
        case UpdateKeyDescription(description=description):
            return "UpdateKeyDescription", {"Description": description}
        case TagResource(tags=tags):
            return "TagResource", {"Tags": tag_list(tags)}
        case UntagResource(tag_keys=keys):
            return "UntagResource", {"TagKeys": list(keys)}
        case EnableKeyRotation(period_in_days=days):
            return "EnableKeyRotation", {"RotationPeriodInDays": days} if days else {}
        case ScheduleKeyDeletion(window_in_days=days):
            return "ScheduleKeyDeletion", {"PendingWindowInDays": days}
        case _:
            assert_never(action)


def _creation(action: CreateKey) -> dict[str, Any]:
    """What equals KMS's default is left out: older backends, and policies with conditions, see the request that people expect."""
    parameters: dict[str, Any] = {
        "KeySpec": action.key_spec,
        "KeyUsage": action.key_usage,
        "Description": action.description,
        "Tags": tag_list(action.tags),
        **lockout_bypass(action.bypass_policy_lockout_safety_check),
    }
    if action.policy is not None:
        parameters["Policy"] = action.policy
    if action.multi_region:
        parameters["MultiRegion"] = True
    return parameters | _origin(action.material)


def _origin(material: Material) -> dict[str, str]:
    if material == OWN_MATERIAL:
        return {}
    where = {"CustomKeyStoreId": material.custom_key_store_id, "XksKeyId": material.xks_key_id}
    return {"Origin": material.origin, **{name: value for name, value in where.items() if value is not None}}


def lockout_bypass(wanted: bool) -> dict[str, bool]:
    """The parameter, where it says more than KMS's default."""
    return {"BypassPolicyLockoutSafetyCheck": True} if wanted else {}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """As KMS takes tags."""
    return [{"TagKey": key, "TagValue": value} for key, value in sorted(tags.items())]


async def _rotation(
    connection: Connection, key: ObservedKey, asked: Asked
) -> tuple[Rotation | Unobservable, Rotations | Unobservable | None]:
    """The second is read where the first, or the plan, calls for it. A key that is to be deleted has none to tell."""
    rotation = await _readable(read_rotation, connection, key.arn)
    moved = isinstance(rotation, Rotation) and rotation.enabled and rotation.next_date != asked.next_rotation
    if not (moved or asked.rotations) or key.deletion_date is not None:
        return rotation, None
    return rotation, await read_rotations(connection, key.arn)


async def _tags(connection: Connection, key: str) -> Mapping[str, str]:
    tags = await TAGS.read(connection, {"KeyId": key})
    return decode("ListResourceTags", lambda: {tag["TagKey"]: tag["TagValue"] for tag in tags})


async def _policy(connection: Connection, key: str) -> str:
    answer = await connection.call("kms", "GetKeyPolicy", {"KeyId": key, "PolicyName": POLICY_NAME})
    return decode("GetKeyPolicy", lambda: str(answer["Policy"]))


def described(operation: str, answer: Mapping[str, Any]) -> Described:
    """What the KeyMetadata of an answer says."""
    return decode(operation, lambda: _decode_metadata(answer["KeyMetadata"]))


def _decode_metadata(told: Mapping[str, Any]) -> Described:
    """Emulators leave out what was not asked for; KMS's defaults stand in."""
    key_type, elsewhere = _multi_region(told)
    key = ObservedKey(
        key_id=told["KeyId"],
        arn=told["Arn"],
        account_id=told.get("AWSAccountId") or told["Arn"].split(":")[4],  # ministack does not tell it apart
        region=told["Arn"].split(":")[3],
        state=told["KeyState"],
        manager=told.get("KeyManager", "CUSTOMER"),
        key_spec=told.get("KeySpec") or told.get("CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"),
        key_usage=told.get("KeyUsage", "ENCRYPT_DECRYPT"),
        origin=told.get("Origin", "AWS_KMS"),
        multi_region=told.get("MultiRegion", False),
        description=told.get("Description", ""),
        creation_date=_utc(told["CreationDate"]),
        deletion_date=_utc(told["DeletionDate"]) if "DeletionDate" in told else None,
        tags={},
        policy=None,
        rotation=None,
        custom_key_store_id=told.get("CustomKeyStoreId"),
        xks_key_id=told.get("XksKeyConfiguration", {}).get("Id"),
        has_imported_material="ExpirationModel" in told,  # KMS tells it of imported material only
        multi_region_key_type=key_type,
        replicas=dict.fromkeys(elsewhere, NOT_LOOKED_AT),
    )
    return Described(key, key_type == "REPLICA", told.get("MultiRegionConfiguration", {}).get("PrimaryKey", {}).get("Region"))


def _multi_region(told: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """The key's part among its like, and the regions of its replicas. moto calls all of them replicas once it has described one."""
    related = told.get("MultiRegionConfiguration")
    if not related:
        return None, []
    primary = related.get("PrimaryKey", {}).get("Arn")
    is_primary = primary == told["Arn"] if primary else related["MultiRegionKeyType"] == "PRIMARY"
    return ("PRIMARY", [replica["Region"] for replica in related.get("ReplicaKeys", ())]) if is_primary else ("REPLICA", [])


def _utc(date: datetime) -> datetime:
    return date.astimezone(UTC)


async def _readable(read: Callable[[Connection, str], Awaitable[T]], connection: Connection, key: str) -> T | Unobservable:
    """Rules 1 and 2, for whatever is read after DescribeKey."""
    try:
        return await read(connection, key)
    except NotFoundError as error:
        raise RetryableError(error.failure) from None
    except BlockedError as error:
        if error.failure.code not in DENIED_CODES:
            raise
        return Unobservable(Reason.ACCESS_DENIED, explain(error.failure).message, error.failure)
