"""KMSGrants through the whole controller: replacement, whose a grant is, permissions, and the end of a target."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.simulation.aws_wires import lost_answer
from tests.simulation.calls import Call
from tests.simulation.dependents import READ, SIGNING, WRITE, Thing, at, grant, provide
from tests.simulation.kms_model import late
from tests.simulation.lines import Point, undisturbed
from tests.simulation.world import World

pytestmark = pytest.mark.virtual_time

ELSEWHERE = "mail"


async def _keys(world: World, *names: str, **spec: object) -> list[str]:
    """The ARNs of the keys of new objects that are ready."""
    if "a" not in world.replicas:
        world.start("a")
    for name in names:
        world.apply(name, **spec)
    await world.ready(*names)
    return [world.key(name).arn for name in names]


async def _grant(world: World, namespace: str = "shop", **spec: object) -> Thing:
    """A new grant that is ready."""
    made = grant(world, namespace=namespace)
    made.apply(**spec)
    await made.ready()
    return made


def _on(world: World, name: str) -> list[Mapping[str, Any]]:
    return list(world.key(name).grants)


def _writes(world: World, since: float) -> dict[str, int]:
    return dict(world.traffic.names("aws", since))


async def test_a_grant_is_made_once_and_its_id_is_told() -> None:
    async with World() as world:
        await _keys(world, "one")
        made = await _grant(world, **at("one"), **READ)
        (found,) = _on(world, "one")
        assert found["GrantId"] == made.status["grantId"]
        assert found["GranteePrincipal"] == READ["granteeRoleArn"]
        uid = (made.find() or {})["metadata"]["uid"]
        assert found["Name"] == f"kmsgrant-{uid}"
        await world.advance(70)
        began = world.time
        await world.advance(600)
        assert not world.traffic.executed("aws", began)
        assert not world.traffic.executed("kube", began)


async def test_a_grant_has_the_name_that_it_is_given() -> None:
    async with World() as world:
        await _keys(world, "one")
        await _grant(world, **at("one"), **READ, name="reader")
        assert [found["Name"] for found in _on(world, "one")] == ["reader"]


async def test_a_changed_grant_is_made_anew_before_the_old_one_goes() -> None:
    async with World() as world:
        await _keys(world, "one")
        made = await _grant(world, **at("one"), **READ)
        began, old = world.time, made.status["grantId"]
        made.apply(**at("one"), **WRITE)
        await made.ready()
        (found,) = _on(world, "one")
        assert sorted(found["Operations"]) == ["Decrypt", "DescribeKey", "Encrypt"]
        assert made.status["grantId"] == found["GrantId"] != old
        assert list(world.traffic.names("aws", began)) == ["CreateGrant", "RevokeGrant"]


async def test_a_grant_moves_to_another_key_and_leaves_nothing_on_the_old_one() -> None:
    async with World() as world:
        await _keys(world, "one", "two")
        made = await _grant(world, **at("one"), **READ)
        made.apply(**at("two"), **READ)
        await made.ready()
        assert (len(_on(world, "one")), len(_on(world, "two"))) == (0, 1)


async def test_a_grant_revoked_outside_is_made_again_with_a_warning() -> None:
    async with World() as world:
        (one,) = await _keys(world, "one")
        made = await _grant(world, **at("one"), **READ)
        old = made.status["grantId"]
        world.outside("RevokeGrant", KeyId=one, GrantId=old)
        await world.advance(130)
        assert [found["GrantId"] for found in _on(world, "one")] == [made.status["grantId"]] != [old]
        assert [event["type"] for event in world.events if event["reason"] == "DriftCorrected"] == ["Warning"]


async def test_grants_of_others_are_never_revoked_not_even_one_that_says_the_same() -> None:
    async with World() as world:
        (one,) = await _keys(world, "one")
        said = {"GranteePrincipal": READ["granteeRoleArn"], "Operations": READ["operations"]}
        for name in ("reader", "theirs"):
            world.outside("CreateGrant", KeyId=one, Name=name, **said)
        before, began = _on(world, "one"), world.time
        made = await _grant(world, **at("one"), **READ, name="reader")
        assert "stays when this object goes" in made.condition()["message"]
        made.delete()
        await made.gone()
        assert (_on(world, "one"), _writes(world, began)) == (before, {})


async def test_what_the_target_cannot_do_is_refused_before_it_is_asked_for() -> None:
    async with World() as world:
        await _keys(world, "one", **SIGNING)
        began = world.time
        made = grant(world)
        made.apply(**at("one"), **READ)
        await made.reason("UnsupportedOperations")
        assert "Decrypt" in made.condition()["message"]
        assert _writes(world, began) == {}
        made.apply(**at("one"), **{**READ, "operations": ["Sign"]})
        await made.ready()


async def test_another_namespace_needs_the_keys_permission_and_without_it_aws_is_not_called() -> None:
    async with World() as world:
        await _keys(world, "one")
        made = grant(world, namespace=ELSEWHERE)
        asked = world.time
        made.apply(**at("one", "shop"), **READ)
        await made.reason("TargetNotAllowed")
        await world.until(lambda: made.condition("Stalled").get("status") == "True", within=20)
        called = {call.name for call in world.traffic.calls if call.target == "aws" and call.at > asked}
        assert called <= {"GetCallerIdentity"}  # the provider tries its own credentials now and then
        world.apply("one", grantableFrom={"names": [ELSEWHERE]})
        await made.ready()
        assert len(_on(world, "one")) == 1


async def test_a_permission_by_label_counts() -> None:
    async with World() as world:
        world.user("POST", "/api/v1/namespaces", {"metadata": {"name": ELSEWHERE, "labels": {"team": "x"}}})
        await _keys(world, "one", grantableFrom={"selector": {"matchLabels": {"team": "x"}}})
        await _grant(world, namespace=ELSEWHERE, **at("one", "shop"), **READ)
        other = grant(world, namespace="web")
        other.apply(**at("one", "shop"), **READ)
        await other.reason("TargetNotAllowed")
        assert len(_on(world, "one")) == 1


@pytest.mark.parametrize("by", ["status", "tags"])
async def test_an_id_is_no_way_around_the_permission(by: str) -> None:
    async with World() as world:
        (one,) = await _keys(world, "one", deletionPolicy="Retain")
        provide(world, ELSEWHERE)
        if by == "tags":  # the object is gone, and its key carries the owner tags still
            world.delete("one")
            await world.gone("one")
        began = world.time
        made = grant(world, namespace=ELSEWHERE)
        made.apply(targetKeyId=one, **READ)
        await made.reason("TargetNotAllowed")
        assert (world.kms.keys[0].grants, _writes(world, began)) == ((), {})


async def test_a_grant_waits_for_a_disabled_key_and_the_old_one_with_it() -> None:
    async with World() as world:
        await _keys(world, "one")
        made = await _grant(world, **at("one"), **READ)
        world.apply("one", enabled=False)
        await world.ready("one")
        before = _on(world, "one")
        made.apply(**at("one"), **WRITE)
        await made.reason("KeyDisabled")
        assert _on(world, "one") == before
        world.apply("one")
        await made.ready()
        (found,) = _on(world, "one")
        assert "Encrypt" in found["Operations"]


async def test_a_target_that_is_deleted_is_told_and_does_not_hold_the_grant() -> None:
    async with World() as world:
        (one,) = await _keys(world, "one")
        made = await _grant(world, **at("one"), **READ)
        world.delete("one")
        await made.reason("TargetGone")
        made.delete()
        await made.gone(within=60)
        assert [len(key.grants) for key in world.kms.keys if key.arn == one] == [0]


async def test_a_key_that_is_gone_for_good_lets_the_grant_go_and_make_a_new_one() -> None:
    async with World() as world:
        (one,) = await _keys(world, "one")
        made = await _grant(world, **at("one"), **READ)
        world.delete("one")
        await world.gone("one")
        world.kms.destroy(one)
        await _keys(world, "one")
        await made.ready()
        assert [one_made["keyArn"] for one_made in made.status["grants"]] == [world.key("one").arn]
        await world.advance(300)  # a key that was made minutes ago may only not show yet
        world.kms.destroy(world.key("one").arn)
        made.delete()
        await made.gone(within=60)


@pytest.mark.parametrize("seconds", [20.0, 290.0])
async def test_a_late_list_makes_no_second_grant_and_leaves_none_behind(seconds: float) -> None:
    async with World() as world:
        await _keys(world, "one")
        world.kms.lags["ListGrants"] = late(seconds)
        await world.advance(seconds)
        made = await _grant(world, **at("one"), **READ)
        made.apply(**at("one"), **WRITE)
        await world.advance(45)
        assert len(_on(world, "one")) == 1
        made.delete()
        await made.gone()
        assert (_on(world, "one"), world.key("one").grants_made) == ([], 2)


async def test_a_grant_whose_answer_was_lost_is_found_before_its_object_goes() -> None:
    async with World() as world:
        await _keys(world, "one")
        world.kms.lags["ListGrants"] = late(20.0)
        await world.advance(20)
        world.traffic.faults.on(lost_answer("CreateGrant", times=3))
        made = grant(world)
        made.apply(**at("one"), **READ)
        await world.until(lambda: bool(_on(world, "one")))
        made.delete()
        await made.gone(within=120)
        assert _on(world, "one") == []


async def test_a_denied_list_stops_the_object_and_nothing_is_changed() -> None:
    async with World() as world:
        await _keys(world, "one")
        made = await _grant(world, **at("one"), **READ)
        world.kms.denied.add("ListGrants")
        began = world.time
        made.apply(**at("one"), **WRITE)
        await made.reason("AccessDenied")
        assert _writes(world, began) == {}
        world.kms.denied.clear()
        await made.ready()
        assert len(_on(world, "one")) == 1


async def test_a_retained_grant_stays_and_needs_no_call() -> None:
    async with World() as world:
        await _keys(world, "one")
        made = await _grant(world, **at("one"), **READ, deletionPolicy="Retain")
        began = world.time
        made.delete()
        await made.gone()
        assert (len(_on(world, "one")), _writes(world, began)) == (1, {})


async def test_a_grant_deleted_during_its_pass_waits_for_nothing_that_was_not_asked_for() -> None:
    async with World() as world:
        await _keys(world, "one")
        made = await _grant(world, **at("one"), **READ)

        def delete(call: Call, point: Point) -> float:
            if (call.name, point) == ("PATCH kmsgrants/status", "before") and made.find() is not None:
                made.delete()
                world.traffic.watcher = undisturbed
            return 0.0

        world.traffic.watcher = delete
        made.patch({"spec": {"operations": [*READ["operations"], "Encrypt"]}})
        await made.gone(within=20)
        assert _on(world, "one") == []
