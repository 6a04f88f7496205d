import asyncio

from controller.turns import AT_ONCE, in_turns


async def test_what_is_few_is_done_at_once() -> None:
    done: list[int] = []
    in_turns(range(AT_ONCE - 1), done.append)
    assert done == list(range(AT_ONCE - 1))


async def test_what_is_many_is_done_whole_while_others_have_their_turns() -> None:
    done: list[int] = []
    in_turns(range(3 * AT_ONCE + 1), done.append)
    turns = [len(done)]
    while len(done) <= 3 * AT_ONCE:
        await asyncio.sleep(0)
        turns.append(len(done))
    assert done == list(range(3 * AT_ONCE + 1))
    assert turns == [AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE, 3 * AT_ONCE + 1]


async def test_what_goes_away_meanwhile_was_there() -> None:
    things, done = dict.fromkeys(range(AT_ONCE + 2)), list[int]()
    in_turns(things, done.append)
    things.clear()
    await asyncio.sleep(0)
    assert len(done) == AT_ONCE + 2
