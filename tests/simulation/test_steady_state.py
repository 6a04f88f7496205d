"""When nothing changes, nothing is written: not to AWS, not to Kubernetes."""

from datetime import timedelta

import pytest

from tests.simulation.etcd import Json
from tests.simulation.scenarios import FULL, OTHER_POLICY
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

HOUR = 3600.0
KINDS: tuple[Json, ...] = (
    {},
    FULL,
    FULL | {"enabled": False},
    {"keySpec": "RSA_4096", "keyUsage": "ENCRYPT_DECRYPT", "tags": {"a": "b"}},
    {"keySpec": "HMAC_256", "keyUsage": "GENERATE_VERIFY_MAC", "keyPolicy": OTHER_POLICY, "multiRegion": True},
)
CALM: Json = {"lease_duration": timedelta(minutes=10), "renew_deadline": timedelta(minutes=5), "retry_period": timedelta(minutes=1)}
NAMES = [f"key-{number}" for number in range(20)]


async def _twenty_keys(world: World) -> None:
    for number, name in enumerate(NAMES):
        world.apply(name, **KINDS[number % len(KINDS)])
    await world.ready(*NAMES)
    await world.advance(130)  # the date of the next rotation is not in the answers to writes: the first resync learns it


async def _looks_without_a_write(world: World, seconds: float) -> int:
    """How often keys were looked at while nothing was written, neither to AWS nor to Kubernetes, but the lease."""
    began = world.time
    await world.advance(seconds)
    assert world.traffic.names("aws", began) == {}
    assert set(world.traffic.names("kube", began)) == {"PUT leases"}
    return world.traffic.names("aws", began, writes=False)["DescribeKey"]


@pytest.mark.holds("F26", "I17")
async def test_an_hour_of_resyncs_writes_nothing() -> None:
    async with World() as world:
        world.start("a", leader_elect=True)
        await _twenty_keys(world)
        assert await _looks_without_a_write(world, HOUR) >= 50 * len(NAMES)


@pytest.mark.holds("F26", "I17")
async def test_hundreds_of_keys_that_are_looked_at_write_nothing() -> None:
    async with World() as world:
        world.start("a", leader_elect=True, workers=10, quota_fraction=1.0, resync_interval=timedelta(minutes=20))
        names = [f"key-{number}" for number in range(200)]
        for number, name in enumerate(names):
            world.apply(name, **KINDS[number % len(KINDS)])
        await world.ready(*names)
        await world.advance(2700)
        assert await _looks_without_a_write(world, HOUR) >= 2 * len(names)


@pytest.mark.holds("F26", "I17")
async def test_a_day_of_one_key_of_each_kind_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be written now and then, such as a date, a time, a lease that is made anew, is written within a day.

    The resync is the shipped one. The lease is renewed each minute, and hearts beat twice a minute: a thirtieth of the cost.
    """
    for seconds in ("controller.app.BEAT_SECONDS", "controller.server.TICK_SECONDS"):
        monkeypatch.setattr(seconds, 30.0)
    async with World() as world:
        world.start("a", leader_elect=True, resync_interval=timedelta(minutes=10), **CALM)
        for name, spec in zip(NAMES, KINDS, strict=False):
            world.apply(name, **spec)
        await world.ready(*NAMES[: len(KINDS)])
        await world.advance(HOUR)
        assert await _looks_without_a_write(world, 24 * HOUR) >= 24 * 5 * len(KINDS)


@pytest.mark.holds("I17")
async def test_a_restart_writes_nothing() -> None:
    async with World() as world:
        world.start("a")
        await _twenty_keys(world)
        world.replicas["a"].kill()
        began = world.time
        world.start("b")
        await world.advance(300)
        assert world.traffic.names("aws", began) == {}
        assert world.traffic.names("kube", began) == {}
        assert world.traffic.names("aws", began, writes=False)["DescribeKey"] >= len(NAMES)


@pytest.mark.holds("I18", "I23")
async def test_a_key_that_cannot_be_made_is_tried_rarely_and_its_reason_stays() -> None:
    async with World() as world:
        world.start("a")
        world.apply("lockout", keyPolicy=OTHER_POLICY.replace(":root", ":user/somebody"))
        await world.reason("lockout", "PolicyRejected")
        await world.advance(900)
        began = world.time
        await world.advance(HOUR)
        tries = [call for call in world.traffic.calls if call.name == "CreateKey" and call.at >= began]
        assert len(tries) <= 14
        assert world.traffic.names("kube", began)["PATCH kmskeys/status"] <= 2 * len(tries)
        assert world.reasons("lockout", began) == {"PolicyRejected"}
        assert world.kms.made == []


@pytest.mark.holds("I18")
@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"keyPolicy": "{}"}, "InvalidPolicy"),
        ({"providerRef": {"name": "nobody"}}, "ProviderNotFound"),
        ({"bypassPolicyLockoutSafetyCheck": True}, "BypassNotAllowed"),
        ({"tags": {f"tag-{number}": "x" for number in range(40)}}, "TooManyTags"),
    ],
)
async def test_what_cannot_be_right_is_told_once_and_aws_is_not_asked(spec: Json, reason: str) -> None:
    async with World() as world:
        world.patch_provider({"defaultTags": {f"default-{number}": "x" for number in range(10)}})
        world.start("a")
        await world.advance(1)
        began = world.time
        world.apply("wrong", **spec)
        await world.reason("wrong", reason)
        await world.advance(HOUR)
        asked = {call.name for call in world.traffic.calls if call.target == "aws" and call.at >= began}
        assert asked <= {"GetCallerIdentity"}  # the provider's own look, twice a minute
        written = world.traffic.names("kube", began)
        assert written["PATCH kmskeys/status"] <= 2  # a provider may be missing for some seconds before that is a problem
        assert written["POST events"] == written.total() - written["PATCH kmskeys/status"] == 1
