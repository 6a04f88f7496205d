"""A KMS account in memory, made for speed: what a key without aliases, grants and replicas needs, and nothing of what KMS would refuse.

It is no model of KMS: no permission, state or limit is checked, and what was written is read back at once. A benchmark asks it thousands
of times for the same few things, and must not measure it.

Requests and answers are those of KMS's JSON protocol, so dates are seconds since 1970.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reconcilers.names import OWNER_TAG, UID_TAG
from tests.bench.copies import copy_names

ACCOUNT_ID = "111122223333"
DAY = 86400.0

Request = dict[str, Any]
Answer = dict[str, Any]


class NoSuchKeyError(Exception):
    """The account has no such key."""


@dataclass(slots=True)
class Key:
    """A key; `metadata` is what DescribeKey answers."""

    metadata: dict[str, Any]
    policy: str
    tags: dict[str, str]
    rotation_days: int | None = None
    region: str = field(default="us-east-1", kw_only=True)


class Account:
    """The keys of all regions."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    def key(self, request: Request) -> Key:
        """The key that a request names by id or ARN. Raises NoSuchKeyError."""
        try:
            return self._keys[request["KeyId"].rpartition("/")[2]]
        except KeyError:
            raise NoSuchKeyError from None

    def add(self, region: str, request: Request) -> Key:
        """A new key as CreateKey asks for it."""
        key_id = str(uuid.uuid4())
        metadata = {
            "AWSAccountId": ACCOUNT_ID,
            "KeyId": key_id,
            "Arn": f"arn:aws:kms:{region}:{ACCOUNT_ID}:key/{key_id}",
            "CreationDate": round(time.time(), 3),
            "Description": request.get("Description", ""),
            "Enabled": True,
            "KeyState": "Enabled",
            "KeyManager": "CUSTOMER",
            "KeySpec": request.get("KeySpec", "SYMMETRIC_DEFAULT"),
            "KeyUsage": request.get("KeyUsage", "ENCRYPT_DECRYPT"),
            "MultiRegion": request.get("MultiRegion", False),
            "Origin": "AWS_KMS",
        }
        made = self._keys[key_id] = Key(metadata, request.get("Policy", "{}"), _tags(request), region=region)
        return made

    def copy(self, count: int) -> None:
        """As many copies of the only key as its object has (copies.py)."""
        (original,) = self._keys.values()
        for number in range(count):
            name, uid, key_id = copy_names(number)
            arn = original.metadata["Arn"].rpartition("/")[0] + f"/{key_id}"
            owner = f"{original.tags[OWNER_TAG].partition('/')[0]}/{name}"
            tags = {**original.tags, OWNER_TAG: owner, UID_TAG: uid}
            metadata = {**original.metadata, "KeyId": key_id, "Arn": arn}
            self._keys[key_id] = Key(metadata, original.policy, tags, original.rotation_days, region=original.region)

    def of(self, region: str) -> list[Key]:
        """All keys of a region."""
        return [key for key in self._keys.values() if key.region == region]

    def answer(self, operation: str, region: str, request: Request) -> Answer:
        """Carries an operation out. Raises NoSuchKeyError, and LookupError for an operation that is not in the table."""
        if operation in _IN_REGION:
            return _IN_REGION[operation](self, region, request)
        return _ON_KEY[operation](self.key(request), request)


def _create(account: Account, region: str, request: Request) -> Answer:
    return {"KeyMetadata": account.add(region, request).metadata}


def _list_keys(account: Account, region: str, _: Request) -> Answer:
    keys = [{"KeyId": key.metadata["KeyId"], "KeyArn": key.metadata["Arn"]} for key in account.of(region)]
    return {"Keys": keys, "Truncated": False}


def _get_resources(account: Account, region: str, request: Request) -> Answer:
    wanted = [(entry["Key"], entry["Values"]) for entry in request.get("TagFilters", ())]
    found = [key for key in account.of(region) if all(key.tags.get(name) in values for name, values in wanted)]
    mappings = [{"ResourceARN": key.metadata["Arn"], "Tags": _tag_list(key, "Key", "Value")} for key in found]
    return {"ResourceTagMappingList": mappings, "PaginationToken": ""}


def _describe(key: Key, _: Request) -> Answer:
    return {"KeyMetadata": key.metadata}


def _get_policy(key: Key, _: Request) -> Answer:
    return {"Policy": key.policy, "PolicyName": "default"}


def _put_policy(key: Key, request: Request) -> Answer:
    key.policy = request["Policy"]
    return {}


def _list_tags(key: Key, _: Request) -> Answer:
    return {"Tags": _tag_list(key, "TagKey", "TagValue"), "Truncated": False}


def _tag(key: Key, request: Request) -> Answer:
    key.tags |= _tags(request)
    return {}


def _untag(key: Key, request: Request) -> Answer:
    for name in request["TagKeys"]:
        key.tags.pop(name, None)
    return {}


def _rotation(key: Key, _: Request) -> Answer:
    answer: Answer = {"KeyId": key.metadata["Arn"], "KeyRotationEnabled": key.rotation_days is not None}
    if key.rotation_days is not None:
        next_date = key.metadata["CreationDate"] + key.rotation_days * DAY
        answer |= {"RotationPeriodInDays": key.rotation_days, "NextRotationDate": next_date}
    return answer


def _enable_rotation(key: Key, request: Request) -> Answer:
    key.rotation_days = request.get("RotationPeriodInDays", 365)
    return {}


def _disable_rotation(key: Key, _: Request) -> Answer:
    key.rotation_days = None
    return {}


def _describe_as(key: Key, request: Request) -> Answer:
    key.metadata["Description"] = request["Description"]
    return {}


def _schedule_deletion(key: Key, request: Request) -> Answer:
    date = round(time.time() + request.get("PendingWindowInDays", 30) * DAY, 3)
    key.metadata |= {"KeyState": "PendingDeletion", "Enabled": False, "DeletionDate": date}
    return {"KeyId": key.metadata["Arn"], "DeletionDate": date, "KeyState": "PendingDeletion"}


def _cancel_deletion(key: Key, _: Request) -> Answer:
    key.metadata.pop("DeletionDate", None)
    _set_state(key, "Disabled")
    return {"KeyId": key.metadata["Arn"]}


def _enable(key: Key, _: Request) -> Answer:
    return _set_state(key, "Enabled")


def _disable(key: Key, _: Request) -> Answer:
    return _set_state(key, "Disabled")


def _set_state(key: Key, state: str) -> Answer:
    key.metadata |= {"KeyState": state, "Enabled": state == "Enabled"}
    return {}


def _tags(request: Request) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValue"] for tag in request.get("Tags", ())}


def _tag_list(key: Key, name: str, value: str) -> list[dict[str, str]]:
    return [{name: tag, value: text} for tag, text in key.tags.items()]


_IN_REGION: dict[str, Callable[[Account, str, Request], Answer]] = {
    "CreateKey": _create,
    "GetResources": _get_resources,
    "ListKeys": _list_keys,
}
_ON_KEY: dict[str, Callable[[Key, Request], Answer]] = {
    "CancelKeyDeletion": _cancel_deletion,
    "DescribeKey": _describe,
    "DisableKey": _disable,
    "DisableKeyRotation": _disable_rotation,
    "EnableKey": _enable,
    "EnableKeyRotation": _enable_rotation,
    "GetKeyPolicy": _get_policy,
    "GetKeyRotationStatus": _rotation,
    "ListResourceTags": _list_tags,
    "PutKeyPolicy": _put_policy,
    "ScheduleKeyDeletion": _schedule_deletion,
    "TagResource": _tag,
    "UntagResource": _untag,
    "UpdateKeyDescription": _describe_as,
}
