"""What there is to see of an object's key: the remembered one, or those that the object may have without knowing it.

Rules:
1. An id that is remembered is looked at, and nothing else. Missing is an answer, and no reason to look for another key unless the user asks
   for one by the lost key's id; it says what there is of the key in other regions that the object remembers.
   A key that is not the object's is offered to it only if it is the one that spec.adopt names, or an older operator's.
2. Without one, the key that spec.adopt names is offered. Where there is none, the key of an earlier object of the same name may come back;
   and if a CreateKey may have been sent, its key is searched for: every key of the account once `create_grace` is over, the tag index before.
3. The key that the annotation key-id names is looked at too, where no id is remembered.
4. What the object does not manage is not read.
"""

from dataclasses import replace
from datetime import datetime

from aws import kms
from aws.adoption import named_key
from aws.clients import Connection
from aws.earlier import EarlierKeys
from aws.replicas import left_of, with_replicas
from aws.search import Search, observe_candidate
from reconcilers.adoption_fields import Adoption
from reconcilers.hints import hinted_id, with_hinted
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.older_operator import made_by_older_operator
from reconcilers.ownership import belongs, owner
from reconcilers.recreation import is_replacing, left_elsewhere, to_be_replaced
from reconcilers.searches import grace_is_over, nothing_was_made
from reconcilers.states import Asked, Candidates, KeyObject, Missing, NotCreated, ObservedKey, Offered, Operator, Seen
from reconcilers.wanted import asked


class Sight:
    """One for the process; it remembers which keys it need not read again."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._search = Search()
        self._earlier = EarlierKeys(operator.cluster_id)

    def remember(self, connection: Connection, owner_name: str, arn: str) -> None:
        """A key that was made or claimed just now: the tag index will know it in some minutes."""
        self._earlier.remember(connection, owner_name, arn)

    async def observe(self, connection: Connection, key: KeyObject, now: datetime) -> Seen:
        """The observation that a plan for this object is made from. Raises AWSError."""
        wish = asked(key)
        seen = await self._observe(connection, key, wish, now)
        for one in _shown(seen):
            self._earlier.saw(connection, one)
        return await self._everywhere(connection, seen, wish)

    async def look(self, connection: Connection, key: str, wish: Asked) -> ObservedKey | Missing:
        """One key (id or ARN) with its replicas. Raises AWSError."""
        seen = await kms.observe_key(connection, key, wish)
        return seen if isinstance(seen, Missing) else await with_replicas(connection, seen, wish)

    async def _observe(self, connection: Connection, key: KeyObject, wish: Asked, now: datetime) -> Seen:
        if key.status.key_id is not None:
            return await self._remembered(connection, key, wish, now)
        if key.spec.adopt is None or key.deleting or key.status.creation_attempt is not None:
            return await self._own(connection, key, wish)
        offered = await named_key(connection, key.spec.adopt, wish)
        if offered.found is not None or key.spec.observes:
            return offered
        return replace(offered, otherwise=await self._own(connection, key, wish))

    async def _remembered(self, connection: Connection, key: KeyObject, wish: Asked, now: datetime) -> Seen:
        if is_replacing(key):
            return await self._own(connection, key, wish)
        seen = await kms.observe_key(connection, key.status.key_arn or key.status.key_id or "", wish)
        if isinstance(seen, Missing):
            seen = await left_of(connection, seen, key.status.key_arn, wish)
            is_due = to_be_replaced(key, seen, now) and not left_elsewhere(key, seen, self._operator.cluster_id)
            return await self._own(connection, key, wish) if is_due else seen
        if belongs(key, seen, self._operator.cluster_id):
            return seen
        adopt = Adoption(key_id=seen.key_id) if made_by_older_operator(key, seen) else key.spec.adopt
        if adopt is None or key.spec.observes or key.deleting:
            return seen
        offered = await named_key(connection, adopt, wish)
        return offered if offered.found is not None and offered.found.arn == seen.arn else seen

    async def _own(self, connection: Connection, key: KeyObject, wish: Asked) -> NotCreated | Candidates:
        """What there may be of a key that was made for this object or for an earlier one of its name."""
        hint = hinted_id(key)
        hinted = await observe_candidate(connection, hint, wish, named=True) if hint else None
        hinted = hinted if isinstance(hinted, ObservedKey) else None
        return with_hinted(key, hinted, await self._sought(connection, key, wish), self._operator.cluster_id)

    async def _sought(self, connection: Connection, key: KeyObject, wish: Asked) -> NotCreated | Candidates:
        earlier = await self._earlier.of(connection, owner(key.namespace, key.name), wish)
        untouched = key.status.creation_attempt is None and KMSKEY_FINALIZER not in key.finalizers
        if key.status.key_id is None and (untouched or nothing_was_made(key)):
            return NotCreated(earlier)
        thorough = grace_is_over(key, self._operator)
        found = await self._search.find_owned(connection, self._operator.cluster_id, key.uid, thorough=thorough, asked=wish)
        return replace(found, earlier=earlier)

    async def _everywhere(self, connection: Connection, seen: Seen, wish: Asked) -> Seen:
        """The same with the replicas of a key that may become or stay the object's."""
        match seen:
            case ObservedKey():
                return await with_replicas(connection, seen, wish)
            case Offered(found=ObservedKey() as found):
                return replace(seen, found=await with_replicas(connection, found, wish))
            case Candidates():
                keys, earlier = await _each(connection, seen.keys, wish), await _each(connection, seen.earlier, wish)
                return replace(seen, keys=keys, earlier=earlier)
            case NotCreated():
                return NotCreated(await _each(connection, seen.earlier, wish))
            case _:
                return seen


def _shown(seen: Seen) -> tuple[ObservedKey, ...]:
    match seen:
        case ObservedKey():
            return (seen,)
        case Offered(found=ObservedKey() as found):
            return (found,)
        case Candidates():
            return seen.keys
        case _:
            return ()


async def _each(connection: Connection, keys: tuple[ObservedKey, ...], wish: Asked) -> tuple[ObservedKey, ...]:
    return tuple([await with_replicas(connection, key, wish) for key in keys])
