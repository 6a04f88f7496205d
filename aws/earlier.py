"""The keys of this cluster by the object that their owner tag names: how an object that was deleted and made again finds its key.

Rules:
1. The tag index is read once for each account and region, at the first need; keys that we make or claim are added at once. So a new object
   costs no call. What another process tags meanwhile is seen by the next process.
   The index is minutes late, so the keys that it does not show are looked at too, up to MOST_SCANNED of them: an account with more keys of
   others relies on the index, and may make a second key for an object that was deleted, and made again, across a restart within minutes.
2. A key is shown only as it is when it is asked for: observed, with its tags read, and nothing of what the index said believed.
3. What is remembered of a key, some 400 bytes, stays as long as the process: within its window a key may come back, and nobody tells later
   that it is gone for good.
4. Where neither the index nor the list of keys can be read, no key comes back and new ones are made. That is said in the log.
"""

import asyncio
import contextlib
import functools
from collections import defaultdict
from collections.abc import Container, Iterator

import structlog

from aws.answers import KEYS, TAGGED, TAGS, decode, reading, was_seen
from aws.clients import Connection
from aws.errands import nobodys
from aws.errors import AWSError, BlockedError, NotFoundError
from aws.search import READERS, observe_candidate
from reconcilers.codes import THROTTLING_CODES
from reconcilers.names import CLUSTER_TAG, OWNER_TAG
from reconcilers.states import Asked, ObservedKey

log = structlog.get_logger()

MOST_SCANNED = 1000  # two seconds at our half of KMS's quota for ListResourceTags
DENIED_SECONDS = 600.0  # a permission that was missing is tried again after ten minutes


class _Place:
    """One account and region: owner to ARNs, and until when (loop time) the index is good."""

    def __init__(self) -> None:
        self.arns: defaultdict[str, set[str]] = defaultdict(set)
        self.good_until = 0.0
        self.loading: asyncio.Task[None] | None = None


class EarlierKeys:
    """One for the process, and for one cluster."""

    def __init__(self, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._places: defaultdict[tuple[str, str], _Place] = defaultdict(_Place)

    async def of(self, connection: Connection, owner: str, asked: Asked) -> tuple[ObservedKey, ...]:
        """The keys whose owner tag is this namespace/name, each observed. Raises AWSError."""
        place = self._places[connection.account_id, connection.region]
        if asyncio.get_running_loop().time() >= place.good_until:
            await self._loaded(connection, place)
        seen = [await observe_candidate(connection, arn, asked) for arn in sorted(place.arns.get(owner, ()))]
        return tuple(key for key in seen if isinstance(key, ObservedKey))

    def remember(self, connection: Connection, owner: str, arn: str) -> None:
        """A key that was made or claimed just now; the tag index will know it in some minutes."""
        self._places[connection.account_id, connection.region].arns[owner].add(arn)

    async def _loaded(self, connection: Connection, place: _Place) -> None:
        """One load for all who wait; it goes on when one of them gives up."""
        if place.loading is None or place.loading.done():
            place.loading = asyncio.create_task(self._load(connection, place), name="load earlier keys")
            place.loading.add_done_callback(was_seen)
        await asyncio.shield(place.loading)

    async def _load(self, connection: Connection, place: _Place) -> None:
        with nobodys():
            indexed = await self._indexed(connection)
            unindexed = await self._unindexed(connection, indexed or {})
        for arn, tags in ((indexed or {}) | (unindexed or {})).items():
            if tags.get(CLUSTER_TAG) == self._cluster_id and OWNER_TAG in tags:
                place.arns[tags[OWNER_TAG]].add(arn)
        known = indexed is not None or unindexed is not None
        place.good_until = float("inf") if known else asyncio.get_running_loop().time() + DENIED_SECONDS

    async def _indexed(self, connection: Connection) -> dict[str, dict[str, str]] | None:
        """The tags of the keys that the tag index shows; None where it cannot be asked: denied, or no such endpoint here."""
        filters = [{"Key": CLUSTER_TAG, "Values": [self._cluster_id]}]
        try:
            found = await TAGGED.read(connection, {"TagFilters": filters, "ResourceTypeFilters": ["kms:key"], "ResourcesPerPage": 100})
        except AWSError as error:
            if error.failure.code in THROTTLING_CODES:
                raise
            log.warning("tag_index_unknown", operation=error.failure.operation, code=error.failure.code, account=connection.account_id)
            return None
        return decode("GetResources", lambda: {one["ResourceARN"]: _pairs(one["Tags"], "Key", "Value") for one in found})

    async def _unindexed(self, connection: Connection, indexed: Container[str]) -> dict[str, dict[str, str]] | None:
        """The tags of the keys that the index does not show; None if there are too many, or if we may not look."""
        try:
            listed = await KEYS.read(connection, {"Limit": 1000})
        except BlockedError:
            return None
        arns = [arn for arn in decode("ListKeys", lambda: [key["KeyArn"] for key in listed]) if arn not in indexed]
        if len(arns) > MOST_SCANNED:
            return None
        tags: dict[str, dict[str, str]] = {}
        remaining = iter(arns)
        async with reading() as group:
            for _ in range(READERS):
                group.create_task(_read_tags(connection, remaining, tags))
        return tags


async def _read_tags(connection: Connection, arns: Iterator[str], tags: dict[str, dict[str, str]]) -> None:
    """One of several readers that share the iterator. A key that is gone or hides its tags is none of ours."""
    for arn in arns:
        with contextlib.suppress(BlockedError, NotFoundError):
            found = await TAGS.read(connection, {"KeyId": arn})
            tags[arn] = decode("ListResourceTags", functools.partial(_pairs, found, "TagKey", "TagValue"))


def _pairs(tags: list[dict[str, str]], key: str, value: str) -> dict[str, str]:
    return {tag[key]: tag[value] for tag in tags}
