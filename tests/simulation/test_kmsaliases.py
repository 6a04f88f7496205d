"""KMSAliases through the whole controller: whose an alias is, moves, permissions, and the end of a target."""

import asyncio

import pytest

from controller.objects import Ref
from controller.provider_objects import AWSPROVIDERS
from tests.simulation.dependents import SIGNING, Thing, alias, at, provide
from tests.simulation.faults import silence
from tests.simulation.kms_model import late
from tests.simulation.world import World
from tests.virtual_time import VirtualTimeLoop

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


async def _alias(world: World, name: str = "front", namespace: str = "shop", **spec: object) -> Thing:
    """A new alias that is ready."""
    made = alias(world, name, namespace)
    made.apply(**{"aliasName": "front", **spec})
    await made.ready()
    return made


def _stand_still(seconds: float) -> None:
    """The whole machine."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.pause(seconds)


def _holders(world: World) -> list[str]:
    """The ARNs of the keys to which alias/front leads: never more than one."""
    return [one.arn for one in world.kms.keys if "alias/front" in one.aliases]


def _writes(world: World, since: float) -> dict[str, int]:
    return dict(world.traffic.names("aws", since))


def _outside_key(world: World, **parameters: object) -> str:
    return str(world.outside("CreateKey", **parameters)["KeyMetadata"]["Arn"])


async def test_an_alias_leads_to_the_key_of_its_target_and_says_so() -> None:
    async with World() as world:
        (one,) = await _keys(world, "one")
        made = await _alias(world, **at("one"))
        assert _holders(world) == [one]
        assert made.status["aliasArn"] == "arn:aws:kms:us-east-1:123456789012:alias/front"
        assert (made.status["targetKeyId"], made.status["placedOn"]) == (one.rpartition("/")[2], [one])
        assert made.status["provider"] == "shop/main"


async def test_an_alias_is_looked_at_again_when_a_read_has_failed_and_the_report_meets_the_deadline_of_the_pass() -> None:
    async with World() as world:
        await _keys(world, "one")
        made = alias(world)
        for lost in (silence("ListResourceTags", times=1, target="aws"), silence("PATCH kmsaliases/status", times=1)):
            world.traffic.faults.on(lost)
        made.apply(aliasName="front", **at("one"))
        await world.advance(1)
        _stand_still(55)
        await made.ready(within=300)


async def test_an_alias_and_its_key_may_be_applied_together_in_any_order() -> None:
    async with World() as world:
        world.start("a")
        made = alias(world)
        made.apply(aliasName="front", **at("one"))
        await made.reason("TargetNotFound")
        world.apply("one")
        began = world.time
        await made.ready()
        assert world.time - began < 10
        assert _holders(world) == [world.key("one").arn]


async def test_a_key_outside_the_cluster_is_named_by_its_id_or_arn() -> None:
    async with World() as world:
        world.start("a")
        arn = _outside_key(world)
        made = await _alias(world, targetKeyId=arn.rpartition("/")[2])
        assert _holders(world) == [arn]
        made.delete()
        await made.gone()
        assert _holders(world) == []
        await _alias(world, "again", targetKeyId=arn)
        assert _holders(world) == [arn]


async def test_a_key_that_is_not_there_makes_no_alias() -> None:
    async with World() as world:
        world.start("a")
        made = alias(world)
        made.apply(aliasName="front", targetKeyId="1234abcd-12ab-34cd-56ef-1234567890ab")
        await made.reason("TargetGone")
        assert _writes(world, 0) == {}


async def test_an_arn_of_another_account_is_refused_before_it_is_asked_for() -> None:
    async with World() as world:
        world.start("a")
        made = alias(world)
        made.apply(aliasName="front", targetKeyId="arn:aws:kms:us-east-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab")
        await made.reason("AccountMismatch")
        assert "DescribeKey" not in {call.name for call in world.traffic.calls}


async def test_an_alias_in_steady_state_writes_nothing_anywhere() -> None:
    async with World() as world:
        await _keys(world, "one")
        await _alias(world, **at("one"))
        await world.advance(70)
        began = world.time
        await world.advance(600)
        assert not world.traffic.executed("aws", began)
        assert not world.traffic.executed("kube", began)


async def test_a_move_between_keys_of_one_type_is_one_call() -> None:
    async with World() as world:
        _, two = await _keys(world, "one", "two")
        made = await _alias(world, **at("one"))
        began = world.time
        made.apply(aliasName="front", **at("two"))
        await made.ready()
        assert _holders(world) == [two]
        assert _writes(world, began) == {"UpdateAlias": 1}


async def test_a_move_to_a_key_of_another_type_frees_the_name_first() -> None:
    async with World() as world:
        await _keys(world, "one")
        (two,) = await _keys(world, "two", **SIGNING)
        made = await _alias(world, **at("one"))
        began = world.time
        made.apply(aliasName="front", **at("two"))
        await made.ready()
        assert _holders(world) == [two]
        assert _writes(world, began) == {"DeleteAlias": 1, "CreateAlias": 1}


async def test_drift_is_corrected_with_a_warning_also_back_to_an_earlier_key() -> None:
    async with World() as world:
        one, two = await _keys(world, "one", "two")
        made = await _alias(world, **at("one"))
        made.apply(aliasName="front", **at("two"))
        await made.ready()
        world.outside("UpdateAlias", AliasName="alias/front", TargetKeyId=one)
        await world.advance(130)
        assert _holders(world) == [two]
        world.outside("DeleteAlias", AliasName="alias/front")
        await world.advance(130)
        assert _holders(world) == [two]
        notes = {event["note"] for event in world.events if event["reason"] == "DriftCorrected"}
        assert len(notes) == 2


async def test_an_alias_of_somebody_else_is_never_taken() -> None:
    async with World() as world:
        await _keys(world, "one")
        theirs = _outside_key(world)
        world.outside("CreateAlias", AliasName="alias/front", TargetKeyId=theirs)
        began = world.time
        made = alias(world)
        made.apply(aliasName="front", **at("one"))
        await made.reason("AliasConflict")
        await world.advance(900)
        assert theirs in made.condition()["message"]
        made.delete()
        await made.gone()
        assert (_holders(world), _writes(world, began)) == ([theirs], {})


async def test_an_alias_moved_to_a_strange_key_is_a_conflict_and_stays_there() -> None:
    async with World() as world:
        await _keys(world, "one")
        made = await _alias(world, **at("one"))
        theirs = _outside_key(world)
        world.outside("UpdateAlias", AliasName="alias/front", TargetKeyId=theirs)
        began = world.time
        await made.reason("AliasConflict")
        made.delete()
        await made.gone()
        assert (_holders(world), _writes(world, began)) == ([theirs], {})


async def test_an_alias_that_leads_to_the_target_already_is_left_when_the_object_goes() -> None:
    async with World() as world:
        (one,) = await _keys(world, "one")
        world.outside("CreateAlias", AliasName="alias/front", TargetKeyId=one)
        began = world.time
        made = await _alias(world, **at("one"))
        assert "without this object's doing" in made.condition()["message"]
        made.delete()
        await made.gone()
        assert (_holders(world), _writes(world, began)) == ([one], {})


async def test_of_two_objects_with_one_name_the_later_is_refused_until_the_name_is_free() -> None:
    async with World() as world:
        await _keys(world, "one", "two")
        first = await _alias(world, **at("one"))
        later = [alias(world, "same-target"), alias(world, "other-target")]
        for thing, name in zip(later, ("one", "two"), strict=True):
            thing.apply(aliasName="alias/front", **at(name))
            await thing.reason("AliasConflict")
        assert "KMSAlias shop/front" in later[0].condition()["message"]
        later[0].delete()
        await later[0].gone()
        assert _holders(world) == [world.key("one").arn]
        first.delete()
        await later[1].ready()
        assert _holders(world) == [world.key("two").arn]


async def test_a_name_that_a_key_has_in_its_spec_is_that_keys() -> None:
    async with World() as world:
        await _keys(world, "one", aliases=["front"])
        made = alias(world)
        made.apply(aliasName="front", **at("one"))
        await made.reason("AliasConflict")
        assert "KMSKey shop/one" in made.condition()["message"]
        made.delete()
        await made.gone()
        assert _holders(world) == [world.key("one").arn]


async def test_a_key_that_names_an_alias_later_does_not_get_it_from_its_object() -> None:
    async with World() as world:
        (one,) = await _keys(world, "one")
        made = await _alias(world, **at("one"))
        world.apply("one", aliases=["front", "own"])
        await world.reason("one", "AliasConflict")
        assert "KMSAlias shop/front" in world.condition("one")["message"]
        assert (world.status("one")["aliases"], set(world.key("one").aliases)) == (["alias/own"], {"alias/front", "alias/own"})
        world.apply("one")
        await world.ready("one")
        assert (_holders(world), made.is_ready()) == ([one], True)
        world.apply("one", aliases=["front"])
        await world.reason("one", "AliasConflict")
        made.delete()
        await made.gone()
        await world.ready("one")
        assert (_holders(world), world.status("one")["aliases"]) == ([one], ["alias/front"])


async def test_another_namespace_needs_the_keys_permission_and_without_it_aws_is_not_called() -> None:
    async with World() as world:
        await _keys(world, "one")
        calls = len([call for call in world.traffic.calls if call.target == "aws"])
        made = alias(world, namespace=ELSEWHERE)
        made.apply(aliasName="front", **at("one", "shop"))
        await made.reason("TargetNotAllowed")
        made.delete()
        await made.gone()
        assert len([call for call in world.traffic.calls if call.target == "aws" and call.name != "GetCallerIdentity"]) <= calls
        assert _holders(world) == []
        world.apply("one", grantableFrom={"names": [ELSEWHERE]})
        await _alias(world, namespace=ELSEWHERE, **at("one", "shop"))
        assert _holders(world) == [world.key("one").arn]


async def test_a_permission_that_is_taken_back_stops_the_object_and_leaves_its_alias_to_it() -> None:
    async with World() as world:
        await _keys(world, "one", grantableFrom={"names": [ELSEWHERE]})
        made = await _alias(world, namespace=ELSEWHERE, **at("one", "shop"))
        world.apply("one")
        await made.reason("TargetNotAllowed")
        made.delete()
        await made.gone()
        assert _holders(world) == []


@pytest.mark.parametrize("by", ["status", "tags"])
async def test_an_id_is_no_way_around_the_permission(by: str) -> None:
    async with World() as world:
        (one,) = await _keys(world, "one", deletionPolicy="Retain")
        provide(world, ELSEWHERE)
        if by == "tags":  # the object is gone, and its key carries the owner tags still
            world.delete("one")
            await world.gone("one")
        began = world.time
        made = alias(world, namespace=ELSEWHERE)
        made.apply(aliasName="front", targetKeyId=one)
        await made.reason("TargetNotAllowed")
        assert (_holders(world), _writes(world, began)) == ([], {})


async def test_a_target_that_is_deleted_is_told_and_does_not_hold_the_alias() -> None:
    async with World() as world:
        (one,) = await _keys(world, "one", deletionProtection=True)
        made = await _alias(world, **at("one"))
        world.delete("one")
        await made.reason("TargetPendingDeletion")
        world.apply("one")
        await world.gone("one")
        await made.reason("TargetGone")
        assert _holders(world) == [one]
        made.delete()
        await made.gone(within=60)
        assert _holders(world) == []


async def test_a_key_scheduled_for_deletion_outside_takes_no_new_alias_and_lets_the_old_one_go() -> None:
    async with World() as world:
        world.start("a")
        arn = _outside_key(world)
        made = await _alias(world, targetKeyId=arn)
        other = alias(world, "other")
        world.outside("ScheduleKeyDeletion", KeyId=arn)
        other.apply(aliasName="other", targetKeyId=arn)
        await other.reason("TargetPendingDeletion")
        await made.reason("TargetPendingDeletion")
        made.apply(aliasName="front", targetKeyId=_outside_key(world))
        await made.ready()
        assert arn not in _holders(world)


@pytest.mark.parametrize("seconds", [20.0, 290.0])
async def test_late_reads_make_no_conflict_and_end_well(seconds: float) -> None:
    async with World() as world:
        _, two = await _keys(world, "one", "two")
        world.kms.lags["DescribeKey"] = late(seconds)
        await world.advance(seconds)
        made = await _alias(world, **at("one"))
        made.apply(aliasName="front", **at("two"))
        await world.advance(2 * seconds + 130)
        assert (made.is_ready(), _holders(world)) == (True, [two])
        assert "AliasConflict" not in {event["reason"] for event in world.events}


async def test_an_alias_that_is_deleted_right_after_it_was_made_is_not_left_behind() -> None:
    async with World() as world:
        await _keys(world, "one")
        world.kms.lags["DescribeKey"] = late(20.0)
        await world.advance(20)
        made = await _alias(world, **at("one"))
        made.delete()
        await made.gone(within=120)
        assert _holders(world) == []


async def test_a_held_object_gets_no_call_and_goes_on_when_it_is_let() -> None:
    async with World() as world:
        await _keys(world, "one")
        made = await _alias(world, **at("one"))
        made.apply(aliasName="front", suspend=True, **at("one"))
        await world.until(lambda: made.condition("Synced").get("reason") == "Suspended")
        world.outside("DeleteAlias", AliasName="alias/front")
        await world.advance(300)
        assert _holders(world) == []
        made.apply(aliasName="front", **at("one"))
        await made.ready()
        assert _holders(world) == [world.key("one").arn]


async def test_a_denied_call_is_told_and_done_once_it_is_allowed() -> None:
    async with World() as world:
        await _keys(world, "one")
        world.kms.denied.add("CreateAlias")
        made = alias(world)
        made.apply(aliasName="front", **at("one"))
        await made.reason("AccessDenied")
        assert "kms:CreateAlias" in made.condition()["message"]
        world.kms.denied.clear()
        await made.ready()
        assert made.status.get("lastError") is None


async def test_a_provider_stays_until_the_last_alias_is_undone() -> None:
    async with World() as world:
        world.start("a")
        arn = _outside_key(world)
        made = await _alias(world, targetKeyId=arn)
        world.kms.denied.add("DeleteAlias")
        path = AWSPROVIDERS.path("shop", "main")
        world.user("DELETE", path)
        made.delete()
        await made.reason("DeletionBlocked")
        await world.advance(120)
        assert world.etcd.get("awsproviders", Ref("shop", "main")) is not None
        world.kms.denied.clear()
        await made.gone()
        await world.until(lambda: world.etcd.get("awsproviders", Ref("shop", "main")) is None, within=60)
        assert _holders(world) == []
