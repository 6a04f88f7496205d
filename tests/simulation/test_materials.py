"""Where key material comes from, and what a key is for, against the strict model."""

import pytest

from tests.simulation.etcd import Json
from tests.simulation.kms_creation import USAGES
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

HOUR = 3600.0
PAIRS = [(spec, usage) for spec, usages in USAGES.items() if spec != "SM2" for usage in usages]


async def test_every_pair_of_spec_and_usage_becomes_a_key_and_stays_one() -> None:
    async with World() as world:
        world.start("a")
        names = {f"key-{number}": pair for number, pair in enumerate(PAIRS)}
        for name, (spec, usage) in names.items():
            world.apply(name, keySpec=spec, keyUsage=usage)
        await world.ready(*names)
        assert {name: (world.key(name).spec, world.key(name).usage) for name in names} == names
        began = world.time
        await world.advance(300)
        assert world.traffic.names("aws", began) == {}


@pytest.mark.parametrize(
    ("spec", "reason", "advice"),
    [
        ({"keySpec": "SM2", "keyUsage": "SIGN_VERIFY"}, "UnsupportedKeySpec", "Choose a keySpec"),
        ({"keySpec": "ML_KEM_768", "keyUsage": "ENCAPSULATE_DECAPSULATE"}, "RejectedByAWS", "Correct the spec"),
        ({"origin": "AWS_CLOUDHSM", "customKeyStoreId": "cks-off"}, "KeyStoreNotConnected", "connect-custom-key-store"),
        ({"origin": "AWS_CLOUDHSM", "customKeyStoreId": "cks-none"}, "KeyStoreRefused", "Correct spec.customKeyStoreId"),
    ],
)
async def test_what_kms_does_not_offer_is_tried_rarely(spec: Json, reason: str, advice: str) -> None:
    async with World() as world:
        world.kms.stores = {"cks-off": False}
        world.start("a")
        world.apply("orders", **spec)
        await world.reason("orders", reason)
        assert advice in world.condition("orders", "Stalled")["message"]
        began = world.time
        await world.advance(HOUR)
        assert 1 <= sum(call.name == "CreateKey" and call.at >= began for call in world.traffic.calls) <= 16
        assert world.reasons("orders", began) == {reason}
        assert world.kms.made == []


async def test_a_key_is_made_when_its_store_is_connected_and_says_when_it_is_not_any_more() -> None:
    async with World() as world:
        world.kms.stores = {"cks-1": False}
        world.start("a")
        world.apply("orders", origin="EXTERNAL_KEY_STORE", customKeyStoreId="cks-1", xksKeyId="key-1")
        await world.reason("orders", "KeyStoreNotConnected")
        world.kms.stores = {"cks-1": True}
        await world.ready("orders")
        key = world.key("orders")
        assert (key.origin, key.store, key.xks_key) == ("EXTERNAL_KEY_STORE", "cks-1", "key-1")
        world.kms.edit(key.arn, state="Unavailable")
        await world.reason("orders", "KeyUnavailable")
        assert "cks-1" in world.condition("orders")["message"]
        world.kms.edit(key.arn, state="Enabled")
        await world.ready("orders")
        assert {call.name for call in world.traffic.calls} & {"GetKeyRotationStatus", "ListKeyRotations"} == set()


async def test_a_key_waits_for_its_import_and_takes_what_kms_takes_meanwhile() -> None:
    async with World() as world:
        world.start("a")
        spec: Json = {"origin": "EXTERNAL", "aliases": ["orders"], "tags": {"a": "b"}, "enabled": False}
        world.apply("orders", **spec)
        await world.reason("orders", "KeyPendingImport")
        assert world.status("orders")["keyId"] in world.condition("orders")["message"]
        world.apply("orders", **spec | {"description": "x"})
        await world.until(lambda: world.key("orders").description == "x")
        await world.advance(HOUR)
        assert {call.outcome for call in world.traffic.calls if call.target == "aws"} == {"OK"}
        assert (world.key("orders").aliases, world.key("orders").state) == (frozenset({"alias/orders"}), "PendingImport")
        world.kms.edit(world.key("orders").arn, state="Enabled", imported=True)
        await world.ready("orders")
        assert world.key("orders").state == "Disabled"


async def test_force_delete_takes_the_imported_material_at_once_and_the_same_key_comes_back() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", origin="EXTERNAL", deletionPolicy="ForceDelete")
        await world.reason("orders", "KeyPendingImport")
        world.kms.edit(world.key("orders").arn, state="Enabled", imported=True)
        await world.ready("orders")
        world.delete("orders")
        await world.gone("orders")
        (key,) = world.kms.keys
        assert (key.state, key.imported) == ("PendingDeletion", False)
        world.apply("orders", origin="EXTERNAL")
        await world.reason("orders", "KeyPendingImport")
        assert world.key("orders").key_id == key.key_id
        assert len(world.kms.made) == 1
