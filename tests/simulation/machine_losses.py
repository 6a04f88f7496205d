"""What is lost in a random life: the window of a key ends that others had scheduled for deletion, and its user may want another one.

KMS ends no primary that has replicas, and so none that has them is lost.
"""

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from reconcilers.names import RECREATE_ANNOTATION
from tests.simulation.machine_base import Life

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
        key = self.world.key(name)
        self.promises.destroyed.add(key.key_id)
        self.world.kms.destroy(key.arn)
        if is_known:
            self._ask_for_another(name)

    @precondition(lambda self: self.live and self._remembering())
    @rule(which=WHICH)
    def ask_for_another(self, which: int) -> None:
        """It may not be lost yet, or never."""
        names = self._remembering()
        self._ask_for_another(names[which % len(names)])

    def _ask_for_another(self, name: str) -> None:
        self.did("ask for another key")
        self.world.patch(name, {"metadata": {"annotations": {RECREATE_ANNOTATION: self.world.status(name)["keyId"]}}})

    def _with_keys(self) -> list[str]:
        """Those whose key is there, without any of its like, and that are not on their way out."""
        there = Counter(key.key_id for key in self.world.kms.keys)
        names = self._remembering()
        return [name for name in names if there[self.world.status(name)["keyId"]] == 1 and not self._is_leaving(name)]

    def _remembering(self) -> list[str]:
        return [name for name in self.cast if self.world.find(name) is not None and "keyId" in self.world.status(name)]

    def _is_leaving(self, name: str) -> bool:
        found = self.world.find(name)
        return found is not None and "deletionTimestamp" in found["metadata"]
