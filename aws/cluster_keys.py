"""Every key of one account and region that carries this cluster's tag, whoever it belongs to now.

Rules:
1. The tag index (GetResources) is asked first. Where it may not be asked, every key is looked at: ListKeys, and the tags of each.
2. The tags are those by which a key was found; its state and dates are DescribeKey's. A key that is gone by then is left out.
3. Only customer managed keys: AWS's own carry no tags of ours, and nobody is billed for them.

The index is minutes late. A key that was made a moment ago may be missing here, which a report may bear and a creation may not.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from aws.answers import KEYS, SCAN_TRIES, TAGGED, TAGS, decode, reading
from aws.clients import Connection
from aws.errors import AWSError, BlockedError, NotFoundError
from aws.kms import describe_key
from reconcilers.codes import DENIED_CODES, THROTTLING_CODES
from reconcilers.names import CLUSTER_TAG
from reconcilers.states import Missing, ObservedKey

T = TypeVar("T")
Tags = Mapping[str, str]

READERS = 20  # of 20 ms each: 1,000 calls a second, which is half of KMS's quota for the operations called here


async def cluster_keys(connection: Connection, cluster_id: str) -> tuple[ObservedKey, ...]:
    """The keys by ARN; policy and rotation are not read. Raises AWSError, BlockedError where neither way is allowed."""
    try:
        tagged = await _indexed(connection, cluster_id)
    except AWSError as error:  # not allowed, or not known to this endpoint: each says so in its own words
        if error.failure.code in THROTTLING_CODES:
            raise
        tagged = await _scanned(connection, cluster_id)
    keys = await _each(sorted(tagged), lambda arn: _described(connection, arn, tagged[arn]))
    return tuple(sorted((key for key in keys if key is not None), key=lambda key: key.arn))


async def _indexed(connection: Connection, cluster_id: str) -> dict[str, Tags]:
    filters = [{"Key": CLUSTER_TAG, "Values": [cluster_id]}]
    wanted = {"TagFilters": filters, "ResourceTypeFilters": ["kms:key"], "ResourcesPerPage": 100}
    found = await TAGGED.read(connection, wanted, tries=SCAN_TRIES)
    return decode(
        "GetResources", lambda: {one["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in found}
    )


async def _scanned(connection: Connection, cluster_id: str) -> dict[str, Tags]:
    listed = await KEYS.read(connection, {"Limit": 1000}, tries=SCAN_TRIES)
    arns = decode("ListKeys", lambda: [key["KeyArn"] for key in listed])
    tags = await _each(arns, lambda arn: _tags(connection, arn))
    return {arn: found for arn, found in tags if found.get(CLUSTER_TAG) == cluster_id}


async def _tags(connection: Connection, arn: str) -> tuple[str, Tags]:
    """A key that hides its tags, or that is gone, is none of ours."""
    try:
        tags = await TAGS.read(connection, {"KeyId": arn}, tries=SCAN_TRIES)
    except NotFoundError:
        return arn, {}
    except BlockedError as error:
        if error.failure.code in DENIED_CODES:
            return arn, {}
        raise
    return arn, decode("ListResourceTags", lambda: {tag["TagKey"]: tag["TagValue"] for tag in tags})


async def _described(connection: Connection, arn: str, tags: Tags) -> ObservedKey | None:
    described = await describe_key(connection, arn)
    if isinstance(described, Missing) or described.key.manager != "CUSTOMER":
        return None
    return replace(described.key, tags=tags)


async def _each(arns: Iterable[str], read: Callable[[str], Awaitable[T]]) -> list[T]:
    """The results of all, some at a time, in no order."""
    remaining, results = iter(arns), list[T]()

    async def reader() -> None:
        for arn in remaining:
            results.append(await read(arn))

    async with reading() as group:
        for _ in range(READERS):
            group.create_task(reader())
    return results
