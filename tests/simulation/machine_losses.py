"""What is lost in a random life: the window of a key ends that others had scheduled for deletion, and its user may want another one.

KMS ends no primary that has replicas: a multi-Region key is lost in all regions, the primary last, or a replica is lost alone. An object whose
own key was made a replica, and lost alone, is left out: what there is in other regions is nothing to an object that has lost its key.
"""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from reconcilers.names import RECREATE_ANNOTATION
from tests.simulation.kms_keys import Key
from tests.simulation.machine_base import Life
from tests.simulation.world import REGION

WHICH = st.integers(0, 2)


class Losses(Life):
    """Of living objects."""

    @precondition(lambda self: self.live and self._with_keys())
    @rule(which=WHICH, is_known=st.booleans())
    def lose_a_key(self, which: int, is_known: bool) -> None:
        """is_known: the user asks for another one at once."""
        names = self._with_keys()
        name = names[which % len(names)]
        self.did("lose a key")
        key_id = self.world.key(name).key_id
        self.promises.destroyed.add(key_id)
        for key in [one for one in self.world.kms.keys if one.key_id == key_id]:
            self._destroy(name, key)
        if is_known:
            self._ask_for_another(name)

    @precondition(lambda self: self.live and self._replicas())
    @rule(which=WHICH)
    def lose_a_replica(self, which: int) -> None:
        """It is made anew, if the spec asks for it and the primary is where it was."""
        replicas = self._replicas()
        self.did("lose a replica")
        self._destroy(*replicas[which % len(replicas)])

    @precondition(lambda self: self.live and self._remembering())
    @rule(which=WHICH)
    def ask_for_another(self, which: int) -> None:
        """It may not be lost yet, or never."""
        names = self._remembering()
        self._ask_for_another(names[which % len(names)])

    def _ask_for_another(self, name: str) -> None:
        self.did("ask for another key")
        self.world.patch(name, {"metadata": {"annotations": {RECREATE_ANNOTATION: self.world.status(name)["keyId"]}}})

    def _destroy(self, name: str, key: Key) -> None:
        self.promises.lost_replicas[name, key.region] += key.region != REGION
        self.world.kms.destroy(key.arn)

    def _replicas(self) -> list[tuple[str, Key]]:
        """Each with the name of its object."""
        with_keys = {self.world.key(name).key_id: name for name in self._with_keys()}
        replicas = (key for key in self.world.kms.keys if key.is_replica and key.region != REGION)
        return [(with_keys[key.key_id], key) for key in replicas if key.key_id in with_keys]

    def _with_keys(self) -> list[str]:
        """Those whose key is there, and that are not on their way out."""
        there = {key.arn for key in self.world.kms.keys}
        names = self._remembering()
        return [name for name in names if self.world.status(name)["keyArn"] in there and not self._is_leaving(name)]

    def _remembering(self) -> list[str]:
        return [name for name in self.cast if self.world.find(name) is not None and "keyId" in self.world.status(name)]

    def _is_leaving(self, name: str) -> bool:
        found = self.world.find(name)
        return found is not None and "deletionTimestamp" in found["metadata"]
