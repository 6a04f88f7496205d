"""What users do to their KMSKeys in a random life.

They write only specs that can be reached, that wait for the key to be enabled, or that are refused for a reason; two objects never want the
same alias; and what is fixed about a key they leave as it is.
"""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.simulation.etcd import Json
from tests.simulation.losses import has_lost
from tests.simulation.machine_base import Life
from tests.simulation.machine_specs import FIXED, LOCKED, PLAIN, REGIONS, SPECIAL, TAGS, WHO, WRONG, as_managed, fitting

WIPED = st.sampled_from([[], ["conditions"], ["managedTagKeys"], ["policy", "drift"], ["keyId", "keyArn"], ["aliases", "grants"]])


class Users(Life):
    """Of one namespace."""

    @rule(who=WHO, plain=PLAIN, special=SPECIAL)
    def apply(self, who: int, plain: Json, special: Json) -> None:
        self._declare(self.cast[who], plain, special)

    @rule(who=WHO, reason=st.sampled_from(sorted(WRONG)))
    def apply_what_cannot_be(self, who: int, reason: str) -> None:
        self.did(f"apply {reason}")
        self._declare(self.cast[who], WRONG[reason], {})

    @rule(who=WHO)
    def lock_everybody_out(self, who: int) -> None:
        """And mean it."""
        if self._change(who, LOCKED):
            self.did("apply LOCKED")

    @rule(who=WHO, token=st.sampled_from(["1", "2", "3"]))
    def rotate(self, who: int, token: str) -> None:
        self._change(who, {"rotateOnDemand": token}, "signing")

    @rule(who=WHO, policy=st.sampled_from(["ScheduleKeyDeletion", "Delete", "Retain", "DisableKey", "ForceDelete"]))
    def choose_what_deletion_does(self, who: int, policy: str) -> None:
        self._change(who, {"deletionPolicy": policy})

    @precondition(lambda self: self.live and self.world.find("global") is not None)
    @rule(regions=REGIONS, tags=TAGS)
    def change_regions(self, regions: list[Json], tags: Json) -> None:
        """Of the multi-Region key, and little else: what left may come back soon, and is to be what the key is by then."""
        if self._change(self.cast.index("global"), {"replicas": regions, "tags": tags}):
            self.did("change regions")

    @precondition(lambda self: self.live and self._adopting())
    @rule(who=WHO)
    def change_what_is_managed(self, who: int) -> None:
        """Only an object that names the key which it takes over may observe it."""
        adopting = self._adopting()
        who = adopting[who % len(adopting)]
        before = self.promises.specs.get(self.cast[who], {})
        policy = "Full" if before.get("managementPolicy") == "Observe" else "Observe"
        if self._change(who, {"managementPolicy": policy}):
            self.did(f"choose {policy}")

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

    @rule(who=WHO)
    def take_the_finalizer_away(self, who: int) -> None:
        """An object on its way out goes, and leaves its key behind; to one that lives it is given back."""
        found = self.world.find(self.cast[who])
        if found is not None and "finalizers" in found["metadata"]:
            self.did("take the finalizer away")
            self.promises.unprotected.add(found["metadata"]["uid"])
            self.world.patch(self.cast[who], {"metadata": {"finalizers": None}})

    @rule(who=WHO, fields=WIPED)
    def wipe_the_status(self, who: int, fields: list[str]) -> None:
        """Or fields of it. Not where nothing else knows: of a key that is lost, of replicas in regions that the spec does not name any more."""
        name = self.cast[who]
        found = self.world.find(name)
        if found is not None and "status" in found and name != "global" and not has_lost(self.world, found):
            self.did("wipe the status")
            self.world.patch(name, {"status": dict.fromkeys(fields) or None}, "status")

    def write(self, name: str, spec: Json) -> bool:
        """Unless the object is on its way out; whether it was done."""
        found = self.world.find(name)
        if found is not None and "deletionTimestamp" in found["metadata"]:
            return False
        self.did("apply")
        for field in ("replicas", "rotateOnDemand", "adopt", "providerRef"):
            if field in spec:
                self.did(f"apply with {field}")
        self.promises.specs[name] = spec
        self.world.apply(name, **spec)
        return True

    def _declare(self, name: str, plain: Json, special: Json) -> None:
        self.write(name, fitting(name, plain, special) | as_managed(name, self.promises.specs.get(name)))

    def _adopting(self) -> list[int]:
        return [who for who, name in enumerate(self.cast) if "adopt" in FIXED.get(name, {})]

    def _change(self, who: int, fields: Json, *excepted: str) -> bool:
        """Some fields of an object that is there; whether it was done."""
        name = self.cast[who]
        there = name not in excepted and self.world.find(name) is not None
        return there and self.write(name, self.promises.specs[name] | fields)
