"""exportTo on the model of the API server: written once, repaired, moved, removed, and never at somebody else's cost."""

import base64
import math
from typing import Any

import pytest

from controller.exports import RESOURCES
from controller.objects import Ref
from tests.simulation.api_server import failure
from tests.simulation.api_transport import refused
from tests.simulation.etcd import Json
from tests.simulation.world import NAMESPACE, World

pytestmark = pytest.mark.virtual_time

HOUR = 3600.0
RSA: Json = {"keySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"}
CONFIG_MAP: Json = {"kind": "ConfigMap", "name": "key"}
SECRET: Json = {"kind": "Secret", "name": "key"}


def found(world: World, plural: str = "configmaps") -> Json | None:
    return world.etcd.get(plural, Ref(NAMESPACE, "key"))


def data(world: World, plural: str = "configmaps") -> dict[str, str]:
    held = found(world, plural)
    assert held is not None
    values: dict[str, str] = held["data"]
    return {name: base64.b64decode(value).decode() for name, value in values.items()} if plural == "secrets" else values


def put(world: World, kind: str, **body: Any) -> None:
    world.user("POST", RESOURCES[kind].path(NAMESPACE), {"metadata": {"name": "key"}, **body})


async def test_an_hour_of_resyncs_reads_the_object_once_each_and_writes_nothing() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **RSA, exportTo=SECRET, aliases=["orders"])
        world.apply("plain")
        await world.ready("orders", "plain")
        key = world.key("orders")
        pem = data(world, "secrets").pop("publicKey.pem")
        assert base64.b64encode(f"public half of {key.key_id}".encode()).decode() in pem.replace("\n", "")
        told = {"keyId": key.key_id, "keyArn": key.arn, "region": key.region, "accountId": key.account_id, "alias": "alias/orders"}
        assert data(world, "secrets") == told | {"publicKey.pem": pem}
        owner = (found(world, "secrets") or {})["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["uid"]) == ("KMSKey", (world.find("orders") or {})["metadata"]["uid"])
        await world.advance(130)  # the provider's status counts its keys a little later
        began = world.time
        await world.advance(HOUR)
        assert world.traffic.names("kube", began) == {}
        reads = [call for call in world.traffic.calls if call.at >= began and "shop/key" in call.subject]
        looks = [call for call in world.traffic.calls if call.at >= began and call.name == "DescribeKey" and call.subject == key.arn]
        assert len(reads) == len(looks) > 50
        assert world.traffic.names("aws", 0, writes=False)["GetPublicKey"] == 1


async def test_what_somebody_changes_or_removes_is_put_back() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **RSA, exportTo=CONFIG_MAP)
        await world.ready("orders")
        before, path = data(world), RESOURCES["ConfigMap"].path(NAMESPACE, "key")
        world.user("PATCH", path, {"data": {"keyArn": "x", "publicKey.pem": "forged", "theirs": "1"}}, "application/merge-patch+json")
        await world.until(lambda: data(world) == before | {"theirs": "1"})
        world.user("DELETE", path)
        await world.until(lambda: found(world) is not None)
        assert data(world) == before


async def test_the_object_moves_with_the_spec_and_goes_when_it_is_unset() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", exportTo=CONFIG_MAP)
        await world.ready("orders")
        world.apply("orders", exportTo=SECRET)
        await world.ready("orders")
        assert found(world) is None
        assert data(world, "secrets")["keyId"] == world.key("orders").key_id
        world.apply("orders")
        await world.ready("orders")
        assert found(world, "secrets") is None
        assert "exported" not in world.status("orders")


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
async def test_an_object_of_somebody_else_is_never_touched(kind: str) -> None:
    async with World() as world:
        put(world, kind, data={"password": "aHVzaA=="})
        plural = f"{kind.lower()}s"
        before = found(world, plural)
        world.start("a")
        world.apply("orders", exportTo={"kind": kind, "name": "key"})
        await world.reason("orders", "ExportConflict")
        assert world.key("orders").state == "Enabled"
        world.apply("orders")
        await world.ready("orders")
        world.delete("orders")
        await world.gone("orders")
        assert found(world, plural) == before


async def test_an_object_that_lost_its_owner_is_nobody_s_and_left_alone() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", exportTo=CONFIG_MAP)
        await world.ready("orders")
        path = RESOURCES["ConfigMap"].path(NAMESPACE, "key")
        world.user("PATCH", path, {"metadata": {"ownerReferences": None}, "data": {"keyId": "x"}}, "application/merge-patch+json")
        await world.reason("orders", "ExportConflict")
        world.apply("orders")
        await world.ready("orders")
        assert data(world)["keyId"] == "x"


async def test_what_a_predecessor_has_exported_is_waited_for() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", exportTo=CONFIG_MAP)
        await world.ready("orders")
        world.delete("orders")
        await world.gone("orders")
        world.apply("orders", exportTo=CONFIG_MAP)
        await world.reason("orders", "ExportConflict")
        assert world.condition("orders", "Stalled") == {}
        world.user("DELETE", RESOURCES["ConfigMap"].path(NAMESPACE, "key"))  # as the garbage collector does
        await world.ready("orders")
        assert data(world)["keyId"] == world.key("orders").key_id


async def test_a_disabled_key_keeps_what_was_exported_and_a_new_one_waits() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **RSA, exportTo=CONFIG_MAP)
        await world.ready("orders")
        before = data(world)
        world.apply("orders", **RSA, exportTo=CONFIG_MAP, enabled=False)
        await world.ready("orders")
        world.replicas["a"].kill()
        world.start("b")
        await world.advance(HOUR)
        assert data(world) == before
        world.apply("late", **RSA, enabled=False)
        await world.ready("late")
        world.apply("late", **RSA, enabled=False, exportTo={"kind": "ConfigMap", "name": "late"})
        await world.until(lambda: world.condition("late", "Synced").get("reason") == "KeyDisabled")
        world.apply("late", **RSA, exportTo={"kind": "ConfigMap", "name": "late"})
        await world.ready("late")
        assert {call.outcome for call in world.traffic.calls if call.name == "GetPublicKey"} == {"OK"}


async def test_what_is_forbidden_is_told_and_the_key_is_kept_all_the_same() -> None:
    async with World() as world:
        world.start("a")
        no = failure(403, "Forbidden", "configmaps is forbidden")
        forbidding = world.traffic.faults.on(refused("POST configmaps", no, times=math.inf))
        world.apply("orders", exportTo=CONFIG_MAP)
        await world.reason("orders", "ExportFailed")
        assert "configmaps is forbidden" in world.condition("orders")["message"]
        world.traffic.faults.off(forbidding)
        world.apply("orders", exportTo=CONFIG_MAP, description="x")
        await world.ready("orders")
        assert data(world)["keyId"] == world.key("orders").key_id
        world.kms.denied = {"GetPublicKey"}
        world.apply("signs", **RSA, exportTo={"kind": "ConfigMap", "name": "signs"})
        await world.reason("signs", "AccessDenied")
        assert "kms:GetPublicKey" in world.condition("signs")["message"]
        world.kms.denied = set()
        await world.ready("signs")
