"""Looks at what is as declared: how many they are, and that nobody waits behind them."""

from collections import Counter

import pytest
from prometheus_client import REGISTRY

from tests.simulation.etcd import Json
from tests.simulation.scenarios import CONFIG_MAP, FULL, GIVEN, POLICY, READER, REPLICATED, SIGNING
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

OBJECTS = 10
WATCHED_SECONDS = 1200.0
# Looks each 30 s take a ListGrants in 3 s. Half of what the provider allows is for looks, one in 8 s: so each object has its turn after 80 s.
SPEC: Json = {"grants": [READER], "resyncInterval": "30s"}
LIMITS: Json = {"rateLimits": {"perOperation": {"ListGrants": 0.25}}}
STRETCHED = 80.0

# The owner tags prove that the key is the object's, so that tags are read always. An unset enableKeyRotation says no, and that is kept as well.
BARE = {"DescribeKey": 1, "ListResourceTags": 1}
PLAIN = BARE | {"GetKeyRotationStatus": 1}
KMS_PAGE = 50  # of tags, aliases and grants, where the request says nothing
MAC: Json = {"keySpec": "HMAC_256", "keyUsage": "GENERATE_VERIFY_MAC"}
IMPORTED: Json = {"origin": "EXTERNAL"}
OBSERVED: Json = {"adopt": {"alias": "theirs"}, "managementPolicy": "Observe"}
LOOKS: dict[str, tuple[Json, dict[str, int]]] = {
    "nothing": ({}, PLAIN),
    "description and tags": ({"description": "Orders", "tags": {"team": "shop"}}, PLAIN),
    "rotation": ({"enableKeyRotation": True, "rotationPeriodInDays": 180}, PLAIN),
    "a policy": ({"keyPolicy": POLICY}, PLAIN | {"GetKeyPolicy": 1}),
    "all of a plain key": (FULL, PLAIN | {"GetKeyPolicy": 1}),
    "a disabled key": (FULL | {"enabled": False}, PLAIN | {"GetKeyPolicy": 1}),
    "what others may change": (FULL | {"ignoreDrift": ["rotation", "policy"]}, PLAIN | {"GetKeyPolicy": 1}),
    "an asymmetric key": (SIGNING, BARE),
    "an asymmetric key that is exported": (SIGNING | {"exportTo": CONFIG_MAP}, BARE),
    "an HMAC key": (MAC, BARE),
    "imported material": (IMPORTED, BARE),
    "aliases": ({"aliases": ["orders", "sales"]}, PLAIN | {"ListAliases": 1}),
    "grants": ({"grants": [READER]}, PLAIN | {"ListGrants": 1}),
    "a replica": (REPLICATED, {"DescribeKey": 2, "ListResourceTags": 2, "GetKeyPolicy": 2, "GetKeyRotationStatus": 1}),
    "a key that is only observed": (OBSERVED, PLAIN),
    "a suspended object": ({"suspend": True}, {}),
}


def waiting() -> float | None:
    labels = {"name": "kmskey", "controller": "kmskey", "priority": "resync"}
    return REGISTRY.get_sample_value("workqueue_depth", labels)


async def test_looks_that_do_not_fit_the_quotas_are_made_rarer_and_nobody_waits_for_them() -> None:
    names = [f"key-{number}" for number in range(OBJECTS)]
    async with World() as world:
        world.start("a")
        for name in names:
            world.apply(name, **SPEC)
        await world.ready(*names)
        world.patch_provider(LIMITS)
        await world.advance(5 * STRETCHED)
        began, most = world.time, 0.0
        while world.time < began + WATCHED_SECONDS:
            await world.advance(1)
            most = max(most, waiting() or 0.0)
        read = world.traffic.names("aws", began, writes=False)
        assert read["ListGrants"] == pytest.approx(OBJECTS * WATCHED_SECONDS / STRETCHED, rel=0.1)
        assert read["DescribeKey"] <= 2 * read["ListGrants"]  # a look that comes before its turn begins anew, once
        assert most <= 2
        world.apply(names[0], **SPEC, description="changed")
        await world.until(lambda: world.key(names[0]).description == "changed", within=10)


@pytest.mark.parametrize("kind", LOOKS)
async def test_a_look_reads_what_the_object_declares_and_no_more(kind: str) -> None:
    spec, reads = LOOKS[kind]
    async with World() as world:
        world.kms.page_size = KMS_PAGE
        if "adopt" in spec:
            given = world.outside("CreateKey", **GIVEN)["KeyMetadata"]["KeyId"]
            world.outside("CreateAlias", AliasName="alias/theirs", TargetKeyId=given)
        world.start("a")
        world.apply("orders", **spec)
        await world.advance(10)
        if spec is IMPORTED:
            world.kms.edit(world.key("orders").arn, state="Enabled", imported=True)
        await world.advance(400)  # the first look learns what no answer to a write tells
        assert await one_look(world) == reads
        assert world.traffic.names("aws", world.time - 200) == {}


async def one_look(world: World) -> Counter[str]:
    """What a look at the only object reads."""

    def reads() -> int:
        return world.traffic.names("aws", writes=False).total()

    before, ends = reads(), world.time + 70  # a suspended object is not looked at
    while reads() == before and world.time < ends:
        await world.advance(1)
    await world.advance(5)
    began = world.time
    await world.advance(80)  # the interval is a minute, give or take six seconds
    return world.traffic.names("aws", began, writes=False)
