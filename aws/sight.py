"""What there is to see of an object's key: the remembered one, or those that the object may have without knowing it.

Rules:
1. An id that is remembered is looked at, and nothing else. Missing is an answer, never a reason to look for another key.
2. Without one, the key of an earlier object of the same name may come back; and if a CreateKey may have been sent, its key is searched for:
   every key of the account once `create_grace` is over, the tag index before.
3. What the object does not manage is not read.
"""

from dataclasses import replace
from datetime import datetime

from aws import kms
from aws.clients import Connection
from aws.earlier import EarlierKeys
from aws.search import Search
from reconcilers.names import KMSKEY_FINALIZER
from reconcilers.ownership import owner
from reconcilers.searches import grace_is_over, nothing_was_made
from reconcilers.states import KeyObject, NotCreated, Operator, Seen
from reconcilers.wanted import asked


class Sight:
    """One for the process; it remembers which keys it need not read again."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._search = Search()
        self._earlier = EarlierKeys(operator.cluster_id)

    def remember(self, connection: Connection, owner_name: str, arn: str) -> None:
        """A key that was made just now: the tag index will know it in some minutes."""
        self._earlier.remember(connection, owner_name, arn)

    async def observe(self, connection: Connection, key: KeyObject, now: datetime) -> Seen:
        """The observation that a plan for this object is made from. Raises AWSError."""
        wish = asked(key)
        if key.status.key_id is not None:
            return await kms.observe_key(connection, key.status.key_arn or key.status.key_id, wish)
        earlier = await self._earlier.of(connection, owner(key.namespace, key.name), wish)
        untouched = key.status.creation_attempt is None and KMSKEY_FINALIZER not in key.finalizers
        if untouched or nothing_was_made(key):
            return NotCreated(earlier)
        thorough = grace_is_over(key, self._operator, now)
        found = await self._search.find_owned(connection, self._operator.cluster_id, key.uid, thorough=thorough, asked=wish)
        return replace(found, earlier=earlier)
