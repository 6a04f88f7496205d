"""AWS that refuses, throttles, loses answers, forgets what it has made, and contradicts itself."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from reconcilers.codes import SENT_ONCE
from tests.simulation import aws_wires, kms_model, single_writes
from tests.simulation.faults import Fault, silence
from tests.simulation.identities import OTHER_ACCOUNT_ID, Credentials
from tests.simulation.scenarios import FULL
from tests.simulation.world import CANARY, World

pytestmark = pytest.mark.virtual_time

ENDLESS = 10**9
CHANGED = {"description": "x", "keyPolicy": FULL["keyPolicy"].replace("2012", "2008"), "tags": {"a": "b"}, "enabled": False}


@pytest.mark.holds("F27")
async def test_a_throttle_storm_delays_new_keys_and_makes_none_twice() -> None:
    async with World() as world:
        world.start("a")
        names = [f"key-{number}" for number in range(10)]
        storm = world.traffic.faults.on(aws_wires.throttled("*", times=ENDLESS, probability=0.9))
        for name in names:
            world.apply(name, **FULL)
        await world.advance(600)
        world.traffic.faults.off(storm)
        await world.ready(*names, within=330)
        assert world.traffic.names("aws") == {"CreateKey": 10, "EnableKeyRotation": 10}


@pytest.mark.holds("F27")
async def test_a_throttle_storm_is_no_news_for_keys_that_are_ready() -> None:
    async with World() as world:
        world.start("a")
        names = [f"key-{number}" for number in range(10)]
        for name in names:
            world.apply(name, **FULL)
        await world.ready(*names)
        began = world.time
        storm = world.traffic.faults.on(aws_wires.throttled("*", times=ENDLESS, probability=0.9))
        await world.advance(600)
        assert all(world.condition(name)["status"] == "True" for name in names)
        assert world.traffic.names("kube", began)["PATCH kmskeys/status"] <= 10 * len(names)  # one a minute for each
        world.traffic.faults.off(storm)
        await world.ready(*names, within=330)
        assert world.traffic.names("aws", began) == {}


@pytest.mark.holds("F28")
@pytest.mark.parametrize("executes", [True, False])
@pytest.mark.parametrize("code", ["KMSInternalException", "DependencyTimeoutException", "ServiceUnavailable"])
async def test_an_internal_error_of_create_key_is_an_unknown_result(code: str, executes: bool) -> None:
    async with World() as world:
        world.start("a")
        world.traffic.faults.on(aws_wires.internal_error("CreateKey", executes=executes, code=code))
        world.apply("orders", **FULL)
        await world.ready("orders")
        assert len(world.kms.made) == 1


@pytest.mark.holds("F29")
@pytest.mark.parametrize("executes", [True, False])
async def test_create_key_that_is_never_answered_makes_one_key(executes: bool) -> None:
    async with World() as world:
        world.start("a")
        world.traffic.faults.on(silence("CreateKey", times=1, executes=executes))
        world.apply("orders", **FULL)
        await world.ready("orders")
        assert len(world.kms.made) == 1


@pytest.mark.holds("F30")
@pytest.mark.parametrize("executes", [True, False])
async def test_garbage_in_place_of_an_answer_makes_one_key(executes: bool) -> None:
    async with World() as world:
        world.start("a")
        world.traffic.faults.on(aws_wires.garbage("CreateKey", executes=executes))
        world.apply("orders", **FULL)
        await world.ready("orders")
        assert len(world.kms.made) == 1


NO_ANSWERS = {"cut": aws_wires.cut_body, "garbage": aws_wires.garbage, "a proxy's page": aws_wires.proxy_page}


@pytest.mark.holds("F30")
@pytest.mark.parametrize("executes", [True, False])
@pytest.mark.parametrize("no_answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_no_write_minds_an_answer_that_is_none(no_answer: Callable[..., Fault], executes: bool) -> None:
    """All writes at once; each is answered so at first, whether it was done or not. What must not be repeated is done once."""
    async with World() as world:
        world.start("a")
        await single_writes.prepare(world)
        began = world.time
        for operation in single_writes.WRITES:
            world.traffic.faults.on(no_answer(operation, executes=executes))
        single_writes.act(world)
        await single_writes.settle(world)
        done = world.traffic.names("aws", began)
        assert done.keys() == single_writes.WRITES.keys()
        assert {operation for operation, times in done.items() if times > 1} <= single_writes.WRITES.keys() - SENT_ONCE
        assert max(done.values()) <= 2


async def test_what_was_not_sent_is_sent_again_without_a_search_or_a_pause() -> None:
    async with World() as world:
        world.start("a")
        world.traffic.faults.on(aws_wires.not_sent("CreateKey"))
        world.apply("orders", **FULL)
        await world.ready("orders", within=10)
        assert len(world.kms.made) == 1


@pytest.mark.holds("F28")
@pytest.mark.parametrize("operation", ["DescribeKey", "ListResourceTags", "GetKeyPolicy", "GetKeyRotationStatus"])
async def test_reads_that_fail_for_minutes_harm_nothing(operation: str) -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        failing = world.traffic.faults.on(aws_wires.internal_error(operation, times=ENDLESS))
        began = world.time
        await world.advance(600)
        assert world.condition("orders")["status"] == "True"  # it was so when it was last seen
        world.traffic.faults.off(failing)
        await world.ready("orders", within=330)
        assert world.traffic.names("aws", began) == {}


@pytest.mark.holds("F31")
@pytest.mark.parametrize("lag", [kms_model.late(300), kms_model.flapping(300)], ids=["late", "flapping"])
@pytest.mark.parametrize(
    "operations", [("DescribeKey",), ("DescribeKey", "EnableKeyRotation"), ("ListKeys", "ListResourceTags", "DescribeKey")]
)
async def test_a_new_key_that_kms_does_not_show_everywhere_is_not_made_again(lag: kms_model.Lag, operations: tuple[str, ...]) -> None:
    async with World() as world:
        world.start("a", create_grace=timedelta(minutes=5))
        world.kms.lags = dict.fromkeys(operations, lag)
        world.apply("orders", **FULL)
        await world.ready("orders", within=900)
        await world.advance(900)
        assert world.reasons("orders", 0) <= {"Creating", "Updating", "KeyNotUsableYet", "AWSUnavailable", "Available"}
        assert len(world.kms.made) == 1


@pytest.mark.holds("F31", "F33")
async def test_the_first_answer_lost_and_all_views_late_make_one_key() -> None:
    async with World() as world:
        world.start("a", create_grace=timedelta(minutes=5))
        world.kms.lags = dict.fromkeys(("DescribeKey", "ListKeys", "ListResourceTags"), kms_model.late(240))
        world.kms.lags["GetResources"] = kms_model.late(600)
        world.traffic.faults.on(aws_wires.lost_answer("CreateKey"))
        world.apply("orders", **FULL)
        await world.ready("orders", within=1800)
        assert len(world.kms.made) == 1


@pytest.mark.holds("F31", "F33", "I1")
@pytest.mark.parametrize("operation", ["DescribeKey", "ListResourceTags"])
@pytest.mark.parametrize("index_lag", [0, 600])
@pytest.mark.parametrize("deleted", [False, True])
async def test_a_key_that_only_one_view_shows_is_not_made_again_nor_left_behind_though_the_grace_is_over(
    operation: str, index_lag: float, *, deleted: bool
) -> None:
    async with World() as world:
        world.start("a")
        world.kms.lags = {operation: kms_model.late(300), "GetResources": kms_model.late(index_lag)}
        world.traffic.faults.on(aws_wires.lost_answer("CreateKey"))
        world.apply("orders", **FULL)
        await world.advance(0.2)
        if deleted:
            world.delete("orders")
        await (world.gone("orders", within=1800) if deleted else world.ready("orders", within=1800))
        assert [key.state for key in world.kms.made] == ["Enabled"]
        assert [key.state for key in world.kms.keys] == ["PendingDeletion" if deleted else "Enabled"]


@pytest.mark.holds("F33")
async def test_a_tag_index_that_is_ten_minutes_late_makes_no_second_key() -> None:
    async with World() as world:
        world.start("a")
        world.kms.lags["GetResources"] = kms_model.late(600)
        world.traffic.faults.on(aws_wires.lost_answer("CreateKey"))
        world.apply("orders", **FULL)
        await world.ready("orders")
        assert len(world.kms.made) == 1


@pytest.mark.holds("F32")
async def test_reads_that_are_late_repeat_a_write_a_few_times_and_not_at_each_look() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        await world.advance(400)
        world.kms.lags = dict.fromkeys(("DescribeKey", "ListResourceTags", "GetKeyPolicy", "GetKeyRotationStatus"), kms_model.late(300))
        began = world.time
        world.apply("orders", **CHANGED)
        await world.advance(1200)
        assert world.is_ready("orders")
        written = world.traffic.names("aws", began)
        assert all(count <= 4 for count in written.values()), written  # after 30, 60, 120 and 240 s


@pytest.mark.holds("F38", "I14")
async def test_a_provider_that_leads_to_another_account_moves_nothing() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        other = Credentials("AKIAOTHERACCOUNT0001", "another/secret", OTHER_ACCOUNT_ID)
        world.aws.identities.add(other)
        began = world.time
        world.set_secret(other)
        await world.advance(61)  # until then what was read before may serve
        world.apply("orders", **CHANGED)
        await world.reason("orders", "ImmutableFieldConflict")
        await world.advance(3600)
        assert world.traffic.names("aws", began) == {}


@pytest.mark.holds("F37")
async def test_credentials_that_were_replaced_serve_within_a_minute() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        new = Credentials("AKIANEWNEWNEWNEW0001", "new/secret")
        world.aws.identities.add(new)
        world.set_secret(new)
        world.aws.identities.revoke("AKIACANARYCANARY0001")
        began = world.time
        world.apply("orders", **CHANGED)
        await world.ready("orders", within=60)
        assert world.time - began <= 60


@pytest.mark.holds("F37")
async def test_credentials_that_are_wrong_for_an_hour_write_nothing_and_heal() -> None:
    async with World() as world:
        world.start("a")
        world.apply("orders", **FULL)
        await world.ready("orders")
        world.set_secret(Credentials("AKIAWRONGWRONG000001", "wrong"))
        await world.advance(3600)
        began = world.time
        assert world.condition("orders")["status"] == "False"
        assert world.traffic.names("aws", began - 3600) == {}
        world.set_secret(CANARY)
        world.apply("orders", **CHANGED)
        await world.ready("orders", within=130)
