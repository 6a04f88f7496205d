"""Looking for the key of an object whose CreateKey was not answered: by its owner tags, which were part of that call.

Rules:
1. First the tag index (GetResources): one call, but minutes late. When that is not enough, or not allowed, every key of the account and region:
   ListKeys, and the tags of each.
2. A result is thorough if every key was looked at. Keys whose tags we may not read do not count against it: a key of ours lets us read them
   unless its own policy locks us out, and then the tag index shows it, which asks no key policy. Keys that one operation shows and another
   does not know yet are named: KMS is late, and one of them may be ours.
3. A key of somebody else never becomes ours, because ours are tagged by CreateKey itself. So a repeated scan reads only keys that are new;
   tags that were read within SETTLE_SECONDS of the key's first appearance may have been too early, and are read again.
4. One scan at a time for each account and region. What it reads serves all who asked before that was read, so that a hundred objects without
   an answer cost two scans and not a hundred. Not what it was denied: another identity may be allowed it.
5. AWS's own keys are never candidates. A multi-Region replica is one if it carries the object's own uid, or if the object has its primary's
   region among its replicas: then somebody has moved the primary there. Any other is a replica that an object in another region has.
   A candidate's tags are verified by ListResourceTags where it may be called.

The memory is the process's: it knows nothing after a restart, and then reads everything again.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from aws.answers import KEYS, SCAN_TRIES, TAGGED, TAGS, decode, reading
from aws.clients import Connection
from aws.errands import nobodys
from aws.errors import AWSError, BlockedError, NotFoundError
from aws.kms import describe_key, observe_rest
from reconcilers.codes import DENIED_CODES
from reconcilers.names import CLUSTER_TAG, UID_TAG
from reconcilers.states import Asked, Candidates, Missing, ObservedKey, Unobservable

# KMS may show changes "several minutes" late (its documentation); twice the default grace of a lost creation is surely after that.
SETTLE_SECONDS = 600.0
# A day: the tag index is minutes late. A key that is gone, and that it tells of even after that, holds its object up once more.
FORGET_SECONDS = 86_400.0
# Twenty readers of 20 ms each take KMS's whole quota at our half of it; more would only wait in line.
READERS = 20
# KMS's own limit of keys in one account and region; 200 bytes each.
MOST_REMEMBERED = 100_000

_Place = tuple[str, str]  # account and region
_Owner = tuple[str, str]  # the cluster's id and the object's uid, from the tags of a key


@dataclass(slots=True)
class _Known:
    """What is remembered of one key. owner: None if it has none, or does not tell us. read: when its tags were asked for that we then got.

    is_late: it is listed, and so new that it may be for its age that KMS does not know it when its tags are asked for.
    """

    first_seen: float
    owner: _Owner | None = None
    settled: bool = False
    is_late: bool = False
    read: float = -math.inf


class Search:
    """Finds keys by their owner tags, and remembers which keys it need not read again; one for the process."""

    def __init__(self) -> None:
        self._known: dict[_Place, dict[str, _Known]] = {}  # then by key ARN
        self._scanning: defaultdict[_Place, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._missed: dict[str, float] = {}  # since when KMS does not know a key that the tag index shows

    async def find_owned(self, connection: Connection, cluster_id: str, uid: str, *, thorough: bool, asked: Asked) -> Candidates:
        """The keys that carry the object's owner tags, each observed.

        thorough: look at every key, not only at the tag index. The result says whether that was done: it is not when ListKeys is denied.
        Raises AWSError; BlockedError, naming all permissions that would do, when neither way is allowed.
        """
        owner = (cluster_id, uid)
        found = await _indexed(connection, owner)
        scanned: dict[str, _Known] | None = None
        if thorough or found is None:
            try:
                scanned = await self._scan(connection)
            except BlockedError as error:
                if found is None or error.failure.code not in DENIED_CODES:
                    raise _naming_permissions(error) from None
        listed = scanned or {}
        # At this very moment, before anything is awaited: another's scan may change what is known of a key.
        ours = {arn: not key.settled for arn, key in listed.items() if key.owner == owner}
        late = {arn for arn, key in listed.items() if key.is_late}
        owned = sorted((found or set()) | ours.keys())
        sights = {arn: await _candidate(connection, arn, owner, asked, is_new=ours.get(arn, False)) for arn in owned}
        late |= {arn for arn, key in sights.items() if isinstance(key, Missing) and self._may_come(arn, is_listed=arn in listed)}
        keys = tuple(key for key in sights.values() if isinstance(key, ObservedKey))
        return Candidates(keys, thorough=scanned is not None, unshown=tuple(sorted(late)))

    def _may_come(self, arn: str, *, is_listed: bool) -> bool:
        """Whether a key that KMS does not know may be a new one. The tag index may tell for a while of one that is gone for good."""
        now = asyncio.get_running_loop().time()
        if arn not in self._missed:
            self._missed = {one: since for one, since in self._missed.items() if now - since < FORGET_SECONDS} | {arn: now}
        return is_listed or now - self._missed[arn] < SETTLE_SECONDS

    async def _scan(self, connection: Connection) -> dict[str, _Known]:
        asked, place = asyncio.get_running_loop().time(), (connection.account_id, connection.region)
        with nobodys():
            async with self._scanning[place]:
                listed = await KEYS.read(connection, {"Limit": 1000}, tries=SCAN_TRIES)
                known = self._recall(place, decode("ListKeys", lambda: [key["KeyArn"] for key in listed]))
                unread = iter([arn for arn, key in known.items() if not key.settled and key.read <= asked])
                async with reading() as group:
                    for _ in range(READERS):
                        group.create_task(_read_owners(connection, known, unread))
                return known

    def _recall(self, place: _Place, arns: list[str]) -> dict[str, _Known]:
        """What is known of these keys; keys that are gone are forgotten, and so are the accounts not searched for the longest."""
        now = asyncio.get_running_loop().time()
        old = self._known.pop(place, {})
        while sum(map(len, self._known.values())) + len(arns) > MOST_REMEMBERED and self._known:
            del self._known[next(iter(self._known))]
        known = self._known[place] = {arn: old.get(arn) or _Known(now) for arn in arns}
        return known


async def _indexed(connection: Connection, owner: _Owner) -> set[str] | None:
    """The ARNs that the tag index shows; None if it cannot be asked, for whatever reason: the scan is there for that."""
    filters = [{"Key": tag, "Values": [value]} for tag, value in zip((CLUSTER_TAG, UID_TAG), owner, strict=True)]
    wanted = {"TagFilters": filters, "ResourceTypeFilters": ["kms:key"], "ResourcesPerPage": 100}
    try:
        found = await TAGGED.read(connection, wanted, tries=SCAN_TRIES)
        return decode("GetResources", lambda: {resource["ResourceARN"] for resource in found})
    except AWSError:
        return None


async def _read_owners(connection: Connection, known: dict[str, _Known], arns: Iterator[str]) -> None:
    """One of several readers that share the iterator. What was read stays known even if the whole scan is cut off."""
    loop = asyncio.get_running_loop()
    for arn in arns:
        key, began = known[arn], loop.time()
        tags = await _tags(connection, arn)
        is_old = began - key.first_seen >= SETTLE_SECONDS
        key.settled = is_old and isinstance(tags, dict)
        key.is_late = isinstance(tags, Missing) and not is_old
        key.owner = _owner(tags) if isinstance(tags, dict) else None
        if isinstance(tags, dict):
            key.read = began


async def _tags(connection: Connection, arn: str) -> dict[str, str] | Missing | None:
    """Missing: listed and not yet known, or just gone; None where they may not be read."""
    try:
        tags = await TAGS.read(connection, {"KeyId": arn}, tries=SCAN_TRIES)
    except NotFoundError:
        return Missing(arn)
    except BlockedError as error:
        if error.failure.code in DENIED_CODES:
            return None
        raise
    return decode("ListResourceTags", lambda: {tag["TagKey"]: tag["TagValue"] for tag in tags})


def _owner(found: dict[str, str]) -> _Owner | None:
    return (found[CLUSTER_TAG], found[UID_TAG]) if found.keys() >= {CLUSTER_TAG, UID_TAG} else None


async def observe_candidate(connection: Connection, arn: str, asked: Asked, *, named: bool = False) -> ObservedKey | Missing | None:
    """A key that an object may have; None for AWS's own and for a replica of another's (rule 5). Raises AWSError.

    named: the object's uid, or the object itself, says that the key is its own.
    """
    described = await describe_key(connection, arn)
    if isinstance(described, Missing):
        return described
    if described.key.manager != "CUSTOMER":
        return None
    if described.is_replica and not named and described.primary_region not in asked.replicas:
        return None
    return await observe_rest(connection, described, asked)


async def _candidate(
    connection: Connection, arn: str, owner: _Owner, asked: Asked, *, is_new: bool
) -> ObservedKey | Missing | None:
    """is_new: its tags were just read, and it was not listed for long. If it shows none now, then KMS is late, as if it knew no such key."""
    key = await observe_candidate(connection, arn, asked, named=True)
    if not isinstance(key, ObservedKey) or isinstance(key.tags, Unobservable):  # not for us to judge: better than making another one
        return key
    if is_new and not key.tags.keys() & {CLUSTER_TAG, UID_TAG}:
        return Missing(arn)
    return key if (key.tags.get(CLUSTER_TAG), key.tags.get(UID_TAG)) == owner else None


def _naming_permissions(error: BlockedError) -> BlockedError:
    if error.failure.code not in DENIED_CODES:
        return error
    needs = "to look for a key whose creation was not answered, tag:GetResources, or kms:ListKeys and kms:ListResourceTags are needed"
    return BlockedError(replace(error.failure, message=f"{error.failure.message.rstrip('.')}; {needs}"))
