"""Random lives of a world: users, outsiders, faults, crashes, late caches and pauses in any order, found and shrunk by hypothesis.

Rules:
1. After every step all invariants are checked (invariants.py); at the end everything that goes wrong is switched off, and the world must come
   to rest: every object as declared, every key of a deleted object dealt with, nothing leaked, nothing written any more (at_rest.py).
2. The steps are one idea a file: what users do to keys (machine_users.py) and to what hangs on keys (machine_dependents.py), what others do
   in AWS (machine_others.py), what is lost there (machine_losses.py), what happens on the wires (machine_wires.py) and to the processes
   (machine_processes.py).
3. A run depends on nothing but hypothesis' choices, so that a failing seed fails again.
"""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant

from controller.kube import MERGE_PATCH
from controller.leases import LEASE_NAME
from controller.provider_objects import AWSPROVIDERS
from reconcilers.names import API_VERSION, IS_DEFAULT_ANNOTATION
from reconcilers.waits import LATER
from tests.simulation.at_rest import is_at_rest, is_held_up, wrong_at_rest
from tests.simulation.checks import CHECKED
from tests.simulation.conftest import BUGS
from tests.simulation.etcd import Json
from tests.simulation.kms_model import late
from tests.simulation.kms_quotas import PER_SECOND, RequestQuotas
from tests.simulation.lines import undisturbed
from tests.simulation.machine_dependents import DependentUsers
from tests.simulation.machine_losses import Losses
from tests.simulation.machine_others import CREDENTIALS, OTHER_CANARY, Others
from tests.simulation.machine_processes import Processes
from tests.simulation.machine_specs import BOTH, CASTS, OTHER_PROVIDER, PLAIN, SPECIAL
from tests.simulation.machine_wires import Wires
from tests.simulation.scenarios import GIVEN
from tests.simulation.watched import ALIAS, WATCHED
from tests.simulation.world import NAMESPACE, REGION

# A lost creation's grace, the queue's longest backoff, a permission that was missing: each lasts at most 5 minutes.
REST_SECONDS = 900.0
RESYNC_SECONDS = 67.0
# What was done outside is seen at the second resync where it was taken for an echo of our own write, and mended then; what no answer to
# that write tells is learned at the third.
LOOKS = 3
TAKEOVER_SECONDS = 60.0  # a lease that was just renewed ends, and one who waits for it tries
# How far the first key has come before anything else happens.
BEGUN = st.sampled_from(["only just", "settled", "primary moved", "only just", "primary moved"])


class Machine(Processes, DependentUsers, Others, Losses, Wires):
    """One world, from its beginning to its rest."""

    @initialize(
        pair=st.booleans(),
        kms=st.tuples(st.sampled_from([0, 600]), st.booleans()),
        cast=CASTS,
        plain=PLAIN,
        special=SPECIAL,
        begun=BEGUN,
    )
    def begin(self, pair: bool, kms: tuple[int, bool], cast: tuple[str, ...], plain: Json, special: Json, begun: str) -> None:
        """kms: how late its tag index is, and whether request quotas hold."""
        index_lag, has_quotas = kms
        self.make_world(pair=pair)
        self.world.kms.quotas = RequestQuotas(PER_SECOND if has_quotas else {})
        self.world.kms.lags["GetResources"] = late(index_lag)
        self.index_is_late = index_lag > 0
        self.cast = cast
        self._prepare()
        self.live = True
        self.begin_process()
        self.apply(0, plain, BOTH | special)
        if begun != "only just":
            self.run(self.world.until(lambda: is_at_rest(self.world, self.promises.specs)))
        if begun == "primary moved":
            self.move_a_primary(0)

    @invariant()
    def nothing_is_broken(self) -> None:
        if self.live:
            self.promises.check()

    def teardown(self) -> None:
        try:
            if self.live:
                self.come_to_rest()
        finally:
            self.close()

    def come_to_rest(self) -> None:
        """Nothing goes wrong any more. Raises AssertionError."""
        self._mend()
        self.run(self.world.until(self._is_led, within=TAKEOVER_SECONDS))
        self.run(self.world.advance(RESYNC_SECONDS))
        self._wait_for_rest()
        if any(is_held_up(self.world, name) for name in self.promises.specs):
            self.run(self.world.advance(LATER.total_seconds() + RESYNC_SECONDS))
        for _ in range(LOOKS):
            if not (disorder := self._disorder()):
                break
        CHECKED.update(["I17", "I18", "I22", "I23"])
        assert disorder == [], f"{disorder}\n{self.world.told()}"
        assert list(self.passes.left_behind(self.world)) == []
        self._tell_no_secret()

    def _wait_for_rest(self) -> None:
        self.run(self.world.until(self._is_at_rest, within=REST_SECONDS, step=5.0))

    def _disorder(self) -> list[object]:
        """What is not as it must be, or does not stay so while every object is looked at once more."""
        self._wait_for_rest()
        world, since, told = self.world, self.world.time, self._conditions()
        wrong = [*wrong_at_rest(world, self.promises), *self.passes.failed_too_often(world)]
        self.run(world.advance(RESYNC_SECONDS))
        self.promises.check()
        done = world.traffic.names("aws", since) + world.traffic.names("kube", since)
        del done["PUT leases"]
        return [*wrong, *done, *([] if told == (now := self._conditions()) else [told, now])]

    def _prepare(self) -> None:
        """What is there before the first object."""
        if "adopted" in self.cast:
            self._give("alias/theirs")
        if WATCHED in self.cast:
            self.promises.watched.add(self._give(ALIAS))
        if "abroad" in self.cast:
            self.world.aws.identities.add(OTHER_CANARY)
            self.world.set_secret(OTHER_CANARY, OTHER_PROVIDER)
            default = {"metadata": {"annotations": {IS_DEFAULT_ANNOTATION: "true"}}}
            self.world.user("PATCH", AWSPROVIDERS.path(NAMESPACE, "main"), default, MERGE_PATCH)
            spec = {"region": REGION, "credentialsSecret": {"name": OTHER_PROVIDER}}
            named = {"apiVersion": API_VERSION, "kind": "AWSProvider", "metadata": {"name": OTHER_PROVIDER}, "spec": spec}
            self.world.user("POST", AWSPROVIDERS.path(NAMESPACE), named)

    def _give(self, alias: str) -> str:
        """The ARN of a key that others have made."""
        given = self.world.outside("CreateKey", **GIVEN)["KeyMetadata"]
        self.world.outside("CreateAlias", AliasName=alias, TargetKeyId=given["KeyId"])
        return str(given["Arn"])

    def _mend(self) -> None:
        self.world.traffic.watcher = undisturbed
        self.world.traffic.faults.clear()
        self.world.kms.denied = set()
        self.world.kms.lags = {}
        for credentials in CREDENTIALS.values():
            self.world.aws.identities.add(credentials)
        for replica in self.alive():
            replica.clock.set_right()
            replica.transport.delay = 0.0
            replica.transport.server = self.world.server
            self.in_loop(replica.thaw)
            self.in_loop(replica.transport.cut_streams)

    def _is_led(self) -> bool:
        """By one who stays, and has the lease in the API server's eyes too."""
        self._keep_alive()
        leases = [one["spec"] for one in self.world.etcd.all("leases") if one["metadata"]["name"] == LEASE_NAME]
        holders = {one.get("holderIdentity") for one in leases} or {one.name for one in self.alive()}
        return any(one.lease.leading and one.name in holders and not one.is_ending for one in self.alive())

    def _is_at_rest(self) -> bool:
        CHECKED["I21"] += 1
        self.promises.check()  # what is broken tells more than that there is no rest
        self._keep_alive()
        return is_at_rest(self.world, self.promises.specs)

    def _keep_alive(self) -> None:
        """A replica that lost its lease is started again, as Kubernetes would."""
        if not self.alive():
            self.number += 1
            self.world.start(f"r{self.number}", **self.settings)

    def _conditions(self) -> list[object]:
        kinds = ("kmskeys", "kmsaliases", "kmsgrants", "awsproviders")
        return [obj.get("status", {}).get("conditions") for kind in kinds for obj in self.world.etcd.all(kind)]

    def _tell_no_secret(self) -> None:
        CHECKED["I15"] += 1
        told = str(self.logs) + str([entry.body for entry in self.world.etcd.log if entry.plural != "secrets"])
        assert not any(one.secret_access_key in told for one in CREDENTIALS.values())
        assert [line for line in self.logs if line["event"] in BUGS] == []
