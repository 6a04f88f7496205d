import asyncio

from aws.tally import Call, tallied, tally

ONE, OTHER = Call("111122223333", "eu-central-1", "DescribeKey"), Call("111122223333", "us-east-1", "ListKeys")


async def test_calls_are_counted_where_they_are_asked_to_be_in_tasks_too() -> None:
    async def later() -> None:
        tally(OTHER)

    tally(ONE)
    with tallied() as calls:
        tally(ONE)
        await asyncio.gather(later(), later())
    tally(ONE)
    assert calls == {ONE: 1, OTHER: 2}


async def test_two_that_count_at_the_same_time_count_their_own() -> None:
    async def look(times: int) -> int:
        with tallied() as calls:
            for _ in range(times):
                tally(ONE)
                await asyncio.sleep(0)
        return calls[ONE]

    assert tuple(await asyncio.gather(look(3), look(5))) == (3, 5)
