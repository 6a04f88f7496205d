"""An object that has adopted a key is deleted and applied again: the same manifest gives the same key, whatever named it."""

import pytest

from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("policy", ["Adopt", "AdoptOrCreate"])
async def test_the_key_comes_back_although_its_alias_was_freed_with_the_object(policy: str) -> None:
    async with World() as world:
        made = world.outside("CreateKey", Description="theirs")["KeyMetadata"]["KeyId"]
        world.outside("CreateAlias", AliasName="alias/theirs", TargetKeyId=made)
        world.start("a")
        world.apply("other")  # so that the index is read before the key is adopted
        await world.ready("other")
        spec = {"adopt": {"alias": "theirs", "policy": policy}, "aliases": ["theirs"]}
        world.apply("orders", **spec)
        await world.ready("orders")
        assert world.status("orders")["keyId"] == made
        world.delete("orders")
        await world.gone("orders")
        assert next(key.state for key in world.kms.keys if key.key_id == made) == "PendingDeletion"
        world.apply("orders", **spec)
        await world.ready("orders")
        assert world.status("orders")["keyId"] == made
        assert len(world.kms.keys) == 2
