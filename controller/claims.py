"""The KMSAliases, as the keys see them on which they have put their names: such a name is no alias of the key's own object."""

from controller.decoding import read_status
from controller.dependent_objects import read_dependent
from controller.store import Store
from reconcilers.alias_fields import KMSAliasSpec, KMSAliasStatus
from reconcilers.kmsalias import alias_of, claimed, unclaimed
from reconcilers.states import KeyObject, ObservedKey, Problem


class AliasClaims:
    """`store` holds the KMSAliases of the cluster."""

    def __init__(self) -> None:
        self.store = Store()

    def on(self, seen: ObservedKey, key: KeyObject) -> ObservedKey:
        """What was seen of the object's key, without the aliases that are others'. Costs nothing where the object has all it wants."""
        wishes = unclaimed(key)
        return claimed(seen, wishes, self._claims(seen.arn)) if wishes else seen

    def _claims(self, arn: str) -> dict[str, str]:
        """Who has put which alias on this key. Most objects are told apart without being read."""
        found: dict[str, str] = {}
        wanted = arn.encode()
        for obj in self.store:
            if wanted not in obj.status or arn not in read_status(obj, KMSAliasStatus).placed_on:
                continue
            spec = read_dependent(obj, KMSAliasSpec)
            if not isinstance(spec, Problem):
                found[alias_of(spec)] = f"KMSAlias {obj.ref}"
        return found
