"""Grants through the whole controller: drift, replacement, disabled keys, late lists, and how they end."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.simulation.kms_model import late
from tests.simulation.scenarios import READER, WIDER, WRITER
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

THEIRS = {"Name": "theirs", "GranteePrincipal": "arn:aws:iam::123456789012:role/theirs", "Operations": ["Decrypt"]}


async def _made(world: World, **spec: object) -> str:
    """The ARN of the key of a new object that is ready."""
    if "a" not in world.replicas:
        world.start("a")
    world.apply("orders", **spec)
    await world.ready("orders")
    return world.key("orders").arn


def _grants(world: World) -> dict[str, Mapping[str, Any]]:
    """By name."""
    return {grant["Name"]: grant for grant in world.key("orders").grants}


def _recorded(world: World) -> dict[str, str]:
    return {grant["name"]: grant["grantId"] for grant in world.status("orders").get("grants", [])}


async def test_a_new_key_gets_its_grants_and_the_status_knows_their_ids() -> None:
    async with World() as world:
        await _made(world, grants=[READER, WRITER])
        assert set(_grants(world)) == {"reader", "writer"}
        assert _recorded(world) == {name: grant["GrantId"] for name, grant in _grants(world).items()}


async def test_a_key_without_grants_costs_no_call_about_them() -> None:
    async with World() as world:
        await _made(world)
        await world.advance(300)
        assert "ListGrants" not in {call.name for call in world.traffic.calls}


async def test_a_changed_grant_is_made_anew_before_the_old_one_goes() -> None:
    async with World() as world:
        await _made(world, grants=[READER])
        began, old = world.time, _recorded(world)["reader"]
        world.apply("orders", grants=[WIDER])
        await world.ready("orders")
        assert sorted(_grants(world)["reader"]["Operations"]) == ["Decrypt", "DescribeKey", "Encrypt"]
        assert _recorded(world)["reader"] != old
        assert list(world.traffic.names("aws", began)) == ["CreateGrant", "RevokeGrant"]


@pytest.mark.holds("F65")
async def test_a_grant_revoked_outside_is_made_again_with_a_warning() -> None:
    async with World() as world:
        arn = await _made(world, grants=[READER])
        old = _recorded(world)["reader"]
        began = world.time
        world.outside("RevokeGrant", KeyId=arn, GrantId=old)
        await world.advance(130)
        assert _recorded(world) == {"reader": _grants(world)["reader"]["GrantId"]}
        assert _recorded(world)["reader"] != old
        assert world.traffic.names("aws", began) == {"CreateGrant": 1}
        assert [event["type"] for event in world.events if event["reason"] == "DriftCorrected"] == ["Warning"]


async def test_a_grant_of_somebody_else_is_never_revoked() -> None:
    async with World() as world:
        arn = await _made(world, grants=[READER])
        world.outside("CreateGrant", KeyId=arn, **THEIRS)
        world.apply("orders", grants=[], deletionPolicy="ForceDelete")
        await world.ready("orders")
        assert set(_grants(world)) == {"theirs"}
        world.delete("orders")
        await world.gone("orders")
        assert [grant["Name"] for grant in world.kms.keys[0].grants] == ["theirs"]


async def test_grants_wait_for_a_disabled_key_and_follow_when_it_is_enabled() -> None:
    async with World() as world:
        await _made(world, grants=[READER], enabled=False)
        began, old = world.time, _grants(world)
        world.apply("orders", grants=[WIDER, WRITER], enabled=False)
        await world.advance(300)
        assert world.condition("orders", "Synced")["reason"] == "KeyDisabled"
        assert world.condition("orders")["status"] == "True"
        assert (_grants(world), world.traffic.names("aws", began)) == (old, {})
        world.apply("orders", grants=[WIDER, WRITER])
        await world.ready("orders")
        assert set(_grants(world)) == {"reader", "writer"}
        assert len(world.key("orders").grants) == 2


async def test_a_grant_that_left_the_spec_of_a_disabled_key_goes_at_once() -> None:
    async with World() as world:
        await _made(world, grants=[READER, WRITER], enabled=False)
        world.apply("orders", grants=[WRITER], enabled=False)
        await world.ready("orders")
        assert set(_grants(world)) == {"writer"}


@pytest.mark.parametrize("seconds", [20.0, 290.0])
async def test_a_late_list_makes_no_second_grant_and_leaves_none_behind(seconds: float) -> None:
    async with World() as world:
        await _made(world)
        world.kms.lags["ListGrants"] = late(seconds)
        await world.advance(seconds)
        world.apply("orders", grants=[READER])
        await world.ready("orders")
        await world.advance(45)
        assert len(world.key("orders").grants) == 1
        world.apply("orders", grants=[WIDER])
        await world.advance(45)
        world.apply("orders")
        await world.advance(2 * seconds + 130)
        assert world.is_ready("orders")
        assert world.key("orders").grants == ()
        assert world.key("orders").grants_made == 2


@pytest.mark.parametrize(("policy", "left"), [("ForceDelete", 0), ("ScheduleKeyDeletion", 2), ("DisableKey", 2), ("Retain", 2)])
async def test_force_revokes_our_grants_and_a_key_that_comes_back_has_them_again(policy: str, left: int) -> None:
    async with World() as world:
        arn = await _made(world, grants=[READER, WRITER], deletionPolicy=policy)
        world.delete("orders")
        await world.gone("orders")
        assert len(world.kms.keys[0].grants) == left
        assert await _made(world, grants=[READER, WRITER], deletionPolicy=policy) == arn
        assert set(_grants(world)) == {"reader", "writer"}
        assert len(world.key("orders").grants) == 2
        assert set(_recorded(world)) == {"reader", "writer"}


async def test_grants_that_may_not_be_listed_are_left_as_they_are_and_the_rest_is_done() -> None:
    async with World() as world:
        await _made(world, grants=[READER])
        world.kms.denied.add("ListGrants")
        began = world.time
        world.apply("orders", grants=[WIDER], description="new")
        await world.reason("orders", "AccessDenied")
        await world.advance(600)
        assert world.traffic.names("aws", began) == {"UpdateKeyDescription": 1}
        world.kms.denied.clear()
        await world.ready("orders")
        assert len(_grants(world)["reader"]["Operations"]) == 3
