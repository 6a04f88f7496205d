"""What users do to their KMSKeys in a random life.

They write only specs that can be reached, that wait for the key to be enabled, or that are refused for a reason; two objects never want the
same alias; and what is fixed about a key they leave as it is.
"""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.simulation.etcd import Json
from tests.simulation.machine_base import Life
from tests.simulation.machine_specs import PLAIN, SPECIAL, WHO, WRONG, fitting


class Users(Life):
    """Of one namespace."""

    @rule(who=WHO, plain=PLAIN, special=SPECIAL)
    def apply(self, who: int, plain: Json, special: Json) -> None:
        name = self.cast[who]
        self.write(name, fitting(name, plain, special))

    @rule(who=WHO, reason=st.sampled_from(sorted(WRONG)))
    def apply_what_cannot_be(self, who: int, reason: str) -> None:
        self.did(f"apply {reason}")
        self.write(self.cast[who], fitting(self.cast[who], WRONG[reason], {}))

    @rule(who=WHO, token=st.sampled_from(["1", "2", "3"]))
    def rotate(self, who: int, token: str) -> None:
        self._change(who, "rotateOnDemand", token, "signing")

    @rule(who=WHO, policy=st.sampled_from(["ScheduleKeyDeletion", "Delete", "Retain", "DisableKey", "ForceDelete"]))
    def choose_what_deletion_does(self, who: int, policy: str) -> None:
        self._change(who, "deletionPolicy", policy)

    @rule(who=WHO)
    def delete(self, who: int) -> None:
        if self.world.find(self.cast[who]) is not None:
            self.did("delete")
            self.world.delete(self.cast[who])

    @rule(who=WHO)
    def touch(self, who: int) -> None:
        name = self.cast[who]
        if self.world.find(name) is not None:
            self.did("touch")
            self.world.patch(name, {"metadata": {"annotations": {"touched": str(self.world.time)}}})

    def write(self, name: str, spec: Json) -> None:
        """Unless the object is on its way out."""
        found = self.world.find(name)
        if found is not None and "deletionTimestamp" in found["metadata"]:
            return
        self.did("apply")
        for field in ("replicas", "rotateOnDemand", "adopt", "providerRef"):
            if field in spec:
                self.did(f"apply with {field}")
        self.promises.specs[name] = spec
        self.world.apply(name, **spec)

    def _change(self, who: int, field: str, value: str, *excepted: str) -> None:
        """One field of an object that is there."""
        name = self.cast[who]
        if name not in excepted and self.world.find(name) is not None:
            self.write(name, self.promises.specs[name] | {field: value})
