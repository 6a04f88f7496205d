"""A real kube-apiserver that is killed, comes back, goes back in time, or is cut off, under an operator that runs on: nothing is lost, nothing
is made twice, and no process is left wedged."""

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from controller import informer, position
from controller.access import Access, Credentials
from controller.connection import HttpTransport
from controller.key_objects import KMSKEYS
from controller.kube import Kube
from controller.store import Store
from tests.cluster.api import Api
from tests.cluster.apiserver import ControlPlane
from tests.cluster.binaries import assets
from tests.cluster.cluster import Cluster
from tests.cluster.emulator import emulator
from tests.cluster.kubectl import Kubectl, KubectlError, write_kubeconfig
from tests.cluster.operator_process import NAMESPACE, SERVICE_ACCOUNT, Operator, running_operator
from tests.cluster.pages import page
from tests.cluster.probe import status
from tests.cluster.processes import scratch_folder, wait_until
from tests.cluster.tcp_proxy import Link, tcp_proxy
from tests.cluster.tenant import API_VERSION, Tenant, is_settled, key

# What a watch that has to begin anew may wait for: the pauses after failures, which double up to 30 s while the server is away.
PATIENCE = 45.0
HELD = ("one", "two", "three")


@dataclass
class World:
    """A control plane of its own, an operator whose way to it leads through a proxy, and a user with three keys."""

    plane: ControlPlane
    cluster: Cluster
    link: Link
    operator: Operator
    tenant: Tenant

    @property
    def through(self) -> Path:
        """The operator's kubeconfig."""
        return self.cluster.folder / "through.kubeconfig"

    def restart(self) -> None:
        """kill -9 of kube-apiserver, and its return."""
        self.plane.kill()
        self.cluster.api.close()  # the user's own connection
        self.plane.start()

    def new_token(self) -> None:
        """Another token for the operator, where it reads it."""
        token = self.cluster.kubectl.token(NAMESPACE, SERVICE_ACCOUNT)
        write_kubeconfig(self.through, replace(self.plane.server, url=self.link.url), token)

    def relists(self, reason: str = "") -> int:
        """How often the operator has listed, for this reason or for any."""
        counted = re.findall(rf'^watch_relist_total{{.*reason="({reason or ".*"})".*}} (.*)$', page(self.operator.metrics_url)[1], re.MULTILINE)
        return int(sum(float(number) for _, number in counted))

    def settle(self) -> None:
        """All objects are as declared, each has one key, no key has two objects, and the process is well."""
        tenant = self.tenant
        wait_until(lambda: all(map(is_settled, tenant.all())), PATIENCE, "all objects settled")
        known = [obj["status"]["keyId"] for obj in tenant.all()]
        living = [key_id for key_id in tenant.owned() if tenant.described(key_id)["KeyState"] != "PendingDeletion"]
        assert sorted(living) == sorted(known)
        assert status(f"{self.operator.health_url}/healthz") == 200

    def change_delete_and_create(self, mark: str) -> None:
        """A user who does one of each; the deleted object need not be gone yet."""
        for name in HELD[:2]:
            self.tenant.change(name, {"description": mark})
        self.tenant.declare(f"{mark}-made", description=mark)
        self.tenant.kubectl("delete", "kmskey", HELD[2], "--wait=false")

    def reconciled(self, mark: str) -> None:
        """What change_delete_and_create wants; afterwards the third object is back."""
        tenant = self.tenant
        tenant.kubectl("wait", "--for=delete", f"kmskey/{HELD[2]}", f"--timeout={PATIENCE:.0f}s")
        tenant.declare(HELD[2])
        self.settle()
        for name in (*HELD[:2], f"{mark}-made"):
            assert tenant.described(tenant.key_id(name))["Description"] == mark


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[ControlPlane, Cluster]]:
    binaries = assets()
    with (
        scratch_folder() as folder,
        emulator(folder) as aws,
        ControlPlane(binaries, folder) as plane,
        contextlib.closing(Cluster(folder, binaries, plane.server, aws)) as cluster,
    ):
        cluster.install()
        yield plane, cluster


@pytest.fixture(scope="module")
def world(servers: tuple[ControlPlane, Cluster]) -> Iterator[World]:
    plane, cluster = servers
    with tcp_proxy(plane.server.url) as link:
        token = cluster.kubectl.token(NAMESPACE, SERVICE_ACCOUNT)
        through = write_kubeconfig(cluster.folder / "through.kubeconfig", replace(plane.server, url=link.url), token)
        around = replace(cluster.surroundings(), kubeconfig=through)
        flags: dict[str, str | bool] = {"leader_elect": False, "resync_interval": "1h", "create_grace": "3s", "quota_fraction": "1.0"}
        with running_operator(around, "operator", flags) as operator:
            tenant = Tenant(cluster, "default")
            tenant.provide()
            for name in HELD:
                tenant.declare(name)
            for name in HELD:
                tenant.until_settled(name)
            yield World(plane, cluster, link, operator, tenant)
            assert operator.process.terminate(30) == 0


@pytest.mark.holds("F17")
def test_connections_that_are_reset_again_and_again_cost_no_list_and_lose_no_change(world: World) -> None:
    world.settle()
    before = world.relists()
    for number in range(5):
        world.link.reset()
        world.tenant.change("one", {"description": f"reset {number}"})
        world.tenant.until_settled("one")
    world.settle()
    assert world.relists() == before


@pytest.mark.holds("F18")
def test_a_link_that_holds_everything_up_for_a_while_loses_nothing(world: World) -> None:
    world.link.freeze()
    world.tenant.change("one", {"description": "held up"})
    threading.Timer(3.0, world.link.thaw).start()
    world.tenant.until_settled("one")
    world.settle()


@pytest.mark.holds("F13")
def test_an_api_server_that_was_killed_is_gone_on_with_where_it_was_left(world: World) -> None:
    world.restart()
    world.change_delete_and_create("killed")
    world.reconciled("killed")


@pytest.mark.holds("F13", "F15")
def test_what_happened_while_the_operator_was_cut_off_from_a_server_that_restarted_is_seen(world: World) -> None:
    """The new server's memory begins after the version that the operator knows: 410, and a list."""
    before = world.relists("expired")
    world.link.freeze()
    world.change_delete_and_create("cut")
    world.restart()
    world.link.reset()
    world.link.thaw()
    world.reconciled("cut")
    assert world.relists("expired") > before


@pytest.mark.holds("F19")
def test_objects_that_somebody_else_writes_all_the_time_get_one_key_each(world: World) -> None:
    """Each write of the operator that has to meet an exact version has to win against five writes a second."""
    names, over = [f"busy-{number}" for number in range(4)], threading.Event()

    def meddle() -> None:
        with contextlib.closing(Api(world.plane.server)) as api:
            number = 0
            while not over.wait(0.2):
                number += 1
                for name in names:
                    patch = {"metadata": {"annotations": {"meddled": str(number)}}}
                    api.merge(f"/apis/{API_VERSION}/namespaces/{world.tenant.namespace}/kmskeys/{name}", patch)

    world.tenant.apply(*(key(name, enableKeyRotation=True) for name in names))
    meddler = threading.Thread(target=meddle)
    meddler.start()
    try:
        for name in names:
            world.tenant.until_settled(name, PATIENCE)
    finally:
        over.set()
        meddler.join()
    world.settle()


def is_refused(kubectl: Kubectl) -> bool:
    """Whether the server no longer knows who is asking."""
    try:
        kubectl("get", "kmskeys", "--all-namespaces")
    except KubectlError as error:
        return "Unauthorized" in str(error)
    return False


@pytest.mark.holds("F21")
def test_a_token_that_is_no_longer_good_is_replaced_by_the_one_that_is_there_now(world: World) -> None:
    """An account that was made anew has another uid, so that its old tokens are refused: 401. The server forgets in ten seconds that it
    has found one good, and a watch that was let in before that goes on."""
    old = Kubectl(world.cluster.kubectl.binary, world.through)
    account = world.cluster.kubectl("get", "serviceaccount", SERVICE_ACCOUNT, "-n", NAMESPACE, "-o", "json")
    world.cluster.kubectl("delete", "serviceaccount", SERVICE_ACCOUNT, "-n", NAMESPACE)
    anew = json.loads(account)
    anew["metadata"] = {name: anew["metadata"][name] for name in ("name", "namespace", "labels")}
    world.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(anew))
    wait_until(lambda: is_refused(old), PATIENCE, "the old token is refused")
    world.link.reset()
    world.tenant.change("one", {"description": "unheard"})
    wait_until(lambda: "401" in world.operator.process.tail(50), PATIENCE, "the operator is refused")
    world.new_token()
    world.tenant.until_settled("one", PATIENCE)
    world.settle()


@pytest.mark.holds("F21")
def test_rights_that_were_taken_away_are_waited_for_and_nothing_is_deleted(world: World) -> None:
    """The watches are cut, so that they have to be allowed again."""
    bindings = world.cluster.kubectl("get", "clusterrolebindings", "-l", "app.kubernetes.io/name=infra-operator", "-o", "json")
    items = json.loads(bindings)["items"]
    assert items
    for binding in items:
        world.cluster.kubectl("delete", "clusterrolebinding", binding["metadata"]["name"])
    world.link.reset()
    world.tenant.change("one", {"description": "forbidden"})
    wait_until(lambda: "403" in world.operator.process.tail(50), PATIENCE, "the operator is forbidden")
    for binding in items:
        binding["metadata"] = {name: binding["metadata"][name] for name in ("name", "labels")}
        world.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(binding))
    world.tenant.until_settled("one", PATIENCE)
    world.settle()


# -- an informer in this process, whose patience is cut from minutes to seconds


@contextlib.asynccontextmanager
async def informing(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A store of the KMSKeys, kept by an informer whose way leads through the proxy."""
    monkeypatch.setattr(informer, "IDLE_SECONDS", 2.0)
    monkeypatch.setattr(position, "SILENCE_SECONDS", 1.5)
    server, store = world.plane.server, Store()

    async def header() -> str:
        return f"Bearer {server.admin_token}"

    kube = Kube(HttpTransport(Access(world.link.url, Credentials(header), ca_file=str(server.ca))))
    task = asyncio.create_task(informer.Informer(kube, KMSKEYS, store, lambda *_: None).run())
    try:
        await until(lambda: store.synced)
        yield store
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await kube.close()


async def until(wanted: Callable[[], bool]) -> None:
    """Polls beside the loop, which the informer needs."""
    await asyncio.to_thread(wait_until, wanted, PATIENCE, "the informer's store is as it should be")


def versions(world: World) -> dict[str, str]:
    return {obj["metadata"]["name"]: obj["metadata"]["resourceVersion"] for obj in world.tenant.all()}


def known(store: Store) -> dict[str, str]:
    return {obj.ref.name: obj.resource_version for obj in store}


@pytest.mark.holds("F16")
async def test_a_watch_that_is_half_open_is_noticed_and_what_it_missed_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with informing(world, monkeypatch) as store:
        world.link.lose()
        await asyncio.to_thread(world.tenant.change, "one", {"description": "unseen"})
        await until(lambda: known(store) == versions(world))
    world.link.reset()  # else the operator needs its whole 80 s
    await asyncio.to_thread(world.settle)


@pytest.mark.holds("F13", "F22")
async def test_a_server_whose_data_went_back_in_time_is_believed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """etcd from an older copy: what was made since is gone, and versions begin again below the one that is known."""
    world.plane.kill_all()
    backup = world.plane.kept()
    world.cluster.api.close()
    world.plane.start_all()
    await asyncio.to_thread(world.settle)
    async with informing(world, monkeypatch) as store:
        await asyncio.to_thread(world.tenant.apply, *(key(f"future-{number}", suspend=True) for number in range(20)))
        await until(lambda: "future-19" in known(store))
        world.plane.kill_all()
        world.cluster.api.close()
        world.plane.start_all(backup)
        await until(lambda: known(store) == versions(world))
        assert not any(name.startswith("future") for name in known(store))
