"""What users do to the KMSAliases and KMSGrants of a random life: they point at keys that come and go, and are pointed at other ones.

Names tell where the key is: "far" is on the key of the second account, all others on keys of the first. Nothing
is hung on a key that is only observed, so that nobody of the cast has anything to write there.
"""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.simulation.dependents import Thing, alias, grant
from tests.simulation.machine_base import Life
from tests.simulation.machine_specs import DEPENDENT_POLICIES, OPERATIONS, WHO, dependent_spec
from tests.simulation.watched import WATCHED

READER = "arn:aws:iam::123456789012:role/reader"
NAMES = st.sampled_from(["front", "back"])


class DependentUsers(Life):
    """Of the namespace of the keys."""

    @rule(name=NAMES, who=WHO, policy=DEPENDENT_POLICIES)
    def put_an_alias(self, name: str, who: int, policy: str | None) -> None:
        name = self._placed(name, who)
        if self.cast[who] != WATCHED and self._is_free(alias(self.world, name)):
            self.did("put an alias")
            alias(self.world, name).apply(**dependent_spec(self.cast[who], aliasName=name, deletionPolicy=policy))

    @rule(name=NAMES, who=WHO, operations=OPERATIONS, policy=DEPENDENT_POLICIES)
    def give_a_right(self, name: str, who: int, operations: list[str], policy: str | None) -> None:
        name, rights = self._placed(name, who), ["Sign"] if self.cast[who] == "signing" else operations
        if self.cast[who] != WATCHED and self._is_free(grant(self.world, name)):
            self.did("give a right")
            spec = dependent_spec(self.cast[who], granteeRoleArn=READER, operations=rights, name=f"obj-{name}", deletionPolicy=policy)
            grant(self.world, name).apply(**spec)

    @rule(aliases=st.booleans(), name=st.sampled_from(["front", "back", "far"]))
    def take_away(self, aliases: bool, name: str) -> None:
        thing = alias(self.world, name) if aliases else grant(self.world, name)
        if thing.find() is not None:
            self.did("delete a dependent")
            thing.delete()

    def _placed(self, name: str, who: int) -> str:
        return "far" if self.cast[who] == "abroad" else name

    @staticmethod
    def _is_free(thing: Thing) -> bool:
        """Not on its way out."""
        return "deletionTimestamp" not in (thing.find() or {"metadata": {}})["metadata"]
