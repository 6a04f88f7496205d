"""The KMSAliases, as the keys see them on which they have put their names: such a name is no alias of the key's own object.

Where other processes work on some of them, they are read from the server: one list for each look at a key that lacks an alias it wants.
"""

from collections.abc import Iterable

from controller.decoding import read_status
from controller.dependent_objects import read_dependent
from controller.kmsaliases import KMSALIASES
from controller.objects import KubeObject
from controller.partition import Others
from controller.store import Store
from reconcilers.alias_fields import KMSAliasSpec, KMSAliasStatus
from reconcilers.kmsalias import alias_of, claimed, unclaimed
from reconcilers.states import KeyObject, ObservedKey, Problem


class AliasClaims:
    """`store` holds the KMSAliases, as far as they are this process's."""

    def __init__(self, others: Others) -> None:
        self.store = Store()
        self._others = others

    async def on(self, seen: ObservedKey, key: KeyObject) -> ObservedKey:
        """What was seen of the object's key, without the aliases that are others'. Costs nothing where the object has all it wants.

        Raises KubeError.
        """
        wishes = unclaimed(key)
        if not wishes:
            return seen
        return claimed(seen, wishes, _claims([*self.store, *await self._others.all(KMSALIASES)], seen.arn))


def _claims(aliases: Iterable[KubeObject], arn: str) -> dict[str, str]:
    """Who has put which alias on this key. Most objects are told apart without being read."""
    found: dict[str, str] = {}
    wanted = arn.encode()
    for obj in aliases:
        if wanted not in obj.status or arn not in read_status(obj, KMSAliasStatus).placed_on:
            continue
        spec = read_dependent(obj, KMSAliasSpec)
        if not isinstance(spec, Problem):
            found[alias_of(spec)] = f"KMSAlias {obj.ref}"
    return found
