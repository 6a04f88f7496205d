import asyncio

import pytest

from aws.buckets import AGING_SECONDS, RECOVERY_SECONDS, WINDOW_SECONDS
from aws.quotas import PER_SECOND, Quotas, RateLimits, waiting_as
from reconcilers.provider_fields import KMS_OPERATIONS
from reconcilers.urgency import Urgency

pytestmark = pytest.mark.virtual_time

HERE = ("111122223333", "eu-central-1")


async def call(quotas: Quotas, account_id: str, region: str, operation: str) -> float:
    """Makes one as soon as it may be made; how long that was waited for."""
    permit = await quotas.take(account_id, region, operation)
    permit.sent()
    permit.close()
    return permit.waited


async def calls(quotas: Quotas, operation: str, count: int) -> list[float]:
    """When each of so many calls, asked for at once, may be made."""
    loop = asyncio.get_running_loop()
    began, times = loop.time(), []
    for _ in range(count):
        await call(quotas, *HERE, operation)
        times.append(loop.time() - began)
    return times


async def test_a_second_of_calls_goes_at_once_and_the_rest_at_the_rate() -> None:
    assert await calls(Quotas(0.4), "CreateKey", 5) == pytest.approx([0, 0, 0.5, 1, 1.5])


async def test_a_second_sees_no_more_calls_than_the_quota_and_after_a_burst_they_are_spread() -> None:
    even = [WINDOW_SECONDS * (1 + number / 5) for number in range(5)]
    assert await calls(Quotas(1.0), "CreateKey", 10) == pytest.approx([0, 0, 0, 0, 0, *even])


@pytest.mark.parametrize("asked", [RateLimits(1.0, {"CreateKey": 100_000}), RateLimits(None, {"CreateKey": 5.5}), RateLimits(1.0)])
async def test_nobody_can_ask_for_more_than_the_quota(asked: RateLimits) -> None:
    quotas = Quotas(0.5)
    quotas.limit("shop/main", *HERE, asked)
    assert await calls(quotas, "CreateKey", 11) == pytest.approx(await calls(Quotas(1.0), "CreateKey", 11))


async def test_a_fraction_takes_a_fraction() -> None:
    assert await calls(Quotas(0.1), "CreateKey", 4) == pytest.approx([0, 2, 4, 6])


async def test_processes_that_share_the_quotas_divide_them() -> None:
    quotas = Quotas(0.4)
    await call(quotas, *HERE, "CreateKey")
    quotas.divide(4)
    assert await calls(quotas, "CreateKey", 3) == pytest.approx([0, 2, 4])
    quotas.divide(1)
    assert await calls(quotas, "EnableKeyRotation", 7) == pytest.approx([0, 0, 0, 0, 0, 0, 1 / 6])


async def test_the_wait_is_told() -> None:
    quotas = Quotas(0.2)
    assert await call(quotas, *HERE, "CreateKey") == 0
    assert await call(quotas, *HERE, "CreateKey") == pytest.approx(1)


async def test_other_accounts_regions_and_operations_do_not_wait() -> None:
    quotas = Quotas(0.2)
    await call(quotas, *HERE, "CreateKey")
    assert await call(quotas, HERE[0], "us-east-1", "CreateKey") == 0
    assert await call(quotas, "444455556666", HERE[1], "CreateKey") == 0
    assert await call(quotas, *HERE, "EnableKey") == 0


async def test_an_operation_without_a_quota_never_waits() -> None:
    assert await calls(Quotas(0.001), "GetCallerIdentity", 1000) == [0] * 1000


async def test_who_came_first_goes_first_and_who_gives_up_takes_nothing() -> None:
    quotas, order = Quotas(0.2), list[int]()

    async def one(number: int, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                await call(quotas, *HERE, "CreateKey")
        except TimeoutError:
            return
        order.append(number)

    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(one(number, 1.5 if number in {1, 2, 3} else 100) for number in range(6)))
    assert order == [0, 1, 4, 5]
    assert asyncio.get_running_loop().time() - began == pytest.approx(3)


async def served(quotas: Quotas, *line: tuple[str, Urgency, float]) -> list[str]:
    """Who may call in which order, of those who come so many seconds from now."""
    order: list[str] = []

    async def one(name: str, urgency: Urgency, comes: float) -> None:
        await asyncio.sleep(comes)
        with waiting_as(urgency):
            await call(quotas, *HERE, "CreateKey")
        order.append(name)

    await asyncio.gather(*(one(*each) for each in line))
    return order


async def test_the_more_urgent_goes_first_whoever_came_first() -> None:
    line = [(urgency.name, urgency, 0.1) for urgency in reversed(Urgency)]
    quotas = Quotas(0.2)
    assert await served(quotas, ("nobody waits", Urgency.RESYNC, 0), *line) == ["nobody waits", "USER", "CREATION", "REPAIR", "RESYNC"]


async def test_a_resync_is_served_though_users_keep_coming() -> None:
    users = [(f"user {number}", Urgency.USER, number / 2) for number in range(500)]  # twice as many as can be served
    order = await served(Quotas(0.2), *users, ("resync", Urgency.RESYNC, 0.6))
    assert order.index("resync") == pytest.approx(2 * Urgency.RESYNC * AGING_SECONDS, abs=3)


async def test_a_turn_that_comes_together_with_the_end_of_patience_is_not_lost() -> None:
    quotas = Quotas(0.2)
    await call(quotas, *HERE, "CreateKey")
    line = [asyncio.create_task(call(quotas, *HERE, "CreateKey")) for _ in range(2)]
    asyncio.get_running_loop().call_later(1, line[0].cancel)
    assert await line[1] == pytest.approx(1, abs=0.01)
    assert line[0].cancelled()


async def test_throttling_halves_the_rate_once_for_all_calls_in_flight_and_it_recovers() -> None:
    quotas = Quotas(1.0)
    await calls(quotas, "TagResource", 3)
    for _ in range(20):
        quotas.throttled(*HERE, "TagResource")
    slow = await calls(quotas, "TagResource", 5)
    assert slow[-1] == pytest.approx(1.0, rel=0.05)
    await asyncio.sleep(RECOVERY_SECONDS)
    assert (await calls(quotas, "TagResource", 20))[-1] == pytest.approx(WINDOW_SECONDS * 1.9)


async def test_a_throttling_storm_leaves_a_trickle() -> None:
    quotas = Quotas(1.0)
    for _ in range(100):
        await call(quotas, *HERE, "CreateKey")
        quotas.throttled(*HERE, "CreateKey")
    began = asyncio.get_running_loop().time()
    await call(quotas, *HERE, "CreateKey")
    assert asyncio.get_running_loop().time() - began < 17 / PER_SECOND["CreateKey"]


async def test_a_provider_takes_another_share_or_other_rates() -> None:
    quotas = Quotas(0.5)
    quotas.limit("shop/main", *HERE, RateLimits(0.2, {"EnableKey": 2}))
    assert await calls(quotas, "CreateKey", 3) == pytest.approx([0, 1, 2])
    assert await calls(quotas, "EnableKey", 4) == pytest.approx([0, 0, 0.5, 1])
    assert await call(quotas, HERE[0], "us-east-1", "CreateKey") == 0


async def test_of_several_providers_of_one_account_the_smallest_number_holds_for_all() -> None:
    quotas = Quotas(0.5)
    quotas.limit("shop/main", *HERE, RateLimits(0.8))
    quotas.limit("mail/main", *HERE, RateLimits(0.2))
    quotas.limit("silent/main", *HERE, RateLimits())
    quotas.limit("elsewhere/main", HERE[0], "us-east-1", RateLimits(0.02))
    assert await calls(quotas, "CreateKey", 3) == pytest.approx([0, 1, 2])
    quotas.unlimit("mail/main")
    await asyncio.sleep(1)
    assert await calls(quotas, "CreateKey", 6) == pytest.approx([0, 0, 0, 0, 0.25, WINDOW_SECONDS], abs=0.3)
    quotas.unlimit("shop/main")
    await asyncio.sleep(1)
    assert (await calls(quotas, "CreateKey", 5))[-1] == pytest.approx(1, abs=0.3)


async def test_a_throttled_bucket_stays_throttled_when_its_rate_changes() -> None:
    quotas = Quotas(0.2)
    await call(quotas, *HERE, "CreateKey")
    quotas.throttled(*HERE, "CreateKey")
    quotas.limit("shop/main", *HERE, RateLimits(0.4))
    assert await call(quotas, *HERE, "CreateKey") == pytest.approx(1, abs=0.1)


def test_every_operation_of_kms_that_has_a_quota_can_be_limited() -> None:
    assert PER_SECOND.keys() - {"GetResources"} <= set(KMS_OPERATIONS)
