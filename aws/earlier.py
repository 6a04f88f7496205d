"""The keys of this cluster by the object that their owner tag names: how an object that was deleted and made again finds its key.

Rules:
1. The tag index is read once for each account and region, at the first need; keys that we make are added as they are made. So a new object
   costs no call. What another process tags meanwhile is seen by the next process.
2. A key is shown only as it is when it is asked for: observed, with its tags read, and nothing of what the index said believed.
3. Whoever may not read the index gets no key back, only new ones. That is said in the log; the policy that we print allows it.
"""

import asyncio
from collections import defaultdict

import structlog

from aws.answers import TAGGED, decode
from aws.clients import Connection
from aws.errors import BlockedError, StalledError
from aws.kms import observe_key
from reconcilers.names import CLUSTER_TAG, OWNER_TAG
from reconcilers.states import ObservedKey

log = structlog.get_logger()

DENIED_SECONDS = 600.0  # a permission that was missing is tried again after ten minutes


class _Place:
    """One account and region: owner to ARNs, and until when (loop time) the index is good."""

    def __init__(self) -> None:
        self.arns: defaultdict[str, set[str]] = defaultdict(set)
        self.good_until = 0.0
        self.turn = asyncio.Lock()


class EarlierKeys:
    """One for the process, and for one cluster."""

    def __init__(self, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._places: defaultdict[tuple[str, str], _Place] = defaultdict(_Place)

    async def of(self, connection: Connection, owner: str, *, policy: bool) -> tuple[ObservedKey, ...]:
        """The keys whose owner tag is this namespace/name, each observed (with its policy on request). Raises AWSError."""
        place = self._places[connection.account_id, connection.region]
        async with place.turn:
            if asyncio.get_running_loop().time() >= place.good_until:
                await self._load(connection, place)
        seen = [await observe_key(connection, arn, policy=policy) for arn in sorted(place.arns.get(owner, ()))]
        return tuple(key for key in seen if isinstance(key, ObservedKey))

    def remember(self, connection: Connection, owner: str, arn: str) -> None:
        """A key that was made just now; the tag index will know it in some minutes."""
        self._places[connection.account_id, connection.region].arns[owner].add(arn)

    async def _load(self, connection: Connection, place: _Place) -> None:
        filters = [{"Key": CLUSTER_TAG, "Values": [self._cluster_id]}]
        try:
            found = await TAGGED.read(
                connection, {"TagFilters": filters, "ResourceTypeFilters": ["kms:key"], "ResourcesPerPage": 100}
            )
        except (BlockedError, StalledError) as error:
            log.warning(
                "earlier_keys_unknown", operation=error.failure.operation, code=error.failure.code, account=connection.account_id
            )
            place.good_until = asyncio.get_running_loop().time() + DENIED_SECONDS
            return
        for arn, tags in decode("GetResources", lambda: [(one["ResourceARN"], one.get("Tags", ())) for one in found]):
            for tag in tags:
                if tag["Key"] == OWNER_TAG:
                    place.arns[tag["Value"]].add(arn)
        place.good_until = float("inf")
