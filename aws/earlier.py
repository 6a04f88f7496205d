"""The keys of this cluster by the object that their owner tag names: how an object that was deleted and made again finds its key.

Rules:
1. The tag index is read for each account and region at the first need. It is minutes late, so the keys that it does not show are looked at
   too, up to MOST_SCANNED of them, and it is read again at the first need after that time, and then about once an hour (key_index.py). Keys
   that we make, claim, find or see are added at once. So a new object costs no call.
2. While a reading again lasts for longer than BRIEF_SECONDS, an object's own name is asked for by itself, which is one call.
3. A key is shown only as it is when it is asked for: observed, with its tags read, and nothing of what the index said believed. One that this
   process has made or claimed minutes ago is waited for where KMS does not show it, or its owner, yet.
4. Where the index cannot be read, every key is looked at. Where that is not allowed either, or a key hides its tags, no key may come back and a
   new one may be made, until it is tried again after ten minutes. That is said in the log. Any other failure is raised, and nothing is made.

Not promised: that a key is found which was made, or tagged, within minutes before this process needed its first, if AWS's views are late then
and it was never seen here; nor one that another process (a shard of the ring) has made, or somebody has tagged by hand, within the last hour,
or longer in an account where more than 18,000 keys are ours; nor one whose primary somebody has moved to a region that the new spec does not
name.
"""

import asyncio
import contextlib
import functools
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator

import structlog

from aws.answers import KEYS, SCAN_TRIES, TAGGED, TAGS, decode, reading, was_seen
from aws.clients import Connection
from aws.errands import nobodys
from aws.errors import AWSError, BlockedError, NotFoundError, RetryableError
from aws.key_index import KeyIndex
from aws.quotas import PER_SECOND
from aws.search import READERS, observe_candidate
from reconcilers.codes import THROTTLING_CODES
from reconcilers.names import CLUSTER_TAG, OWNER_TAG
from reconcilers.states import Asked, Failure, FailureKind, Missing, ObservedKey, Unobservable

log = structlog.get_logger()

Tags = dict[str, str]

MOST_SCANNED = 1000  # two seconds at our half of KMS's quota for ListResourceTags
BRIEF_SECONDS = 1.0  # two pages, or three, of the tag index
INDEX_PAGE, LIST_PAGE = 100, 1000  # AWS's own limits


class _Place:
    """One account and region."""

    def __init__(self) -> None:
        self.index = KeyIndex()
        self.loading: asyncio.Task[None] | None = None

    def loaded(self, task: asyncio.Task[None]) -> None:
        """The task has ended; it would keep alive the errand of the pass that began it."""
        was_seen(task)
        self.loading = None


class EarlierKeys:
    """One for the process, and for one cluster."""

    def __init__(self, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._places: defaultdict[tuple[str, str], _Place] = defaultdict(_Place)

    async def of(self, connection: Connection, owner: str, asked: Asked) -> tuple[ObservedKey, ...]:
        """The keys whose owner tag is this namespace/name, each observed. Raises AWSError."""
        place = self._place(connection)
        asked_alone: Iterable[str] = ()
        if not place.index.is_good(asyncio.get_running_loop().time()):
            asked_alone = await self._read_again(connection, place, owner)
        arns = place.index.of(owner).union(asked_alone)
        seen = [await self._look(connection, place.index, arn, asked) for arn in sorted(arns)]
        return tuple(key for key in seen if isinstance(key, ObservedKey))

    async def _look(self, connection: Connection, index: KeyIndex, arn: str, asked: Asked) -> ObservedKey | Missing | None:
        found = await observe_candidate(connection, arn, asked)
        if index.is_new(arn, asyncio.get_running_loop().time()) and not _shows_an_owner(found):
            told = f"KMS does not show the key {arn}, which was made minutes ago for an object of this name, everywhere yet"
            raise RetryableError(Failure(FailureKind.RETRY, "DescribeKey", "NotFoundException", told))
        return found

    def remember(self, connection: Connection, owner: str, arn: str) -> None:
        """A key that was made or claimed just now; the tag index will know it in some minutes."""
        self._place(connection).index.note_new(owner, arn, asyncio.get_running_loop().time())

    def saw(self, connection: Connection, key: ObservedKey) -> None:
        """A pass has observed this key; AWS's lists may not show it yet."""
        tags = key.tags
        if not isinstance(tags, Unobservable) and tags.get(CLUSTER_TAG) == self._cluster_id and OWNER_TAG in tags:
            self._place(connection).index.note(tags[OWNER_TAG], key.arn)

    def _place(self, connection: Connection) -> _Place:
        return self._places[connection.account_id, connection.region]

    async def _read_again(self, connection: Connection, place: _Place, owner: str) -> Iterable[str]:
        """One reading for all who wait; it goes on when one of them gives up. The keys of this name, where it is asked for by itself."""
        loading = place.loading
        if loading is None:
            loading = place.loading = asyncio.create_task(self._load(connection, place.index), name="load earlier keys")
            loading.add_done_callback(place.loaded)
        if place.index.took > BRIEF_SECONDS:
            with contextlib.suppress(AWSError):  # told by the reading, which is waited for then
                return await _indexed(connection, {CLUSTER_TAG: self._cluster_id, OWNER_TAG: owner})
        await asyncio.shield(loading)
        return ()

    async def _load(self, connection: Connection, index: KeyIndex) -> None:
        clock = asyncio.get_running_loop().time
        index.begin(clock())
        with nobodys():
            indexed = await self._all_indexed(connection, is_first=not index.was_read)
            scan = await _scanned(connection, indexed)
        tagged = (indexed or {}) | scan.tags
        ours = ((tags[OWNER_TAG], arn) for arn, tags in tagged.items() if tags.get(CLUSTER_TAG) == self._cluster_id and OWNER_TAG in tags)
        index.end(ours, clock(), whole=indexed is not None or scan.whole, cost=_cost(len(indexed or {}), scan))

    async def _all_indexed(self, connection: Connection, *, is_first: bool) -> dict[str, Tags] | None:
        """The tags of the keys that the tag index shows; None where it cannot be asked: denied, or no such endpoint here."""
        try:
            return await _indexed(connection, {CLUSTER_TAG: self._cluster_id})
        except AWSError as error:
            # Others, who use its quota up, may make the first reading late, but do not hold up new objects again and again.
            if is_first and error.failure.code in THROTTLING_CODES:
                raise
            log.warning("tag_index_unknown", operation=error.failure.operation, code=error.failure.code, account=connection.account_id)
            return None


def _shows_an_owner(found: ObservedKey | Missing | None) -> bool:
    """Whether it is seen whole; what is no key of ours is not waited for."""
    return found is None or (isinstance(found, ObservedKey) and (isinstance(found.tags, Unobservable) or OWNER_TAG in found.tags))


class _Scan:
    """The tags of the keys that the index does not show. whole: none was left out. listed: how many there are; asked: how many were read."""

    def __init__(self, *, whole: bool, listed: int = 0) -> None:
        self.tags: dict[str, Tags] = {}
        self.whole = whole
        self.listed = listed
        self.asked = 0

    async def read(self, connection: Connection, arns: Iterator[str]) -> None:
        """One of several readers that share the iterator. A key that is gone has no tags; one that hides them may be ours."""
        for arn in arns:
            self.asked += 1
            try:
                found = await TAGS.read(connection, {"KeyId": arn}, tries=SCAN_TRIES)
            except NotFoundError:
                continue
            except BlockedError as error:
                if self.whole:
                    log.info("tags_hidden", key=arn, code=error.failure.code)
                self.whole = False
                continue
            self.tags[arn] = decode("ListResourceTags", functools.partial(_pairs, found, "TagKey", "TagValue"))


async def _indexed(connection: Connection, tags: Tags) -> dict[str, Tags]:
    filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    wanted = {"TagFilters": filters, "ResourceTypeFilters": ["kms:key"], "ResourcesPerPage": INDEX_PAGE}
    found = await TAGGED.read(connection, wanted, tries=SCAN_TRIES)
    return decode("GetResources", lambda: {one["ResourceARN"]: _pairs(one["Tags"], "Key", "Value") for one in found})


async def _scanned(connection: Connection, indexed: Container[str] | None) -> _Scan:
    """A look at the keys that the index does not show; at none if there are too many, and at all if there is no index."""
    try:
        listed = await KEYS.read(connection, {"Limit": LIST_PAGE}, tries=SCAN_TRIES)
    except BlockedError:
        return _Scan(whole=False)
    arns = [arn for arn in decode("ListKeys", lambda: [key["KeyArn"] for key in listed]) if indexed is None or arn not in indexed]
    if indexed is not None and len(arns) > MOST_SCANNED:
        return _Scan(whole=False, listed=len(listed))
    scan, remaining = _Scan(whole=True, listed=len(listed)), iter(arns)
    async with reading() as group:
        for _ in range(READERS):
            group.create_task(scan.read(connection, remaining))
    return scan


def _cost(indexed: int, scan: _Scan) -> float:
    """For how many seconds a reading took the whole quota of the operation of which it took most."""
    calls = {"GetResources": indexed / INDEX_PAGE, "ListKeys": scan.listed / LIST_PAGE, "ListResourceTags": scan.asked}
    return max(number / PER_SECOND[operation] for operation, number in calls.items())


def _pairs(tags: list[dict[str, str]], key: str, value: str) -> Tags:
    return {tag[key]: tag[value] for tag in tags}
